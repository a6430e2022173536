"""Actions and predictions of the R-STDP agent."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from snnrl.agents.rstdp import RSTDP
from tests.agents.rstdp_toy import (
    ACTIONS,
    ACTOR,
    CRITIC,
    OBSERVATIONS,
    begins,
    changed,
    every_action,
    every_observation,
    leaves,
    make,
    practise,
    seen,
    snapshot,
)


@every_action
@every_observation
def test_equal_seeds_give_equal_actions_and_weights_bit_for_bit(
    observation: spaces.Space[Any], action: spaces.Space[Any]
) -> None:
    one, two, other = (make(observation, action, seed) for seed in (3, 3, 4))
    actions, again, different = (np.stack(practise(agent)[0]) for agent in (one, two, other))
    assert np.array_equal(actions, again)
    assert not changed(one, snapshot(two))
    assert torch.equal(one.generator.get_state(), two.generator.get_state())
    assert not np.array_equal(actions, different)
    assert changed(one, snapshot(other)) >= {ACTOR, CRITIC}


@every_observation
@pytest.mark.parametrize("modulator", ["td", "shuffled"])
def test_state_dict_and_generator_are_all_that_lasts_beyond_an_episode(
    observation: spaces.Space[Any], modulator: str
) -> None:
    old, new = make(observation, modulator=modulator), make(observation, seed=9, modulator=modulator)
    practise(old)
    new.load_state_dict(old.state_dict())
    new.generator.set_state(old.generator.get_state())
    expected, found = np.stack(practise(old)[0]), np.stack(practise(new)[0])
    assert np.array_equal(expected, found)
    assert not changed(new, snapshot(old))


@every_action
@every_observation
def test_actions_of_a_batch_lie_in_the_space(observation: spaces.Space[Any], action: spaces.Space[Any]) -> None:
    actions, _ = practise(make(observation, action), count=5)
    for batch in actions:
        assert len(batch) == 5
        assert all(action.contains(one) for one in batch)


@every_observation
def test_nothing_asks_for_gradients_and_no_graph_is_built(observation: spaces.Space[Any]) -> None:
    agent = make(observation)
    assert not any(parameter.requires_grad for parameter in agent.parameters())
    agent.requires_grad_(True)
    enabled: list[bool] = []
    agent.network.register_forward_hook(lambda *_: enabled.append(torch.is_grad_enabled()))
    with torch.enable_grad():
        _, state = practise(agent)
        _, network = agent.predict(seen(observation, 2, 0))
        assert torch.is_grad_enabled()
    assert len(enabled) == 8 + 1
    assert not any(enabled)
    assert all(leaf.grad_fn is None for leaf in leaves((state, network)))
    assert all(parameter.grad is None for parameter in agent.parameters())


def test_predict_has_stable_baselines3s_signature_and_then_the_masks_of_its_maskable_algorithms() -> None:
    ours, theirs = (dict(inspect.signature(kind.predict).parameters) for kind in (RSTDP, BaseAlgorithm))
    assert ours.pop("action_masks").default is None
    assert [(name, p.default, p.kind) for name, p in ours.items()] == [
        (name, p.default, p.kind) for name, p in theirs.items()
    ]


@pytest.mark.parametrize("deterministic", [False, True])
@every_action
@every_observation
def test_predict_takes_one_observation_or_a_batch(
    observation: spaces.Space[Any], action: spaces.Space[Any], deterministic: bool
) -> None:
    agent = make(observation, action)
    batch = seen(observation, 3, 0)
    one, state = agent.predict(batch[0], deterministic=deterministic)
    assert action.contains(one)
    one, _ = agent.predict(batch[1], state, np.array([False]), deterministic)
    assert action.contains(one)
    many, state = agent.predict(batch, deterministic=deterministic)
    assert len(many) == 3
    many, _ = agent.predict(batch, state, np.array([True, False, False]), deterministic)
    assert all(action.contains(each) for each in many)


@every_observation
def test_episode_start_resets_only_its_row(observation: spaces.Space[Any]) -> None:
    agent = make(observation, ACTIONS["continuous"])
    practise(agent)
    _, state = agent.predict(seen(observation, 3, 0), deterministic=True)
    batch, nowhere = seen(observation, 3, 1), np.zeros(3, dtype=np.bool_)
    started = agent.predict(batch, state, np.array([False, True, False]), True)
    going_on = agent.predict(batch, state, nowhere, True)
    afresh = agent.predict(batch, None, nowhere, True)
    parts = [[torch.as_tensor(action), *leaves(after)] for action, after in (started, going_on, afresh)]
    for mixed, kept, fresh in zip(*parts, strict=True):
        assert torch.equal(mixed[[0, 2]], kept[[0, 2]])
        assert torch.equal(mixed[1], fresh[1])
    assert not all(map(torch.equal, parts[1], parts[2])), "or else there is nothing to reset"


def test_an_episode_remembers_what_it_saw_before() -> None:
    agent = make(action=ACTIONS["continuous"], weight_std=0.2)
    _, state = agent.predict(np.array([1]), deterministic=True)
    after, _ = agent.predict(np.array([2]), state, deterministic=True)
    fresh, _ = agent.predict(np.array([2]), deterministic=True)
    assert not np.array_equal(after, fresh)


@every_action
@every_observation
def test_deterministic_predictions_repeat_and_draw_nothing(
    observation: spaces.Space[Any], action: spaces.Space[Any]
) -> None:
    agent = make(observation, action)
    practise(agent)
    before = agent.generator.get_state()
    batch = seen(observation, 4, 0)
    (one, first), (two, second) = (agent.predict(batch, deterministic=True) for _ in range(2))
    assert np.array_equal(one, two)
    assert all(map(torch.equal, leaves(first), leaves(second)))
    assert torch.equal(before, agent.generator.get_state())


def test_predictions_that_are_not_deterministic_explore() -> None:
    agent = make()
    actions, _ = agent.predict(np.ones(200, dtype=np.int64))
    assert set(actions.tolist()) == {2, 3, 4}


@pytest.mark.parametrize("deterministic", [False, True])
@every_observation
def test_predict_changes_neither_weights_nor_statistics(observation: spaces.Space[Any], deterministic: bool) -> None:
    agent = make(observation)
    practise(agent)
    before, state = snapshot(agent), None
    for number in range(4):
        _, state = agent.predict(seen(observation, 3, 50 + number), state, None, deterministic)
    assert not changed(agent, before)


@pytest.mark.parametrize("observation", [OBSERVATIONS["unbounded"], OBSERVATIONS["frames"]], ids=["vector", "frames"])
def test_acting_after_predicting_learns_statistics_again(observation: spaces.Space[Any]) -> None:
    agent = make(observation)
    practise(agent)
    agent.predict(seen(observation, 3, 0))
    before = snapshot(agent)
    agent.act(seen(observation, 3, 1), begins(3), agent.begin(3))
    assert {name for name in changed(agent, before) if "encoder" in name}


@pytest.mark.parametrize("observation", [np.zeros(4), np.zeros((2, 2)), np.zeros((1, 1, 3))], ids=str)
def test_an_observation_of_another_shape_is_an_error(observation: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="observation of shape"):
        make(OBSERVATIONS["vector"]).predict(observation)


vectors = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3)
AGENT = make(OBSERVATIONS["vector"], ACTIONS["continuous"], weight_std=0.2)


@settings(deadline=None, max_examples=40)
@given(batch=st.lists(vectors, min_size=2, max_size=4), row=st.integers(0, 3))
def test_rows_of_a_batch_are_decided_as_if_alone(batch: list[list[float]], row: int) -> None:
    row %= len(batch)
    observation = np.array(batch, dtype=np.float32)
    together, _ = AGENT.predict(observation, deterministic=True)
    alone, _ = AGENT.predict(observation[row], deterministic=True)
    np.testing.assert_allclose(together[row], alone, atol=1e-4)
