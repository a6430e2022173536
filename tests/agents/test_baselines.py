from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents.constant import Constant, ConstantConfig
from snnrl.agents.random import Random, RandomConfig
from snnrl.envs import EnvConfig, Feedback
from snnrl.errors import ConfigError

TOY = EnvConfig("Toy-v0")
VECTOR = spaces.Box(-1.0, 1.0, (3,))
PLANE = spaces.Box(-1.0, 1.0, (2,))


def begins(count: int) -> Feedback:
    no = np.zeros(count, dtype=np.bool_)
    return Feedback(np.zeros(count, dtype=np.float32), no, no, ~no)


def constant(space: spaces.Space[Any], action: Any = None) -> Constant:
    return Constant(VECTOR, space, ConstantConfig(action), TOY)


def random(space: spaces.Space[Any], seed: int = 0) -> Random:
    return Random(VECTOR, space, RandomConfig(), TOY, seed)


@pytest.mark.parametrize(
    ("space", "setting", "expected"),
    [
        (spaces.Discrete(4), 3, 3),
        (spaces.Discrete(4), None, 0),
        (spaces.Discrete(4, start=2), None, 2),
        (PLANE, [0.5, -1.0], [0.5, -1.0]),
        (spaces.MultiDiscrete([2, 3]), [1, 2], [1, 2]),
    ],
)
def test_the_constant_agent_takes_its_action_for_ever(space: spaces.Space[Any], setting: Any, expected: Any) -> None:
    agent = constant(space, setting)
    state = agent.begin(3)
    for number in range(3):
        action, state = agent.act(np.full((3, 3), number), begins(3), state)
        assert action.tolist() == [expected] * 3
        assert all(space.contains(one) for one in action)
        state, metrics = agent.update(state)
        assert metrics == {}


@pytest.mark.parametrize("deterministic", [False, True])
def test_the_constant_agent_predicts_for_one_observation_or_a_batch(deterministic: bool) -> None:
    agent = constant(PLANE, [0.5, 0.0])
    one, state = agent.predict(np.zeros(3), deterministic=deterministic)
    assert one.tolist() == [0.5, 0.0]
    assert PLANE.contains(one)
    many, _ = agent.predict(np.zeros((4, 3)), state, np.ones(4, dtype=np.bool_), deterministic)
    assert many.tolist() == [[0.5, 0.0]] * 4


@pytest.mark.parametrize(
    ("space", "action"),
    [
        (spaces.Discrete(4), 4),
        (spaces.Discrete(4), -1),
        (spaces.Discrete(4, start=1), 0),
        (spaces.Discrete(4), [0, 1]),
        (PLANE, None),
        (PLANE, [2.0, 0.0]),
        (PLANE, [0.0]),
    ],
)
def test_a_constant_action_outside_the_space_is_an_error(space: spaces.Space[Any], action: Any) -> None:
    with pytest.raises(ConfigError, match=r"agent\.action="):
        constant(space, action)


def test_random_actions_are_uniform() -> None:
    draws = 20_000
    actions, _ = random(spaces.Discrete(5, start=-1)).predict(np.zeros((draws, 3)))
    values, counts = np.unique(actions, return_counts=True)
    assert values.tolist() == [-1, 0, 1, 2, 3]
    assert np.abs(counts / draws - 0.2).max() <= 5 * math.sqrt(0.2 * 0.8 / draws)


def test_random_actions_are_uniform_from_call_to_call() -> None:
    agent, calls = random(spaces.Discrete(2)), 2000
    actions = np.array([int(agent.predict(np.zeros(3))[0]) for _ in range(calls)])
    bound = 5 * math.sqrt(0.25 / calls)
    assert abs(actions.mean() - 0.5) <= bound
    assert abs((actions[1:] == actions[:-1]).mean() - 0.5) <= bound


@pytest.mark.parametrize("space", [spaces.Discrete(4), PLANE, spaces.MultiDiscrete([2, 3])], ids=str)
def test_random_actions_lie_in_the_space(space: spaces.Space[Any]) -> None:
    agent = random(space)
    action, _ = agent.act(np.zeros((6, 3)), begins(6), agent.begin(6))
    assert len(action) == 6
    assert all(space.contains(one) for one in action)
    one, _ = agent.predict(np.zeros(3))
    assert space.contains(one)


def test_random_actions_follow_the_seed_and_go_on_from_the_generator() -> None:
    def play(agent: Random) -> list[list[int]]:
        return [agent.predict(np.zeros((20, 3)))[0].tolist() for _ in range(3)]

    one, two, other = (random(spaces.Discrete(10), seed) for seed in (1, 1, 2))
    first = play(one)
    assert first == play(two)
    assert first != play(other)
    other.generator.set_state(one.generator.get_state())
    assert play(one) == play(other)


def test_random_actions_leave_the_global_generators_alone() -> None:
    before, numbers = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    random(PLANE).predict(np.zeros((4, 3)))
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.random.get_state()[1].tolist() == numbers  # type: ignore[index, union-attr]
