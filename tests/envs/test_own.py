"""Environments that a program gives as objects or functions."""

from __future__ import annotations

import threading
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RescaleObservation, TimeLimit

import snnrl
from snnrl.envs import LONGEST, EnvConfig, OwnEnv, for_evaluation, has_limit, make_envs
from snnrl.errors import ConfigError, RunError

QUIET: dict[str, Any] = {"env_steps": 64, "progress": "none", "eval": {"episodes": 2}}
FEW: dict[str, Any] = {"agent.n_steps": 8, "agent.batch_size": 8, "agent.net_arch": [8]}
AGENTS: dict[str, dict[str, Any]] = {"rstdp": {"agent.sim_steps": 4}, "ppo_ann": FEW}


class Walk(gymnasium.Env[Any, Any]):
    """A step to the right ends the episode."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self) -> None:
        self.steps = self.resets = self.closes = 0

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        self.resets += 1
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return np.ones(2, np.float32), float(action), bool(action), False, {}

    def close(self) -> None:
        self.closes += 1


class Locked(Walk):
    """What cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.parametrize("agent", AGENTS)
def test_a_function_is_what_its_registered_id_is(agent: str) -> None:
    settings = {**QUIET, **AGENTS[agent], "num_envs": 2}
    by_id = snnrl.train("CartPole-v1", agent=agent, **settings)
    made = snnrl.train(lambda: gymnasium.make("CartPole-v1"), agent=agent, **settings)
    assert made.summary is not None
    assert made.summary["env"] == "CartPole-v1"
    for one, other in zip(by_id.agent.parameters(), made.agent.parameters(), strict=True):
        assert torch.equal(one, other)
    assert np.array_equal(by_id.evaluation.returns, made.evaluation.returns)  # type: ignore[union-attr]


@pytest.mark.parametrize("agent", AGENTS)
def test_an_object_is_the_environment_that_is_learned_in_and_stays_open(agent: str) -> None:
    env = Walk()
    run = snnrl.train(TimeLimit(env, 20), agent=agent, **QUIET, **AGENTS[agent])
    assert run.agent.origin.settings["num_envs"] == 1
    assert env.steps >= 64
    assert env.closes == 0
    assert len(run.evaluation.returns) == 2  # type: ignore[union-attr, arg-type]
    steps = env.steps
    snnrl.evaluate(run.agent, episodes=2)
    assert env.steps == steps


def test_further_environments_are_copies_of_the_object() -> None:
    env = Walk()
    envs = make_envs(OwnEnv.of(EnvConfig("any"), env), 3)
    envs.reset(seed=[1, 2, 3])
    envs.close()
    assert env.resets == 1


def test_wrappers_of_the_object_are_kept() -> None:
    wrapped = RescaleObservation(gymnasium.make("MountainCar-v0"), np.float32(-1), np.float32(1))
    agent = snnrl.make_agent(wrapped, sim_steps=4)
    assert agent.observation_space == wrapped.observation_space
    assert snnrl.evaluate(agent, episodes=1).lengths[0] <= 200


@pytest.mark.parametrize("agent", AGENTS)
def test_a_vector_of_environments_is_learned_in(agent: str) -> None:
    envs = SyncVectorEnv([lambda: TimeLimit(Walk(), 20)] * 3, autoreset_mode=AutoresetMode.NEXT_STEP)
    run = snnrl.train(envs, agent=agent, **QUIET, **AGENTS[agent])
    assert run.agent.origin.settings["num_envs"] == 3
    envs.reset(seed=0)
    with pytest.raises(ConfigError, match="num_envs=2: must be 3"):
        snnrl.train(envs, **QUIET, num_envs=2)


def test_a_vector_that_begins_episodes_otherwise_is_refused() -> None:
    envs = SyncVectorEnv([Walk], autoreset_mode=AutoresetMode.SAME_STEP)
    with pytest.raises(ConfigError, match=r"must be a vector of environments with autoreset_mode=AutoresetMode\.NEXT"):
        snnrl.make_agent(envs)


def test_an_object_that_cannot_be_copied_is_learned_in_but_not_evaluated_in() -> None:
    env = Locked()
    agent = snnrl.make_agent(env, sim_steps=4).learn(32)
    assert env.steps == 32
    with pytest.raises(ConfigError, match=r"env=Locked: cannot be copied, .*must be a function that makes one"):
        snnrl.train(env, **QUIET)
    assert env.steps == 32
    assert snnrl.evaluate(agent, lambda: TimeLimit(Locked(), 9), episodes=1).lengths[0] <= 9


def test_without_a_time_limit_evaluations_are_cut() -> None:
    without, limited = OwnEnv.of(EnvConfig("any"), Walk), OwnEnv.of(EnvConfig("any"), lambda: TimeLimit(Walk(), 5))
    assert (has_limit(without), has_limit(limited)) == (False, True)
    assert for_evaluation(without).max_episode_steps == LONGEST
    assert for_evaluation(limited).max_episode_steps is None
    assert has_limit(OwnEnv.of(EnvConfig("any"), gymnasium.make("CartPole-v1")))


def test_what_an_own_environment_returns_is_checked() -> None:
    class Wrong(Walk):
        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            return np.full(2, np.nan, np.float32), 0.0, False, False, {}

    with pytest.raises(RunError, match=r"env\.id=Wrong, environment 0: an observation with nan"):
        snnrl.make_agent(Wrong).learn(32)


def test_a_function_that_makes_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the function returned 3; must return a gymnasium\.Env"):
        snnrl.make_agent(lambda: 3)  # type: ignore[arg-type, return-value]
