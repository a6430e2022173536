"""Every setting of the agent of local learning has an effect."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from snnrl.agents import make_agent
from snnrl.agents.rstdp_config import RSTDPConfig
from snnrl.envs import EnvConfig, Feedback
from snnrl.errors import ConfigError

VECTOR = spaces.Box(-1.0, 1.0, (2,))
CHOICE = spaces.Discrete(2)
START: dict[str, Any] = {
    "name": "rstdp",
    "sim_steps": 8,
    "exploration_bonus": 0.5,
    "exploration_steps": 2,
    "normalise_td": False,
}

OTHER: dict[str, Any] = {
    "sim_steps": 9,
    "dt": 2.0,
    "tau": 3.0,
    "encoder": {"spikes_per_step": 0.5},
    "network": {"critic": {"size": 21}},
    "value_range": [-3.0, 3.0],
    "value_centre": "zero",
    "reward_limit": 0.5,
    "temperature": 2.0,
    "gamma": 0.5,
    "trace_lambda": 0.2,
    "actor_lr": 0.1,
    "critic_lr": 0.1,
    "lr_end_factor": 0.9,
    "lr_per_input": False,
    "normalise_td": True,
    "entropy_coef": 0.5,
    "exploration_bonus": 3.0,
    "exploration_steps": 1,
    "exploration_end_factor": 0.0,
    "postsynaptic_floor": 0.5,
    "weight_mean": 0.3,
    "weight_std": 0.1,
    "weight_bound": 0.16,
    "update_every": 3,
    "plasticity": False,
    "modulator": "shuffled",
}
"""Another value of each setting than that of :data:`START`."""

ELSEWHERE = {
    "action_bins": "a Box of actions alone has bins",
    "habituation": "a neuron for each observation alone has something that is new, test_rstdp_novelty.py",
    "hidden_plasticity": "networks with hidden layers alone have something that it keeps from learning",
    "td_limit": "errors that are divided by their usual size alone have a limit",
    "warmup_steps": "an encoder that has to see random play first, as that of pictures, alone has a warm-up",
}
"""Settings that count only for other spaces or networks, and why."""


def trained(
    settings: dict[str, Any], observations: spaces.Space[Any] = VECTOR, actions: spaces.Space[Any] = CHOICE
) -> dict[str, list[float]]:
    """What an agent's weights and actions are after some steps of learning."""
    agent = make_agent({**START, **settings}, observations, actions, EnvConfig("Toy-v0"))
    luck = np.random.default_rng(0)
    state, done = agent.begin(2), np.zeros(2, bool)
    chosen = []
    agent.anneal(0.5)
    for number in range(12):
        seen = luck.uniform(-1, 1, (2, 2)).astype(np.float32)
        if observations is not VECTOR:
            seen = luck.integers(0, 255, (2, 1, 48, 48)).astype(np.uint8)
        reset = np.full(2, number == 0)
        feedback = Feedback(luck.normal(size=2).astype(np.float32), done, done, reset, None)
        action, state = agent.act(seen, feedback, state)
        chosen.append(np.asarray(action, dtype=float).ravel())
        state, _ = agent.update(state)
    weights = {name: value.flatten().tolist() for name, value in agent.state_dict().items()}
    return {**weights, "actions": np.concatenate(chosen).tolist(), "waits": [float(agent.can_checkpoint)]}


@pytest.fixture(scope="module")
def usual() -> dict[str, list[float]]:
    return trained({})


def test_no_setting_is_left_out() -> None:
    assert {*OTHER, *ELSEWHERE} == {each.name for each in fields(RSTDPConfig)}


def test_the_same_settings_come_to_the_same(usual: dict[str, list[float]]) -> None:
    assert trained({}) == usual


@pytest.mark.parametrize("name", OTHER)
def test_another_value_of_a_setting_comes_to_something_else(name: str, usual: dict[str, list[float]]) -> None:
    assert trained({name: OTHER[name]}) != usual


def test_bins_count_where_actions_are_continuous_and_a_warm_up_where_pictures_are_seen() -> None:
    torque = spaces.Box(-1.0, 1.0, (1,))
    assert trained({"action_bins": 9}, actions=torque) != trained({"action_bins": 5}, actions=torque)
    pictures = spaces.Box(0, 255, (1, 48, 48), np.uint8)
    waits = [trained({"warmup_steps": steps}, pictures)["waits"] for steps in (8, 100)]
    assert waits == [[1.0], [0.0]]


def test_a_limit_to_errors_counts_where_they_are_normalised() -> None:
    limits = [trained({"normalise_td": True, "td_limit": limit}) for limit in (math.inf, 0.1)]
    assert limits[0] != limits[1]
    with pytest.raises(ConfigError, match="td_limit"):
        trained({"td_limit": 0.1})


def test_whether_hidden_layers_learn_counts_where_there_are_some() -> None:
    connection = {"name": "dense", "weight_mean": 0.5, "weight_std": 0.1}
    hidden = {"network": {"hidden": [{"size": 5, "rule": "three_factor", "connection": connection}]}}
    learned, kept, first = (
        trained({**hidden, "hidden_plasticity": learns, "plasticity": plastic})
        for learns, plastic in ((True, True), (False, True), (True, False))
    )
    weight = "network.connections.input to hidden_1.weight"
    assert learned[weight] != first[weight] == kept[weight]
