"""Decisions that are looked at: the same as those that are not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import snnrl
import tests.envs.odd_environments
from snnrl.agents import Trainable
from snnrl.agents.base import permitted
from snnrl.errors import ConfigError
from snnrl.recording import Moment, Moments
from snnrl.types import Array, Setting

assert tests.envs.odd_environments.LENGTH  # which registers them
RUNS = Path(__file__).parents[1] / "data" / "runs_0.1"
TRAINED = Path(__file__).parents[2] / "trained"
HIDDEN = {
    "hidden": [
        {"size": 9, "neuron": "lif", "recurrent": {"name": "dense"}, "connection": {"name": "dense", "weight_std": 0.1}}
    ]
}


def made(env: str, agent: str | None = None, **settings: Setting) -> Trainable:
    return snnrl.make_agent(env, agent, **settings)


AGENTS: dict[str, Callable[[], Trainable]] = {
    "vectors": lambda: made("CartPole"),
    "hidden": lambda: made("CartPole", network=HIDDEN),
    "numbers": lambda: made("FrozenLake-v1"),
    "masks": lambda: made("Taxi-v4"),
    "continuous": lambda: made("Pendulum"),
    "sarsa": lambda: made("CartPole", "sarsa_frames"),
    "ppo": lambda: made("CartPole", "ppo"),
    "dqn": lambda: made("CartPole", "dqn"),
    "sac": lambda: made("Pendulum", "sac"),
    "random": lambda: made("CartPole", "random"),
    "an earlier version": lambda: snnrl.load(RUNS / "cartpole"),
}


def played(agent: Trainable, steps: int, deterministic: bool) -> list[Array]:
    """The actions of ``snnrl.evaluate`` in one environment."""
    from snnrl.envs import env_seeds, for_evaluation, make_envs
    from snnrl.envs.types import start

    envs = make_envs(for_evaluation(agent.made_for().env), 1)
    observation, info = start(envs, env_seeds(3, "eval", 2, 1))
    state, begins, resets, actions = None, np.ones(1, bool), np.zeros(1, bool), []
    while len(actions) < steps:
        action, state = agent.predict(observation, state, begins, deterministic, **permitted(agent, info))
        if not resets[0]:
            actions.append(np.array(action[0]))
        observation, _, terminated, truncated, info = envs.step(action)
        begins, resets = resets, (terminated | truncated) & ~resets
    envs.close()
    return actions


def looked_at(agent: Trainable, steps: int, **settings: Setting) -> list[Moment]:
    return list(Moments(agent, agent.made_for().env, steps=steps, seed=3, frames=False, **settings))


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("deterministic", [True, False], ids=["best", "drawn"])
def test_the_decisions_of_an_evaluation_are_what_is_seen(name: str, deterministic: bool) -> None:
    torch.manual_seed(0)
    agent = AGENTS[name]()
    draws, weights = torch.get_rng_state(), [weight.clone() for weight in agent.parameters()]
    own = None if not hasattr(agent, "generator") else agent.generator.get_state()
    seen = looked_at(agent, 20, deterministic=deterministic, potentials=True)
    assert torch.equal(draws, torch.get_rng_state())
    assert own is None or torch.equal(own, agent.generator.get_state())
    assert all(torch.equal(old, new) for old, new in zip(weights, agent.parameters(), strict=True))
    expected = played(agent, 20, deterministic)
    assert np.array_equal([np.asarray(moment.action) for moment in seen], expected)


@pytest.mark.parametrize("name", AGENTS)
def test_every_population_is_there_in_every_step(name: str) -> None:
    agent = AGENTS[name]()
    play = Moments(agent, agent.made_for().env, steps=2, potentials=True, frames=False, deterministic=False)
    about, (first, _) = play.about, list(play)
    shapes = {key: (about.sim_steps, int(np.prod(shape))) for key, shape in about.populations.items()}
    assert {key: fired.shape for key, fired in first.spikes.items()} == shapes
    assert all(fired.dtype == np.bool_ for fired in first.spikes.values())
    shapes.pop("input", None)
    assert {key: values.shape for key, values in first.potentials.items()} == shapes
    if first.preferences is not None:
        assert first.preferences.shape == (len(about.choices),)


def test_the_value_and_its_error_are_of_the_same_decision() -> None:
    agent = made("CartPole")
    seen = looked_at(agent, 40, deterministic=False)
    gamma = agent.suited.gamma
    for now, then in pairwise(seen):
        following = 0.0 if now.terminated else then.value
        failure = agent.made_for().env.reward.failure
        learned = now.reward if failure is None or not now.terminated else failure
        assert now.td_error == pytest.approx(learned + gamma * following - now.value, abs=1e-6)
    assert any(moment.terminated for moment in seen)


@pytest.mark.parametrize("name", ["vectors", "hidden", "sarsa", "continuous", "ppo"])
def test_asking_for_potentials_changes_nothing_else(name: str) -> None:
    torch.manual_seed(0)
    agent = AGENTS[name]()
    one, other = (looked_at(agent, 20, potentials=each, deterministic=False) for each in (True, False))
    for first, second in zip(one, other, strict=True):
        assert all(np.array_equal(first.spikes[key], second.spikes[key]) for key in second.spikes)
        assert first.value == second.value


def test_potentials_are_those_of_the_window_that_decided() -> None:
    agent = made("CartPole")
    actor = agent.network.neuron("actor")
    for moment in looked_at(agent, 10, deterministic=True, potentials=True):
        likely = actor.firing_probability(torch.as_tensor(moment.potentials["actor"])).sum(0).view(2, -1).mean(1)
        assert np.allclose(likely, moment.preferences, atol=1e-5)


def test_an_agent_that_learns_while_it_is_seen_learns_what_it_would_alone() -> None:
    from snnrl.envs import env_seeds, make_envs
    from snnrl.training.rollout import Rollout

    alone, seen = made("CartPole"), made("CartPole")
    envs = make_envs(alone.made_for().env, 1)
    rollout = Rollout(alone, envs, alone.made_for().env, env_seeds(3, "train", 0, 1))
    decisions = 0
    while decisions < 51:  # the last decision is closed by the one after it
        decisions += rollout.step().decisions
    envs.close()
    found = looked_at(seen, 50, learn=True, potentials=True)
    assert seen.epoch == 1
    assert seen.num_timesteps == 51
    assert all(moment.td_error is not None for moment in found)
    assert all(torch.equal(old, new) for old, new in zip(alone.parameters(), seen.parameters(), strict=True))
    assert not all(
        torch.equal(old, new) for old, new in zip(made("CartPole").parameters(), seen.parameters(), strict=True)
    )


def test_a_training_goes_on_between_two_decisions_as_if_nobody_looked() -> None:
    alone, seen = made("CartPole"), made("CartPole")
    alone.learn(100)
    alone.learn(100, reset_num_timesteps=False)
    play = Moments(seen, seen.made_for().env, deterministic=False, potentials=True)
    next(play)
    seen.learn(100)
    next(play)
    seen.learn(100, reset_num_timesteps=False)
    play.close()
    assert all(torch.equal(old, new) for old, new in zip(alone.parameters(), seen.parameters(), strict=True))


def test_a_game_is_seen_in_its_own_words() -> None:
    agent = snnrl.load(TRAINED / "SpaceInvaders")
    play = Moments(agent, agent.made_for().env, steps=2)
    assert play.about.choices == ["NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"]
    assert play.about.frames_per_second == 15
    for moment in play:
        assert moment.frame is not None
        assert moment.frame.shape == (210, 160, 3)
        assert moment.spikes["input"][0].any()
        assert not moment.spikes["input"][1:].any()


def test_best_actions_show_spikes_as_likely_as_they_were() -> None:
    seen = looked_at(made("CartPole"), 60, deterministic=True)
    counts = np.mean([moment.spikes["actor"].sum(0).reshape(2, -1).mean(1) for moment in seen])
    assert counts == pytest.approx(np.mean([moment.preferences for moment in seen]), rel=0.1)


def test_an_environment_that_cannot_be_drawn_is_seen_without_pictures() -> None:
    agent = made("odd/SeesCards-v0")
    (moment,) = Moments(agent, agent.made_for().env, steps=1)
    assert moment.frame is None
    assert moment.observation in agent.observation_space


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"episodes": 0}, "episodes=0"),
        ({"steps": 0}, "steps=0"),
        ({"seed": -1}, "seed=-1"),
        ({"learn": True, "deterministic": True}, "deterministic=true"),
    ],
)
def test_what_cannot_be_played_is_refused(settings: dict[str, Setting], word: str) -> None:
    agent = made("CartPole")
    with pytest.raises(ConfigError, match=f"^{word}: must be"):
        Moments(agent, agent.made_for().env, **settings)


def test_an_algorithm_that_learns_from_rollouts_cannot_learn_decision_by_decision() -> None:
    agent = made("CartPole", "ppo")
    with pytest.raises(ConfigError, match=r"^learn=true: must be false for ppo"):
        Moments(agent, agent.made_for().env, learn=True)
