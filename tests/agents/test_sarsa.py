"""The agent of action values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents.rstdp import RSTDPState
from snnrl.agents.sarsa import Sarsa, SarsaConfig
from snnrl.errors import ConfigError
from snnrl.settings import read
from tests.agents.rstdp_toy import (
    ACTIONS,
    OBSERVATIONS,
    TOY,
    Cue,
    begins,
    changed,
    every_action,
    every_observation,
    practise,
    practise_cues,
    seen,
    snapshot,
    step,
    to,
    told,
)

NETWORK: dict[str, Any] = {
    "actor": {"per_action": 4, "neuron": {"name": "saturating_if", "gain": 0.2, "tonic": 0.5}},
    "critic": {"size": 8, "neuron": {"name": "saturating_if", "gain": 0.2, "tonic": 0.5}},
}
USUAL: dict[str, Any] = {
    "sim_steps": 8,
    "tau": 5.0,
    "network": NETWORK,
    "temperature": 0.01,
    "postsynaptic_floor": 1.0,
    "weight_mean": 0.0,
    "weight_std": 0.0,
    "update_every": 1,
    "lr_per_input": False,
    "actor_lr": 2e-4,
    "critic_lr": 2e-4,
}


def make(
    observation: spaces.Space[Any] = OBSERVATIONS["vector"],
    action: spaces.Space[Any] = ACTIONS["choice"],
    seed: int = 0,
    **config: Any,
) -> Sarsa:
    agent = Sarsa(observation, action, read(SarsaConfig, {**USUAL, **config}, "agent"), TOY, seed)
    if not agent.network.encoder.calibrated:
        frames = seen(observation, 6, 100)[:, None]
        agent.network.encoder.calibrate(frames, np.zeros((5, 1), dtype=np.int64), np.ones((5, 1), dtype=np.bool_))
    return agent


def after(agent: Sarsa, *steps: tuple[Any, Any]) -> tuple[RSTDPState, list[Any], dict[str, float]]:
    """Observations and feedbacks one after the other: the last state, the actions, and the last metrics."""
    state, actions, metrics = agent.begin(len(steps[0][0])), [], {}
    for observation, feedback in steps:
        action, state, metrics = step(agent, observation, feedback, state)
        actions.append(action)
    return state, actions, metrics


@pytest.mark.parametrize("rule", ["three_factor", "truncated_three_factor"])
@pytest.mark.parametrize("kind", ["discrete", "vector"])
def test_the_matching_action_is_learnt(kind: str, rule: str) -> None:
    env = Cue(kind)
    network = {name: {**part, "rule": rule} for name, part in NETWORK.items()}
    agent = make(env.observation_space, env.action_space, network=network, gamma=0.5, epsilon=0.1, exploration_steps=1)
    assert practise_cues(agent, kind, 0) > 0.85


def test_without_plasticity_the_score_stays_at_chance() -> None:
    env = Cue("discrete")
    agent = make(env.observation_space, env.action_space, gamma=0.5, plasticity=False)
    assert 0.35 < practise_cues(agent, "discrete", 0) < 0.65


@every_action
@every_observation
def test_equal_seeds_give_equal_actions_and_weights(observation: spaces.Space[Any], action: spaces.Space[Any]) -> None:
    one, two = make(observation, action, 3), make(observation, action, 3)
    assert np.array_equal(*(np.stack(practise(agent)[0]) for agent in (one, two)))
    assert not changed(one, snapshot(two))


@every_observation
def test_state_dict_and_generator_are_all_that_lasts_beyond_an_episode(observation: spaces.Space[Any]) -> None:
    old, new = make(observation), make(observation, seed=9)
    practise(old)
    new.load_state_dict(old.state_dict())
    new.generator.set_state(old.generator.get_state())
    assert np.array_equal(*(np.stack(practise(agent)[0]) for agent in (old, new)))
    assert not changed(new, snapshot(old))


def test_the_error_is_reward_and_discounted_next_action_value_less_that_of_the_action() -> None:
    agent = make(value_range=(-1.0, 1.0), gamma=0.5, epsilon=0.0, plasticity=False)
    torch.nn.init.normal_(to(agent, "actor").weight, generator=torch.Generator().manual_seed(1))
    observations = seen(agent.observation_space, 4, 1)
    state, _, _ = after(agent, (observations[:2], begins(2)))
    assert state.decision is not None
    value = state.decision.value
    _, state, metrics = step(agent, observations[2:], told([0.3, -0.2]), state)
    assert state.decision is not None
    error = torch.tensor([0.3, -0.2]) + 0.5 * state.decision.value - value
    assert metrics["train/td_error_rms"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-5)
    assert not torch.equal(*value)


def test_only_the_population_of_the_action_learns() -> None:
    agent = make(value_range=(-1.0, 1.0), epsilon=0.0)
    observation = seen(agent.observation_space, 1, 1)
    _, actions, _ = after(agent, (observation, begins(1)), (observation, told([1.0])))
    moved = to(agent, "actor").weight.detach().view(3, 4, -1).abs().sum((1, 2)) > 0
    assert moved.nonzero().flatten().tolist() == [int(actions[0][0]) - 2]
    assert bool((to(agent, "critic").weight > 0).any())


def test_values_resolve_less_than_a_spike() -> None:
    agent = make(value_range=(-1.0, 1.0), plasticity=False)
    observation = seen(agent.observation_space, 1, 1)
    levels = []
    for weight in (0.0, 1e-4):
        torch.nn.init.constant_(to(agent, "critic").weight, weight)
        state, _, _ = after(agent, (observation, begins(1)))
        assert state.decision is not None
        levels.append(float(state.decision.activity.level))
    assert levels[0] == pytest.approx(0.5)
    assert 0 < levels[1] - levels[0] < 1 / (8 * 8 * 0.5)


def test_epsilon_is_the_share_of_decisions_that_are_drawn_and_kept_for_a_while() -> None:
    lengths = {"exploration_steps": 10, "longest_exploration": None}
    agent = make(value_range=(-1.0, 1.0), epsilon=0.4, plasticity=False, temperature=1e-4, **lengths)
    torch.nn.init.constant_(to(agent, "actor").weight[:4], 1.0)
    observation = seen(agent.observation_space, 1, 1).repeat(200, 0)
    state, feedback, drawn = agent.begin(200), begins(200), []
    for _ in range(40):
        action, state, _ = step(agent, observation, feedback, state)
        feedback = told([0.0] * 200)
        drawn.append(action != 2)
    others = np.stack(drawn)
    assert others.mean() == pytest.approx(0.4 * 2 / 3, abs=0.04)
    again = others[1:][others[:-1]].mean()
    assert again == pytest.approx(0.9 + 0.1 * 0.4 * 2 / 3, abs=0.04)


def test_exploration_lasts_longer_from_one_environment_to_the_next() -> None:
    lengths = {"exploration_steps": 2, "longest_exploration": 200}
    agent = make(value_range=(-1.0, 1.0), epsilon=1.0, plasticity=False, **lengths)
    observation = seen(agent.observation_space, 1, 1).repeat(60, 0)
    state, feedback, actions = agent.begin(60), begins(60), []
    for _ in range(100):
        action, state, _ = step(agent, observation, feedback, state)
        feedback = told([0.0] * 60)
        actions.append(action)
    changes = (np.diff(np.stack(actions), axis=0) != 0).mean(0) * 3 / 2
    assert changes[:10].mean() == pytest.approx(0.38, abs=0.08)
    assert changes[25:35].mean() == pytest.approx(0.05, abs=0.03)
    assert changes[-10:].mean() < 0.02


def test_the_best_action_is_that_of_the_highest_value() -> None:
    agent = make(value_range=(-1.0, 1.0), epsilon=1.0)
    torch.nn.init.constant_(to(agent, "actor").weight[4:8], 0.5)
    best, _ = agent.predict(seen(agent.observation_space, 20, 1), deterministic=True)
    assert set(best) == {3}


@pytest.mark.parametrize("end", ["actor", "critic"])
def test_neurons_that_keep_no_rest_are_refused_by_their_setting(end: str) -> None:
    network = {**NETWORK, end: {**NETWORK[end], "neuron": "lif"}}
    with pytest.raises(ConfigError, match=f"agent.network.{end}.neuron=LIF: must be saturating_if"):
        make(network=network)
