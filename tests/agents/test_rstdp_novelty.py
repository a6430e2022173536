"""Where each observation has a neuron of its own, the agent looks for what is new."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents import make_agent
from snnrl.agents.rstdp import RSTDP
from snnrl.agents.rstdp_config import CONTINUOUS, TABLES, VECTORS, Suited
from snnrl.agents.rstdp_state import RSTDPState
from snnrl.envs import EnvConfig, Feedback
from snnrl.errors import ConfigError

NAMES, CHOICES = spaces.Discrete(6, start=2), spaces.Discrete(4)
VECTOR = spaces.Box(-1.0, 1.0, (2,))


def agent(observations: spaces.Space[Any] = NAMES, *, actions: spaces.Space[Any] = CHOICES, **settings: Any) -> RSTDP:
    made = make_agent({"name": "rstdp", "sim_steps": 6, **settings}, observations, actions, EnvConfig("Toy-v0"))
    assert isinstance(made, RSTDP)
    return made


def feedback(batch: int, *, reward: float = 0.0, ended: bool = False, reset: bool = False) -> Feedback:
    flags = [np.full(batch, flag) for flag in (ended, False, reset)]
    return Feedback(np.full(batch, reward, np.float32), *flags, None)


def visited(made: RSTDP, seen: list[int], **outcome: Any) -> tuple[list[int], RSTDPState]:
    """Choices where a row has seen each of these in turn."""
    state, chosen = made.begin(1), []
    for number, each in enumerate(seen):
        action, state = made.act(np.array([each]), feedback(1, reset=number == 0, **outcome), state)
        chosen.append(int(np.asarray(action)[0]))
    return chosen, state


@pytest.mark.parametrize(
    ("observations", "settings"),
    [
        (VECTOR, {}),
        (NAMES, {"habituation": None}),
        (NAMES, {"network": {"hidden": [{"size": 5, "rule": "three_factor"}]}}),
    ],
    ids=["vectors", "null", "hidden layer"],
)
def test_elsewhere_nothing_is_new(observations: spaces.Space[Any], settings: dict[str, Any]) -> None:
    made = agent(observations, **settings)
    assert made.novelty is None
    assert made.suited == VECTORS


@pytest.mark.parametrize(
    ("actions", "usual"),
    [
        (spaces.Discrete(2), VECTORS),
        (spaces.MultiDiscrete([2, 3]), VECTORS),
        (spaces.Box(-1.0, 1.0, (2,)), CONTINUOUS),
        (spaces.Tuple((spaces.Discrete(2), spaces.Box(-1.0, 1.0, (1,)))), CONTINUOUS),
    ],
    ids=lambda value: str(value)[:20],
)
def test_exploration_depends_on_whether_an_action_is_continuous(actions: spaces.Space[Any], usual: Suited) -> None:
    assert agent(VECTOR, actions=actions).suited == usual
    assert agent(VECTOR, actions=actions, exploration_steps=3, td_limit=2.0).suited == usual._replace(
        exploration_steps=3, td_limit=2.0
    )


def test_settings_that_are_given_count_before_the_usual_ones() -> None:
    assert agent().suited == TABLES
    given = {"gamma": 0.9, "trace_lambda": 0.5, "entropy_coef": 0.0, "exploration_bonus": 1.0}
    assert agent(**given).suited == TABLES._replace(**given)
    assert agent(VECTOR, gamma=0.9, trace_lambda=0.5).suited == VECTORS._replace(gamma=0.9, trace_lambda=0.5)


@pytest.mark.parametrize(
    ("observations", "own", "tonic"), [(VECTOR, {}, 0.0), (NAMES, {}, 0.5), (VECTOR, {"tonic": 0.25}, 0.25)]
)
def test_what_a_critic_fires_without_input_depends_on_what_is_observed(
    observations: spaces.Space[Any], own: dict[str, float], tonic: float
) -> None:
    neuron = {"name": "saturating_if", "gain": 0.2, **own}
    assert agent(observations, network={"critic": {"neuron": neuron}}).network.neuron("critic").tonic == tonic


def test_each_action_is_tried_before_any_is_tried_again() -> None:
    made = agent(habituation={"untried_bonus": 1000.0})
    chosen, _ = visited(made, [3, 3, 5, 3, 5, 5, 3, 5])
    assert sorted(chosen[i] for i in (0, 1, 3, 6)) == sorted(chosen[i] for i in (2, 4, 5, 7)) == [0, 1, 2, 3]


def test_credit_is_given_relative_to_the_policy_without_the_preference_for_what_is_untried() -> None:
    _, state = visited(agent(habituation={"untried_bonus": 1000.0}), [3])
    assert state.decision is not None
    policy = (state.decision.credit[0] < 0) * -state.decision.credit[0]
    assert int((policy > 0.05).sum()) == 3, "the three that were not chosen are likely"


def test_a_choice_that_is_not_carried_out_was_not_tried() -> None:
    made = agent()
    visited(made, [3, 4], ended=True)
    assert made.novelty is not None
    assert made.novelty.habituation.uses.sum() == 0
    assert made.novelty.habituation.visits.tolist() == [0, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(("value_range", "unit"), [(None, 1.0), ([-3.0, 1.0], 3.0)], ids=["measured", "given"])
def test_what_is_new_is_worth_a_share_of_the_largest_return(value_range: list[float] | None, unit: float) -> None:
    errors = []
    for worth in (0.0, 0.1):
        made = agent(value_range=value_range, habituation={"novelty_reward": worth, "untried_bonus": 0.0})
        _, state = visited(made, [3, 4])
        errors.append(state.window[0].td_error.item())
    assert errors[1] - errors[0] == pytest.approx(0.1 * unit, rel=1e-4)


def test_rates_are_higher_at_first_and_fall_with_visits() -> None:
    def change(**settings: Any) -> torch.Tensor:
        made = agent(habituation={"actor_boost": 1.0, "critic_boost": 1.0, **settings}, weight_std=0.0)
        before = made.network.connection(made.network.readouts[1]).weight.clone()
        _, state = visited(made, [3, 4])
        made.update(state)
        return made.network.connection(made.network.readouts[1]).weight - before

    plain, boosted = change(), change(critic_boost=3.0)
    assert plain.abs().max() > 0
    assert torch.allclose(boosted, 3 * plain, rtol=1e-3)


def test_action_values_explore_by_epsilon_alone() -> None:
    with pytest.raises(ConfigError, match=r"agent\.habituation=.*must be null"):
        make_agent({"name": "sarsa", "habituation": {}}, NAMES, CHOICES, EnvConfig("Toy-v0"))
