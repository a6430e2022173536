"""Environments that misbehave at a random moment, under every kind of agent: the run stops and says where."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.envs import limits
from snnrl.train import main
from snnrl.training import evaluation
from snnrl.training.checkpoints import CheckpointStore

ROUNDS = (4, 100)
STEPS = 120
"""Of each run, in two environments."""
ACTIONS: Mapping[str, spaces.Space[Any]] = {"discrete": spaces.Discrete(3), "box": spaces.Box(-1.0, 1.0, (2,))}
AGENTS: Mapping[str, tuple[str, ...]] = {
    "rstdp": ("discrete", "box"),
    "random": ("discrete", "box"),
    "ppo agent.n_steps=16 agent.batch_size=32 agent.n_epochs=1": ("discrete", "box"),
    "a2c agent.normalise_observation=true agent.normalise_reward=true": ("discrete", "box"),
    "dqn agent.learning_starts=20 agent.network=ann": ("discrete",),
    "sac agent.learning_starts=20 agent.network=ann": ("box",),
    "td3 agent.learning_starts=20 agent.network=ann": ("box",),
}
REFUSED = (
    *("nan", "inf", "huge", "missing", "shape", "complex", "text"),
    *("reward nan", "reward inf", "reward huge", "reward missing", "flag missing", "info missing"),
)
RAISED = ("raise", "four values", "nothing")
ENDLESS = "endless"


class Misbehaving(gymnasium.Env[Any, Any]):
    """Episodes of up to 20 steps, until something goes wrong at a step or, for observations, at a reset."""

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)

    def __init__(self, fault: str, moment: int, actions: str) -> None:
        self.fault, self.moment, self.action_space = fault, moment, ACTIONS[actions]
        self.calls = self.time = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time, self.calls = 0, self.calls + 1
        return self._see(), {}

    def step(self, action: Any) -> Any:
        self.time, self.calls = self.time + 1, self.calls + 1
        ended = self.time >= 20 or self.np_random.random() < 0.05
        result: list[Any] = [self._see(), self.np_random.normal(), ended and self.fault != ENDLESS, False, {}]
        if self.calls >= self.moment:
            if self.fault == "raise":
                raise ZeroDivisionError("the environment's own")
            if self.fault == "nothing":
                return None
            if self.fault == "four values":
                return tuple(result[:4])
            rewards = {"nan": np.nan, "inf": -np.inf, "huge": 1e300, "missing": None}
            kind, _, what = self.fault.partition(" ")
            if kind == "reward":
                result[1] = rewards[what]
            if kind == "flag":
                result[2] = None
            if kind == "info":
                result[4] = None
        return tuple(result)

    def _see(self) -> Any:
        seen = self.np_random.normal(size=3).astype(np.float32)
        if self.calls < self.moment:
            return seen
        values = {"nan": np.nan, "inf": np.inf, "huge": 1e30}
        if self.fault in values:
            seen[self.np_random.integers(3)] = values[self.fault]
        others = {"missing": None, "shape": seen[:2], "complex": seen.astype(complex), "text": "a vector"}
        return others.get(self.fault, seen)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment under its id, episodes of evaluations cut early."""
    gymnasium.register("Misbehaving-v0", Misbehaving, disable_env_checker=True)
    for module in (limits, evaluation):
        monkeypatch.setattr(module, "LONGEST", 60)
    yield
    del gymnasium.registry["Misbehaving-v0"]


def try_one(draw: random.Random, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fault = draw.choice((*REFUSED, *RAISED, ENDLESS))
    agent = draw.choice(sorted(AGENTS))
    actions, moment = draw.choice(AGENTS[agent]), draw.randrange(1, STEPS // 2)
    words = [
        *(f"env.kwargs.{key}='{value}'" for key, value in (("fault", fault), ("actions", actions))),
        *("env.id=Misbehaving-v0", f"env.kwargs.moment={moment}", *f"agent={agent}".split(), f"env_steps={STEPS}"),
        *("num_envs=2", "eval.every=50", "eval.during=2", "eval.episodes=2", "checkpoint.every=20"),
        *("logger=none", "progress=none", f"run_dir={folder}"),
    ]
    print(" ".join(words))
    if fault in RAISED:
        with pytest.raises((ZeroDivisionError, ValueError, TypeError)) as caught:
            main(words)
        assert any("raised by env.id=Misbehaving-v0" in note for note in caught.value.__notes__)
    else:
        code = main(words)
        err = capsys.readouterr().err
        if fault == ENDLESS:
            assert code == 0, err
            assert "has no time limit: evaluation episodes are cut after" in err
        else:
            assert code == 1, err
            line = err.splitlines()[-1]
            assert line.startswith("error: env.id=Misbehaving-v0, environment ")
            assert " of episode " in line or " before episode " in line
    assert (folder / "summary.json").exists() == (fault == ENDLESS)
    store = CheckpointStore(folder / "checkpoints")
    if store.latest() is not None:
        weights = [value for value in store.load()["agent"].values() if isinstance(value, torch.Tensor)]
        assert all(torch.isfinite(value).all() for value in weights if value.is_floating_point())


@pytest.mark.timeout(3600)
def test_an_environment_that_misbehaves_ends_its_run_in_one_line(
    rounds: int, chance: random.Random, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(rounds):
        try_one(chance, tmp_path / f"run-{number}", capsys)
