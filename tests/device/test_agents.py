"""Agents act, learn and predict on a GPU as on the CPU, and a step on it comes to so much and no more."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.agents import AnyAgent, make_agent
from snnrl.envs import EnvConfig, env_seeds, make_envs
from snnrl.envs.types import VectorEnv
from snnrl.errors import ConfigError
from snnrl.recipes import compose_run
from snnrl.training.rollout import Rollout
from tests.data_sets import needs_digits
from tests.simulated_gpu import Cost, OnGPU, simulated_gpu

NUM_ENVS = 3


class Case(NamedTuple):
    words: list[str]
    """Of the command line."""
    most: Cost
    """Of a step, weights being changed at every second one at least."""


# Where an episode begins, encoders that work on the host are told so: a copy to it.
CASES = {
    "vectors": Case(["env=CartPole"], Cost(290, to_gpu=6, to_host=1, waits=1)),
    "vectors, continuous actions": Case(["env=Pendulum"], Cost(290, to_gpu=6, to_host=1, waits=1)),
    "a shuffled modulator": Case(["env=CartPole", "agent.modulator=shuffled"], Cost(300, to_gpu=7, to_host=1, waits=1)),
    "without plasticity": Case(["env=CartPole", "agent.plasticity=false"], Cost(240, to_gpu=6, to_host=1, waits=1)),
    "numbers": Case(["env=FrozenLake"], Cost(230, to_gpu=4, to_host=1, waits=1)),
    "frames": Case(["env=SpaceInvaders", "agent.update_every=2"], Cost(262, to_gpu=6, to_host=1, waits=2)),
    "objects in pictures": Case(
        ["env=Pong", "agent.warmup_steps=6", "agent.update_every=2"], Cost(170, to_gpu=5, to_host=1, waits=1)
    ),
    "boolean maps": Case(["env=MinAtar", "agent.update_every=2"], Cost(175, to_gpu=5, to_host=2, waits=2)),
    "images": Case(["experiment=mnist_reward", "agent.update_every=2"], Cost(190, to_gpu=4, to_host=1, waits=2)),
    "action values": Case(
        ["env=SpaceInvaders", "agent=sarsa_frames", "agent.warmup_steps=6", "agent.update_every=2"],
        Cost(285, to_gpu=6, to_host=1, waits=1),
    ),
    "a hidden layer of e-prop": Case(["experiment=hidden_xor"], Cost(520, to_gpu=4, to_host=1, waits=1)),
    "a recurrent layer of e-prop": Case(["experiment=hidden_tmaze"], Cost(720, to_gpu=4, to_host=1, waits=1)),
    "random actions": Case(["env=CartPole", "agent=random"], Cost(0)),
}


def make(case: Case) -> tuple[AnyAgent, VectorEnv, Rollout]:
    settings = compose_run(case.words)
    env = EnvConfig.from_mapping(settings["env"])
    envs = make_envs(env, NUM_ENVS, max_threads=1)
    agent = make_agent(settings["agent"], envs.single_observation_space, envs.single_action_space, env, 0)
    if torch.utils._python_dispatch._get_current_dispatch_mode() is not None:
        agent.to("cuda")
    return agent, envs, Rollout(agent, envs, env, env_seeds(0, "train", 0, NUM_ENVS))


def lasting(agent: AnyAgent) -> dict[str, Tensor]:
    return {name: value.cpu() for name, value in agent.state_dict().items()}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_digits) if name == "images" else name for name in CASES]
)
def test_an_agent_learns_as_on_the_cpu_at_a_known_cost(name: str) -> None:
    case = CASES[name]
    agent, envs, rollout = make(case)
    told: list[Any] = [rollout.step().episodes for _ in range(8)]
    expected = lasting(agent)
    envs.close()
    with simulated_gpu() as counts:
        there, envs, rollout = make(case)
        assert all(isinstance(weight, OnGPU) for weight in there.parameters())
        found = [rollout.step().episodes for _ in range(6)]
        counts.reset()
        found += [rollout.step().episodes for _ in range(2)]
        counts.check(case.most, steps=2)
        assert found == told, "other episodes"
        saved = lasting(there)
        observation, _ = envs.reset(seed=1)
        action, state = there.predict(observation, deterministic=True)
        there.predict(observation, state, np.array([True, False, False]))
        assert envs.action_space.contains(action)
        there.load_state_dict(expected)
        assert all(isinstance(weight, OnGPU) for weight in there.parameters())
        envs.close()
    for key, value in expected.items():
        torch.testing.assert_close(saved[key], value, rtol=1e-4, atol=1e-6, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize(
    ("words", "wrong"), [("env=CartPole", np.full((3, 4), np.nan, np.float32)), ("env=FrozenLake", np.full(3, 99))]
)
def test_values_that_no_network_can_take_are_refused_before_they_are_copied(words: str, wrong: NDArray[Any]) -> None:
    with simulated_gpu() as counts:
        agent, envs, _ = make(Case([words], Cost(0)))
        envs.close()
        counts.reset()
        with pytest.raises(ConfigError, match="observation"):
            agent.predict(wrong)
        assert counts.to_gpu == 0
