"""Settings of agents that a program gives, in all the ways in which it can."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest

import snnrl
from snnrl.errors import ConfigError
from snnrl.legacy import upgraded_settings
from snnrl.recipes import compose_run

QUICK: dict[str, Any] = {"env_steps": 16, "num_envs": 2, "eval": {"episodes": 1, "every": 0}, "progress": "none"}
HIDDEN = [{"size": 6, "neuron": {"name": "lif", "tau_mem": 5.0}, "rule": "stdp"}]


@pytest.mark.parametrize(
    "given",
    [
        {"agent.network.hidden": HIDDEN},
        {"agent.network": {"hidden": HIDDEN}},
        {"agent": {"network": {"hidden": HIDDEN}}},
        {"agent": {"network.hidden": HIDDEN}},
    ],
)
def test_a_hidden_layer_is_given_from_python(given: dict[str, Any]) -> None:
    agent: Any = snnrl.train("CartPole", **given, **QUICK).agent
    neurons = agent.network.neuron("hidden_1")
    assert (neurons.size, neurons.tau_mem) == (6, 5.0)


def test_settings_of_one_agent_keep_the_rest_of_its_recipe() -> None:
    agent: Any = snnrl.make_agent("SpaceInvaders", network={"critic": {"size": 7}}, encoder={"rows": [32, 210]})
    network = agent.config.network
    assert (network.critic.size, network.actor.per_action, network.critic.neuron.settings["tonic"]) == (7, 4, 0.3)
    assert agent.config.encoder["luminances"] == [98, 107, 122, 142]


def test_a_neuron_of_another_name_comes_without_the_settings_of_the_one_before() -> None:
    neuron = {"name": "srm0", "tau_mem": 6.0}
    made: Any = snnrl.make_agent("CartPole", network={"actor": {"neuron": neuron}})
    trained: Any = snnrl.train("CartPole", **{"agent.network.actor.neuron": neuron}, **QUICK).agent
    for agent in (made, trained):
        assert agent.config.network.actor.neuron.settings == {"tau_mem": 6.0}


def test_an_agent_that_is_there_takes_no_settings() -> None:
    agent = snnrl.make_agent("CartPole")
    with pytest.raises(ConfigError, match=r"agent\.gamma=0\.5: must be left out, as the agent is there"):
        snnrl.train("CartPole", agent=agent, **{"agent.gamma": 0.5}, **QUICK)


def test_environments_that_are_computed_as_one_are_learned_in() -> None:
    envs = gymnasium.make_vec("CartPole-v1", num_envs=3)
    assert snnrl.train(envs, **{**QUICK, "num_envs": 3}).steps >= 16


def test_settings_of_ones_own_agents_and_learners_keep_their_names() -> None:
    own = {"agent": {"name": "own:Mine", "entropy": 0.7, "actor_neurons": 3}, "seed": 0}
    assert upgraded_settings(own) == own
    learner = {"learner": {"name": "own:Mine", "steps": 5, "tau": 3.0}, "seed": 0}
    assert upgraded_settings(learner) == learner


@pytest.mark.parametrize("game", ["Pong", "SpaceInvaders"])
def test_what_a_recipe_says_of_frames_is_left_out_where_a_game_shows_something_else(game: str) -> None:
    encoder = compose_run([f"env={game}", "env.kwargs.obs_type=ram"])["agent"]["encoder"]
    assert encoder == {"name": None}


def test_a_hidden_layer_through_which_nothing_would_pass_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"agent\.network\.hidden\[0\]\.connection\.weight_std=0: .* must be above 0"):
        snnrl.make_agent("Pong", network={"hidden": [{"size": 20}]})
