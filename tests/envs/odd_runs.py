"""Short runs in odd environments, for the tests and for the campaign."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import yaml
from omegaconf import OmegaConf

from snnrl.config import RunConfig
from snnrl.recipes import compose_run, recipe_paths
from snnrl.training.environment_task import EnvironmentTask
from snnrl.training.rl_task import RLTask

_TINY = ["agent.learning_starts=8", "agent.batch_size=4", "agent.buffer_size=50", "agent.net_arch=[8]"]
_ROLLOUT = ["agent.n_steps=8", "agent.net_arch=[8]"]
WORDS = {
    "random": [],
    "constant": [],
    "rstdp": ["agent.sim_steps=4", "agent.warmup_steps=8"],
    "a2c": [*_ROLLOUT, "agent.sim_steps=2"],
    "ppo": [*_ROLLOUT, "agent.sim_steps=2", "agent.batch_size=8", "agent.n_epochs=1"],
    "ppo_ann": [*_ROLLOUT, "agent.batch_size=8", "agent.n_epochs=1"],
    "dqn": [*_TINY, "agent.sim_steps=2"],
    "sac": [*_TINY, "agent.sim_steps=2"],
    "td3": [*_TINY, "agent.sim_steps=2"],
}
OWN = ("random", "constant", "rstdp")
"""Agents that are not stable-baselines3's."""
QUIET = ["num_envs=2", "eval.episodes=2", "eval.every=0", "eval.during=1", "logger=none", "progress=none"]


@cache
def _base(steps: int) -> dict[str, Any]:
    return compose_run(["env.id=odd/Any-v0", "agent=random", f"env_steps={steps}", *QUIET])


def settings(agent: str, env: str, steps: int = 40) -> dict[str, Any]:
    """The resolved settings of a short run; composed once for all agents, which takes a second or two."""
    chosen = copy.deepcopy(_base(steps))
    chosen["env"]["id"] = f"odd/{env}-v0"
    recipe = yaml.safe_load(recipe_paths("agent")[agent.removesuffix("_ann")].read_text())
    changes = OmegaConf.from_dotlist([word.removeprefix("agent.") for word in WORDS[agent]])
    chosen["agent"] = {**recipe, **OmegaConf.to_container(changes)}  # type: ignore[dict-item]
    if agent.endswith("_ann"):
        chosen["agent"]["network"] = "ann"
    return chosen


def live(agent: str, env: str, steps: int = 5) -> EnvironmentTask:
    """A run that has learned for a few steps and been evaluated; its environments are closed."""
    from snnrl.integrations.sb3.sb3_task import SB3Task

    config = RunConfig.from_mapping(settings(agent, env))
    run = RLTask(config) if agent in OWN else SB3Task(config)
    run.begin(0, 0)
    for _ in range(steps):
        run.step()
    run.evaluate(lambda note: None)
    run.close()
    return run
