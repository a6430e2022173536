"""The units of a task make no difference to the agent: it measures them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents import make_agent
from snnrl.agents.rstdp import RSTDP
from snnrl.agents.rstdp_network import INITIAL_CURRENT, initial_weights
from snnrl.encoders import ENCODERS, ObjectEncoder, Window
from snnrl.envs import EnvConfig, Feedback

UNBOUNDED = spaces.Box(-np.inf, np.inf, (2,))


def trained(reward: float = 1.0, unit: float = 1.0, bound: float = np.inf, steps: int = 40) -> list[float]:
    """Actions and weights after some steps, of rewards times ``reward`` and observations times ``unit``."""
    space = spaces.Box(-bound * unit, bound * unit, (2,), np.float64)
    agent = make_agent({"name": "rstdp", "sim_steps": 8}, space, spaces.Discrete(3), EnvConfig("Toy-v0"))
    luck, found = np.random.default_rng(0), []
    state, reset = agent.begin(2), np.ones(2, bool)
    for step in range(steps):
        seen = unit * (luck.integers(-8, 8, (2, 2)) / 4)
        paid = (reward * luck.integers(-2, 3, 2)).astype(np.float32) * ~reset
        ended = np.full(2, step % 10 == 9)
        action, state = agent.act(seen, Feedback(paid, ended, ~ended & False, reset, None), state)
        state, _ = agent.update(state)
        reset = ended
        found += np.asarray(action, dtype=float).tolist()
    assert isinstance(agent, RSTDP)
    weights = [agent.network.connection(edge).weight for edge in agent.network.plastic()]
    return [*found, *torch.cat([weight.detach().flatten() for weight in weights]).tolist()]


@pytest.mark.parametrize("factor", [1024.0, 2.0**-10], ids=["large", "small"])
def test_rewards_of_another_unit_teach_the_same(factor: float) -> None:
    """By a power of two, which rounds nothing, and so bit for bit."""
    assert trained(reward=factor) == trained()


@pytest.mark.parametrize("bound", [np.inf, 4.0], ids=["unbounded", "bounded"])
def test_observations_of_another_unit_teach_the_same(bound: float) -> None:
    assert trained(unit=128.0, bound=bound) == trained(bound=bound)


def test_a_value_range_of_the_recipe_is_in_the_units_of_reward() -> None:
    def agent(**settings: Any) -> RSTDP:
        made = make_agent({"name": "rstdp", **settings}, UNBOUNDED, spaces.Discrete(2), EnvConfig("Toy-v0"))
        assert isinstance(made, RSTDP)
        return made

    level = torch.tensor([0.0, 0.5, 1.0])
    assert agent(value_range=[-3.0, 5.0]).value(level).tolist() == [-3.0, 1.0, 5.0]
    assert agent().value(level).tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("rate", [1.0, 6.0, 18.0])
def test_all_spikes_together_bring_the_same_current_at_first(rate: float) -> None:
    window = Window(sim_steps=6)
    fitted = ENCODERS.find("population", "x").for_space(spaces.Box(-1, 1, (6,)), window, spikes_per_step=rate)
    mean, std = initial_weights(None, None, fitted.encoder)
    assert mean * rate == pytest.approx(INITIAL_CURRENT)
    assert 0 < std < mean
    assert initial_weights(0.3, 0.0, fitted.encoder) == (0.3, 0.0)


def test_weights_from_synchronous_spikes_begin_at_zero() -> None:
    assert initial_weights(None, None, ObjectEncoder(48, 48)) == (0.0, 0.0)


def test_first_values_are_at_three_quarters_of_the_range_whatever_is_seen() -> None:
    for dims in (1, 2, 4):
        space = spaces.Box(-1, 1, (dims,))
        agent = make_agent({"name": "rstdp"}, space, spaces.Discrete(2), EnvConfig("Toy-v0"))
        assert isinstance(agent, RSTDP)
        seen, state = torch.linspace(-1, 1, 5).unsqueeze(-1).expand(-1, dims), agent.network.begin(5)
        for _ in range(3):  # membranes fill within the first decision
            activity, state = agent.network(seen, state)
        assert activity.level.tolist() == pytest.approx([0.75] * 5, abs=0.06)
