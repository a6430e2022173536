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
from snnrl.plasticity import LARGEST_VALUE

UNBOUNDED = spaces.Box(-np.inf, np.inf, (2,))


def trained(
    reward: float = 1.0, unit: float = 1.0, bound: float = np.inf, steps: int = 40, names: int = 0
) -> list[float]:
    """Actions and weights after some steps, of rewards times ``reward`` and observations times ``unit``."""
    box = spaces.Box(-bound * unit, bound * unit, (2,), np.float64)
    space: spaces.Space[Any] = spaces.Discrete(names) if names else box
    agent = make_agent({"name": "rstdp", "sim_steps": 8}, space, spaces.Discrete(3), EnvConfig("Toy-v0"))
    luck, found = np.random.default_rng(0), []
    state, reset = agent.begin(2), np.ones(2, bool)
    for step in range(steps):
        seen = luck.integers(0, names, 2) if names else unit * (luck.integers(-8, 8, (2, 2)) / 4)
        paid = (reward * luck.integers(-2, 3, 2)).astype(np.float32) * ~reset
        ended = np.full(2, step % 10 == 9)
        action, state = agent.act(seen, Feedback(paid, ended, ~ended & False, reset, None), state)
        state, _ = agent.update(state)
        reset = ended
        found += np.asarray(action, dtype=float).tolist()
    assert isinstance(agent, RSTDP)
    weights = [agent.network.connection(edge).weight for edge in agent.network.plastic()]
    return [*found, *torch.cat([weight.detach().flatten() for weight in weights]).tolist()]


@pytest.mark.parametrize("names", [0, 5], ids=["vectors", "a table"])
@pytest.mark.parametrize("factor", [1024.0, 2.0**-10], ids=["large", "small"])
def test_rewards_of_another_unit_teach_the_same(factor: float, names: int) -> None:
    """By a power of two, which rounds nothing, and so bit for bit."""
    assert trained(reward=factor, names=names) == trained(names=names)


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


def test_values_around_zero_begin_at_zero_whatever_the_returns_are() -> None:
    made = make_agent({"name": "rstdp", "value_centre": "zero"}, UNBOUNDED, spaces.Discrete(2), EnvConfig("Toy-v0"))
    assert isinstance(made, RSTDP)
    assert made.returns is not None
    made.returns(torch.tensor([5.0]), torch.tensor([False]), torch.tensor([False]), made.returns.init_state(1))
    level = torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(made.value(level), torch.tensor([-LARGEST_VALUE, 0.0, LARGEST_VALUE]))


def test_a_graded_critic_tells_values_apart_that_differ_by_less_than_a_spike() -> None:
    def values(graded: bool) -> set[float]:
        network = {"critic": {"graded": graded}}
        made = make_agent({"name": "rstdp", "network": network}, UNBOUNDED, spaces.Discrete(2), EnvConfig("Toy-v0"))
        assert isinstance(made, RSTDP)
        seen = torch.linspace(0.0, 0.01, 6).repeat(2, 1).T.contiguous()
        activity, _ = made.network(seen, made.network.begin(6))
        return {round(value, 6) for value in made.value(activity.level).tolist()}

    assert len(values(graded=False)) < len(values(graded=True)) == 6


@pytest.mark.parametrize(("end", "persists"), [(0.0, False), (1.0, True)])
def test_persistent_exploration_ends_with_the_run_where_the_recipe_says_so(end: float, persists: bool) -> None:
    settings = {"name": "rstdp", "exploration_bonus": 1e3, "exploration_steps": 10**6, "exploration_end_factor": end}
    made = make_agent(settings, UNBOUNDED, spaces.Discrete(4), EnvConfig("Toy-v0"))
    made.anneal(1.0)
    state, chosen = made.begin(8), []
    for step in range(12):
        told = Feedback(np.zeros(8, np.float32), *np.zeros((2, 8), bool), np.full(8, step == 0), None)
        action, state = made.act(np.zeros((8, 2), np.float32), told, state)
        chosen.append(np.asarray(action))
    assert bool((np.stack(chosen) == chosen[0]).all()) is persists


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


def test_first_values_are_at_a_quarter_of_the_range_whatever_is_seen() -> None:
    for dims in (1, 2, 4):
        space = spaces.Box(-1, 1, (dims,))
        agent = make_agent({"name": "rstdp"}, space, spaces.Discrete(2), EnvConfig("Toy-v0"))
        assert isinstance(agent, RSTDP)
        seen, state = torch.linspace(-1, 1, 5).unsqueeze(-1).expand(-1, dims), agent.network.begin(5)
        for _ in range(3):  # membranes fill within the first decision
            activity, state = agent.network(seen, state)
        assert activity.level.tolist() == pytest.approx([0.25] * 5, abs=0.06)
