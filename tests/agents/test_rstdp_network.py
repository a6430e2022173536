"""Networks that a recipe gives the R-STDP agent: hidden layers of any neuron and any rule, other actors and critics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import snnrl
from snnrl.agents.rstdp import RSTDP
from snnrl.agents.rstdp_state import RSTDPState
from snnrl.envs import FeedbackBuilder
from snnrl.errors import ConfigError
from snnrl.neurons import NEURONS
from snnrl.plasticity import RULES
from tests.agents.rstdp_toy import OBSERVATIONS, TOY, changed, every_observation, make, practise, snapshot

LOUD: Mapping[str, float] = {"diehl_cook": 30.0, "izhikevich": 10.0, "mcculloch_pitts": 0.7, "lsnn": 1.0}
"""Mean weights by which models fire that need more than the others."""
HIDDEN = "network.connections.input to hidden_1.weight"
TO_SELF = "network.connections.hidden_1 to hidden_1.weight"


def hidden(neuron: Any = "lif", rule: Any = "three_factor", weight: float = 0.3, **more: Any) -> dict[str, Any]:
    """A hidden layer in the words of a recipe."""
    weights = {"weight_mean": weight, "weight_std": weight / 3, "bounds": [-100.0, 100.0]}
    return {"size": 12, "neuron": neuron, "rule": rule, "connection": {"name": "dense", **weights}, **more}


def cartpole(**network: Any) -> RSTDP:
    agent = snnrl.make_agent("CartPole", network=network, sim_steps=10)
    assert isinstance(agent, RSTDP)
    return agent


def play(agent: RSTDP, steps: int = 6) -> RSTDPState:
    """Act and learn in two CartPoles."""
    envs = gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync")
    observation, info = envs.reset(seed=0)
    build = FeedbackBuilder(TOY.reward, 2)
    feedback, state = build.start(info), agent.begin(2)
    for _ in range(steps):
        action, state = agent.act(observation, feedback, state)
        state, _ = agent.update(state)
        observation, reward, terminated, truncated, info = envs.step(action)
        feedback = build(reward, terminated, truncated, info)
    envs.close()
    return state


@pytest.mark.parametrize("neuron", NEURONS.names())
def test_hidden_layers_of_every_neuron_learn_by_the_three_factor_rule(neuron: str) -> None:
    agent = cartpole(
        hidden=[hidden(neuron, {"name": "three_factor", "postsynaptic_floor": 0.1}, LOUD.get(neuron, 0.3))]
    )
    before = snapshot(agent)
    state = play(agent)
    assert state.decision is not None
    assert state.decision.activity.fired["hidden_1"].any()
    assert HIDDEN in changed(agent, before)


@pytest.mark.parametrize("rule", RULES.names())
def test_hidden_layers_learn_by_every_rule(rule: str) -> None:
    scores = RULES.find(rule, "rule").uses_score
    layer = hidden("escape_noise" if scores else "lif", rule)
    if rule == "weight_dependent_stdp":
        layer["connection"]["bounds"] = [-1.0, 1.0]
    agent = cartpole(hidden=[layer])
    before = snapshot(agent)
    play(agent)
    assert HIDDEN in changed(agent, before)


@every_observation
@pytest.mark.parametrize("recurrent", [None, {"name": "lateral", "weight_mean": -0.1, "bounds": [-1, 0]}])
def test_hidden_layers_read_every_encoder_and_themselves(observation: gymnasium.Space[Any], recurrent: Any) -> None:
    layers = [hidden(recurrent=recurrent), {"size": 5, "rule": "mstdpet"}]
    agent = make(observation, network={"hidden": layers}, postsynaptic_floor=0.1)
    before = snapshot(agent)
    practise(agent)
    learned = changed(agent, before)
    assert learned >= {HIDDEN} | ({TO_SELF} if recurrent else set())


@pytest.mark.parametrize("control", [{"plasticity": False}, {"modulator": "shuffled"}])
def test_controls_hold_for_hidden_layers(control: dict[str, Any]) -> None:
    """Without plasticity nothing changes, adaptation for life included; a shuffler that fills lets nothing through."""
    agent = make(OBSERVATIONS["vector"], network={"hidden": [hidden("diehl_cook", "mstdpet", 30.0)]}, **control)
    before = snapshot(agent)
    practise(agent)
    weights = {name for name in changed(agent, before) if name.endswith("weight") or "neurons" in name}
    assert weights <= ({"network.neurons.hidden_1.theta"} if "modulator" in control else set())


def test_all_that_lasts_of_a_hidden_layer_is_in_the_state_dict() -> None:
    network = {"hidden": [hidden("diehl_cook", "mstdpet", 30.0, recurrent="lateral"), hidden("srm0", "r_max")]}
    old, new = (make(OBSERVATIONS["vector"], seed=seed, network=network) for seed in (0, 9))
    practise(old)
    new.load_state_dict(old.state_dict())
    new.generator.set_state(old.generator.get_state())
    assert all(np.array_equal(one, other) for one, other in zip(practise(old)[0], practise(new)[0], strict=True))
    assert not changed(new, snapshot(old))


@pytest.mark.parametrize(
    "network",
    [
        {"actor": {"neuron": "lif"}, "critic": {"neuron": "if"}},
        {"actor": {"neuron": "srm0", "rule": "r_max"}},
        {"critic": {"neuron": {"name": "lif", "t_refractory": 1.0}, "rule": "td_stdp"}},
        {"actor": {"rule": None}, "critic": {"rule": {"name": "three_factor", "tau_pre": 5.0}}},
    ],
)
def test_actors_and_critics_of_other_neurons_and_rules_act_and_learn(network: dict[str, Any]) -> None:
    agent = make(OBSERVATIONS["vector"], network=network, weight_mean=0.4)
    assert agent.network.fused is None
    before = snapshot(agent)
    practise(agent)
    learned = {name for name in changed(agent, before) if name.endswith("weight")}
    plastic = [edge.key for edge in agent.network.plastic()]
    assert learned == {f"network.connections.{key}.weight" for key in plastic}
    action, state = agent.predict(np.zeros((2, 3)), deterministic=True)
    again, _ = agent.predict(np.zeros((2, 3)), deterministic=True)
    assert np.array_equal(action, again) or hasattr(agent.network.neuron("actor"), "eta_reset")
    assert not state.network.rules


def test_the_default_network_is_fused_and_any_other_is_not() -> None:
    assert make().network.fused is not None
    assert make(network={"hidden": [hidden()]}).network.fused is None


def test_deterministic_predictions_take_the_expected_spikes_of_a_composed_actor_too() -> None:
    agent = make(OBSERVATIONS["vector"], network={"hidden": [hidden()]})
    before = agent.generator.get_state()
    agent.predict(np.zeros((2, 3)), deterministic=True)
    assert torch.equal(agent.generator.get_state(), before)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ({"neuron": "lief"}, "neuron=lief: there is no such neuron; did you mean"),
        ({"sise": 3}, "sise=3: there is no such setting; did you mean size?"),
        ({"size": 0}, "size=0: must be "),
        ({"neuron": {"name": "lif", "tau_mem": -1}}, "neuron.tau_mem=-1: must be"),
        ({"rule": "r_max"}, "rule=r_max: needs the score of stochastic neurons"),
        ({"rule": {"name": "stdp", "dt": 2.0}}, "rule.dt=2.0: cannot be set"),
        (
            {"rule": "weight_dependent_stdp", "connection": {"name": "dense", "bounds": [0, 1e999]}},
            "rule=weight_dep",
        ),
        ({"connection": {"name": "sparse", "density": 2}}, "connection.density=2: must be in (0, 1]"),
        ({"connection": "sparse"}, "connection.density is missing: "),
        ({"connection": "conv2d"}, "connection.kernel_size is missing: conv2d has no default"),
        (
            {"connection": {"name": "conv2d", "kernel_size": 3}},
            "connection=conv2d: must take spikes of the population before, of shape [100]; ",
        ),
        ({"recurrent": "conv2d"}, "recurrent.kernel_size is missing: "),
    ],
)
def test_a_hidden_layer_that_does_not_fit_is_refused_by_its_name(layer: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"agent.network.hidden[1].{said}")):
        make(OBSERVATIONS["vector"], network={"hidden": [{}, layer]})


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"actor": {"neuron": "leaky_integrator"}}, "actor.neuron=leaky_integrator: must be a model that fires"),
        ({"critic": {"neuron": "leaky_integrator"}}, "critic.neuron=leaky_integrator: must be a model that fires"),
        ({"critic": {"connection": "one_to_one"}}, "critic.connection=one_to_one: reaches neurons of shape"),
        ({"actor": {"connection": "conv2d"}}, "actor.connection.kernel_size is missing: "),
        ({"actor": {"per_action": 0}}, "actor.per_action=0: must be "),
        ({"critic": {"size": 0}}, "critic.size=0: must be "),
        ({"actor": {"neuron": {"name": "escape_noise", "width": 0.0}}}, "actor.neuron.width=0.0: must be above 0"),
    ],
)
def test_an_actor_or_critic_that_does_not_fit_is_refused_likewise(network: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"agent.network.{said}")):
        make(OBSERVATIONS["vector"], network=network)


@pytest.mark.parametrize(
    "connection",
    [
        "dense",
        {"name": "sparse", "density": 0.5},
        {"name": "mean_field", "weight_mean": 1.0},
    ],
)
def test_any_connection_that_fits_carries_spikes_to_a_hidden_layer(connection: Any) -> None:
    layer = hidden() | {"connection": connection}
    agent = make(OBSERVATIONS["vector"], network={"hidden": [layer]}, postsynaptic_floor=0.1)
    before = snapshot(agent)
    practise(agent)
    assert HIDDEN in changed(agent, before)


def test_images_are_convolved_between_hidden_layers() -> None:
    convolution = {"name": "conv2d", "kernel_size": 2, "weight_mean": 0.5, "weight_std": 0.1}
    layers = [hidden(rule=None) | {"size": [1, 3, 4]}, hidden() | {"size": [2, 2, 3], "connection": convolution}]
    agent = make(OBSERVATIONS["vector"], network={"hidden": layers}, postsynaptic_floor=0.1)
    before = snapshot(agent)
    practise(agent)
    assert "network.connections.hidden_1 to hidden_2.weight" in changed(agent, before)


@pytest.mark.parametrize("rule", ["three_factor", "truncated_three_factor"])
def test_hidden_layers_learn_at_the_rate_of_the_agent(rule: str) -> None:
    agent = make(OBSERVATIONS["vector"], network={"hidden": [hidden(rule=rule)]}, actor_lr=0.01)
    assert agent.network.rule(agent.network.plastic()[0]).learning_rate == 0.01


def test_a_part_says_otherwise_than_the_agent() -> None:
    layer = hidden({"name": "lif", "tau_mem": 3.0}, {"name": "three_factor", "learning_rate": 0.5})
    agent = make(OBSERVATIONS["vector"], network={"hidden": [layer, hidden()]}, tau=7.0, actor_lr=0.01)
    first, second = (agent.network.neuron(name) for name in ("hidden_1", "hidden_2"))
    assert (first.tau_mem, second.tau_mem) == (3.0, 7.0)
    one, other, _, _ = (agent.network.rule(edge) for edge in agent.network.plastic())
    assert (one.learning_rate, other.learning_rate) == (0.5, 0.01)
