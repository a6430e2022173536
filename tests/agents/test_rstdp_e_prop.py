"""Agents whose hidden layers learn by e-prop, and networks that remember."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from snnrl.errors import ConfigError
from snnrl.plasticity import ThirdFactor
from tests.agents.rstdp_toy import OBSERVATIONS, begins, changed, make, practise, seen, snapshot
from tests.agents.rstdp_toy import told as told_of

HIDDEN = "network.connections.input to hidden_1.weight"
TO_SELF = "network.connections.hidden_1 to hidden_1.weight"
FEEDBACK = "network.feedback.hidden_1.weight"


def layer(
    neuron: Any = "lsnn", size: int = 12, recurrent: Any = None, weight: float = 0.06, **rule: Any
) -> dict[str, Any]:
    weights = {"weight_mean": weight, "weight_std": 0.6 * weight}
    rule = {"name": "e_prop", **rule}
    return {
        "size": size,
        "neuron": neuron,
        "rule": rule,
        "connection": {"name": "dense", **weights},
        "recurrent": recurrent,
    }


@pytest.mark.parametrize("feedback", ["random", "symmetric", "adaptive"])
@pytest.mark.parametrize("neuron", ["lif", "adaptive_lif", "lsnn"])
def test_recurrent_hidden_layers_learn_by_e_prop_with_every_feedback(feedback: str, neuron: str) -> None:
    agent = make(OBSERVATIONS["vector"], network={"hidden": [layer(neuron, recurrent="lateral", feedback=feedback)]})
    before = snapshot(agent)
    practise(agent)
    learned = changed(agent, before)
    assert learned >= {HIDDEN, TO_SELF}
    assert (FEEDBACK in learned) == (feedback != "random")


def test_two_hidden_layers_learn_and_what_lasts_of_them_is_saved() -> None:
    network = {"hidden": [layer(), layer("lif", 8, feedback="symmetric")]}
    old, new = (make(OBSERVATIONS["vector"], seed=seed, network=network) for seed in (0, 9))
    before = snapshot(old)
    practise(old)
    assert changed(old, before) >= {HIDDEN, "network.connections.hidden_1 to hidden_2.weight"}
    new.load_state_dict(old.state_dict())
    new.generator.set_state(old.generator.get_state())
    assert all((one == other).all() for one, other in zip(practise(old)[0], practise(new)[0], strict=True))
    assert not changed(new, snapshot(old))


def test_the_learning_signal_of_a_neuron_is_the_actions_errors_times_its_feedback() -> None:
    """With symmetric feedback the readouts' weights, averaged over each population."""
    agent = make(OBSERVATIONS["vector"], network={"hidden": [layer(feedback="symmetric", value_feedback=2.0)]})
    network = agent.network
    credit = torch.randn(1, 4, 3)
    signal = network.learning_signals(credit)["hidden_1"]
    actor, critic = (network.connection(edge).weight for edge in network.readouts)
    each = actor.unflatten(0, (3, -1)).mean(1)
    torch.testing.assert_close(signal, credit @ each + 2 * critic.mean(0))


def test_a_layer_with_a_critic_of_its_own_learns_from_that_critics_error() -> None:
    own = {"size": 6, "connection": {"name": "dense", "weight_mean": 0.9, "weight_std": 0.1}}
    hidden = [{**layer(recurrent="dense"), "critic": own}, layer("lif", 8)]
    agent = make(OBSERVATIONS["vector"], network={"hidden": hidden})
    told: dict[str, ThirdFactor] = {}
    apart: list[bool] = []
    for edge in agent.network.plastic():
        rule = agent.network.rule(edge)
        rule.register_forward_pre_hook(lambda _, given, post=edge.post: told.__setitem__(post, given[4]))
    before = snapshot(agent)
    feedback, state = begins(2), agent.begin(2)
    for number in range(8):
        last = state.decision
        _, state = agent.act(seen(agent.observation_space, 2, number), feedback, state)
        assert state.decision is not None
        now = state.decision
        state, _ = agent.update(state)
        feedback = told_of([1.0, -0.5])
        if last is None:
            continue
        error = torch.tensor([1.0, -0.5]) + agent.suited.gamma * now.own_values["hidden_1"]
        error = error - last.own_values["hidden_1"]
        for name in ("hidden_1", "hidden_1_critic"):
            torch.testing.assert_close(told[name].modulator, error.unsqueeze(0))
        one, other = (told[name].modulator for name in ("hidden_1", "hidden_2"))
        assert one is not None
        assert other is not None
        apart.append(not torch.equal(one, other))
    assert any(apart)
    assert changed(agent, before) >= {HIDDEN, TO_SELF, "network.connections.hidden_1 to hidden_1_critic.weight"}
    critic = agent.network.connections["hidden_1 to hidden_1_critic"].weight
    agent.network.learning_signals(torch.zeros(1, 2, 3))
    feedback_weights = agent.state_dict()[FEEDBACK]
    torch.testing.assert_close(feedback_weights[:, -1], critic.mean(0))


def test_rates_per_input_are_in_units_of_what_reaches_each_connection() -> None:
    agent = make(
        OBSERVATIONS["vector"], lr_per_input=True, network={"hidden": [layer(recurrent="dense")]}, value_range=(-1, 1)
    )
    practise(agent)
    assert set(agent.input_scales) == {"hidden_1", "input to hidden_1", "hidden_1 to hidden_1"}
    assert all(scale.mean_square > 0 for scale in agent.input_scales.values())  # type: ignore[operator]


def test_hidden_layers_that_do_not_learn_are_a_control() -> None:
    agent = make(OBSERVATIONS["vector"], hidden_plasticity=False, network={"hidden": [layer(recurrent="lateral")]})
    before = snapshot(agent)
    practise(agent)
    learned = {name for name in changed(agent, before) if name.endswith("weight")}
    assert learned == {"network.connections.hidden_1 to actor.weight", "network.connections.hidden_1 to critic.weight"}


def test_without_plasticity_and_while_a_shuffler_fills_nothing_changes() -> None:
    for control in ({"plasticity": False}, {"modulator": "shuffled"}):
        agent = make(OBSERVATIONS["vector"], network={"hidden": [layer(recurrent="lateral")]}, **control)
        before = snapshot(agent)
        practise(agent)
        assert not {name for name in changed(agent, before) if name.endswith("weight")}


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("hidden", [False, True])
def test_a_persistent_network_remembers_what_was_seen_before(persistent: bool, hidden: bool) -> None:
    """Two rows see different things and then the same; with synchronous spikes each window else begins anew."""
    network = {"persistent": persistent, "hidden": [layer(weight=0.3)] if hidden else []}
    agent = make(OBSERVATIONS["frames"], network=network, weight_mean=0.05)
    agent.eval()
    first, then = (torch.as_tensor(seen(OBSERVATIONS["frames"], 2, seed)) for seed in (1, 2))
    _, state = agent.network(first, agent.network.begin(2), expected=True)
    same, _ = agent.network(then[:1].repeat(2, 1, 1, 1), state._replace(encoder=agent.network.begin(2).encoder))
    assert torch.equal(same.fired["critic"][:, 0], same.fired["critic"][:, 1]) != persistent


@pytest.mark.parametrize("hidden", [False, True])
def test_a_persistent_network_learns_from_synchronous_spikes(hidden: bool) -> None:
    network = {"persistent": True, "hidden": [layer(recurrent="dense", weight=0.3)] if hidden else []}
    agent = make(OBSERVATIONS["frames"], network=network)
    before = snapshot(agent)
    practise(agent)
    assert {name for name in changed(agent, before) if name.endswith("actor.weight")}


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (
            {"hidden": [layer("izhikevich")]},
            "agent.network.hidden[0].rule=e_prop: needs leaky membranes with a threshold",
        ),
        (
            {"hidden": [layer(feedback="symmetric"), layer()]},
            "agent.network.hidden[0].rule.feedback=symmetric: must be random, the readouts read the last layer alone",
        ),
        (
            {"hidden": [layer(feedback="adaptive")], "critic": {"connection": "mean_field", "rule": None}},
            "agent.network.hidden[0].rule.feedback=adaptive: must be random where agent.network.critic.connection",
        ),
        (
            {"hidden": [{**layer(), "critic": {"connection": "mean_field"}}]},
            "agent.network.hidden[0].critic.connection=mean_field: must be dense where the layer learns by e_prop",
        ),
        (
            {"hidden": [layer(feedback="none")]},
            "agent.network.hidden[0].rule.feedback=none: must be one of random, symmetric, adaptive",
        ),
        (
            {"hidden": [layer({"name": "lif", "tau_mem": [5.0] * 12})]},
            "agent.network.hidden[0].neuron.tau_mem=[12]: must be one number, the same for all neurons",
        ),
    ],
)
def test_what_cannot_learn_by_e_prop_is_named(network: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match="^" + re.escape(words)):
        make(OBSERVATIONS["vector"], network=network)


def test_observations_of_every_kind_reach_a_layer_that_learns_by_e_prop() -> None:
    for observation in (OBSERVATIONS["discrete"], OBSERVATIONS["frames"]):
        agent = make(observation, network={"hidden": [layer(recurrent="dense", weight=0.3)]})
        before = snapshot(agent)
        practise(agent)
        assert HIDDEN in changed(agent, before)
