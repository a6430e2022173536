"""From names and folders to agents and environments, for those who write their own loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from snnrl import envs
from snnrl.agents import AGENTS
from snnrl.config import RunConfig, read_config, read_run
from snnrl.envs import EnvConfig
from snnrl.recipes import choice, compose_run
from snnrl.training.device import choose_device
from snnrl.training.supervised_config import SupervisedConfig
from snnrl.training.supervised_task import StudyRunner, load_learner
from snnrl.training.trainer import Trainer

__all__ = ["load", "make_agent", "make_env", "make_envs", "make_runner", "read_config"]


def load(run_dir: str | Path, checkpoint: str = "last", device: str = "auto", *, trust: bool = False) -> Any:
    """The trained agent of a run, or the learner of one on a data set, ready for ``predict``.

    Of an algorithm of stable-baselines3 the agent's ``model`` is SB3's own object.

    Args:
        run_dir: the run's folder.
        checkpoint: ``last``, ``best`` (by the evaluations while training), or a checkpoint's path.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
        trust: whether code may run that the run's ``config.yaml`` names, such as an agent ``my_module:MyAgent``; what
            is imported already needs none.

    Raises:
        ConfigError: the folder is not that of a run, it names code that may not run, or the checkpoint does not fit.
    """
    path, settings = read_run({"run": run_dir, "trust": trust})
    if "learner" in settings:
        return load_learner(SupervisedConfig.from_mapping(settings), path, checkpoint, device)
    return load_player(RunConfig.from_mapping(settings), path, checkpoint, device)


def load_player(config: RunConfig, run_dir: Path, checkpoint: str = "last", device: str = "auto") -> Any:
    """The trained agent of a run, of either kind; see :func:`load`."""
    return _task(config.agent).load_agent(config, run_dir, checkpoint, device)


def _task(agent: Mapping[str, Any]) -> Any:
    """The task that trains what an ``agent`` recipe names.

    Raises:
        ConfigError: there is no agent of this name.
    """
    module, _, name = AGENTS.find(agent["name"], "agent.name").TASK.partition(":")
    return getattr(import_module(module), name)


def make_runner(settings: Mapping[str, Any]) -> tuple[RunConfig | SupervisedConfig, Callable[..., Trainer]]:
    """The checked settings of a run, and what makes its session from a folder and ``resume``.

    Raises:
        ConfigError: a wrong setting.
    """
    if "learner" in settings:
        study = SupervisedConfig.from_mapping(settings)
        return study, partial(StudyRunner, study)
    config = RunConfig.from_mapping(settings)
    return config, partial(_task(config.agent).runner(), config)


def make_envs(env: str, num_envs: int) -> VectorEnv[Any, Any, Any]:
    """Environments stepped together, as training sees them.

    Args:
        env: a recipe's name, such as ``SpaceInvaders``, or a registered Gymnasium id.
        num_envs: how many.
    """
    return envs.make_envs(EnvConfig.from_mapping(compose_run([choice(env)])["env"]), num_envs)


def make_env(env: str, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """One environment, as training sees it.

    Args:
        env: a recipe's name or a registered Gymnasium id.
        render_mode: as in ``gymnasium.make``.
    """
    return envs.make_env(EnvConfig.from_mapping(compose_run([choice(env)])["env"]), render_mode)


def make_agent_for(env: EnvConfig, agent: Mapping[str, Any], seed: int = 0, device: str = "cpu") -> Any:
    """An untrained agent, of either kind, for an environment's recipe."""
    return _task(agent).make_agent(agent, env, seed, choose_device(device))


def make_agent(env: str, agent: str | None = None, seed: int = 0, **settings: Any) -> Any:
    """An untrained agent for an environment.

    Args:
        env: a recipe's name or a registered Gymnasium id.
        agent: a recipe's name; ``None`` is the one that the environment's recipe names.
        seed: of the agent's randomness.
        settings: of the agent, in place of the recipe's.
    """
    composed = compose_run([choice(env), *([] if agent is None else [f"agent={agent}"])])
    recipe = EnvConfig.from_mapping(composed["env"])
    return make_agent_for(recipe, {**composed["agent"], **settings}, seed)
