from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense, Lateral
from snnrl.networks import Network
from snnrl.neurons import LIF, SRM0, DiehlCook, EscapeNoise
from snnrl.plasticity import MSTDP, MSTDPET, STDP, Rmax, ThirdFactor, TruncatedThreeFactor
from tests.networks.nets import (
    NETWORKS,
    RULE,
    assert_state_close,
    at,
    every_network,
    feedforward,
    fired,
    random,
    recurrent,
    relay,
    seeded,
    spikes,
    weights,
)


@every_network
def test_weights_change_in_training_mode_alone(kind: str) -> None:
    network = NETWORKS[kind](rule=STDP(**RULE))
    before = weights(network)
    network.eval().run({"input": spikes(20, 2, 6)})
    assert all(torch.equal(now, was) for now, was in zip(weights(network), before, strict=True))
    network.train().run({"input": spikes(20, 2, 6)})
    changed = [not torch.equal(now, was) for now, was in zip(weights(network), before, strict=True)]
    assert changed == [edge.key in network.rules for edge in network.edges]
    assert sum(changed) == 1


def by_hand(network: Network, inputs: Tensor, window: int, modulator: Tensor | None = None) -> Tensor:
    """The weight of the first connection after its rule was told of every window, spikes taken from the network."""
    network.eval()
    edge = network.edges[0]
    connection, rule = network.connection(edge), network.rule(edge)
    state = network.init_state(inputs.shape[1])
    learned = rule.init_state(connection, edge.pre_shape, edge.post_shape, inputs.shape[1])
    for first in range(0, len(inputs), window):
        part = inputs[first : first + window]
        recording, state = network.run({"input": part}, state)
        third = ThirdFactor(None if modulator is None else modulator[first : first + window])
        change, learned = rule(connection, part, fired(recording)[edge.post], learned, third)
        connection.apply_(change)
    return connection.weight


@pytest.mark.parametrize("window", [1, 4, 7, 20, 100])
def test_a_rule_is_told_of_every_window_and_its_change_is_applied_after_it(window: int) -> None:
    inputs = spikes(20, 3, 6)
    expected = by_hand(feedforward(rule=STDP(**RULE)), inputs, window)
    network = feedforward(rule=STDP(**RULE))
    network.train().run({"input": inputs}, window=window)
    torch.testing.assert_close(weights(network)[0], expected, rtol=1e-5, atol=1e-6)


def test_short_and_long_windows_differ_where_weights_change_the_spikes() -> None:
    inputs, ends = spikes(40, 1, 6), []
    for window in (1, 40):
        network = feedforward(rule=STDP(a_plus=0.3, a_minus=0.3))
        network.train().run({"input": inputs}, window=window)
        ends.append(weights(network)[0])
    assert not torch.allclose(*ends, atol=0.05)


@pytest.mark.parametrize("window", [1, 5])
def test_a_learning_run_is_its_two_halves(window: int) -> None:
    inputs, ends = spikes(20, 2, 6), []
    for cuts in ([(0, 20)], [(0, 10), (10, 20)]):
        network, state = recurrent(rule=STDP(**RULE)), None
        for first, last in cuts:
            _, state = network.train().run({"input": inputs[first:last]}, state, window=window)
        ends.append((weights(network), state))
    torch.testing.assert_close(*(end[0] for end in ends), rtol=1e-5, atol=1e-6)
    assert_state_close(ends[0][1], ends[1][1])


def test_a_rule_hears_spikes_when_they_arrive() -> None:
    """A delay of 3 steps turns a presynaptic spike 1 step before the postsynaptic one into one 2 steps after it."""
    for delay, expected in ((0.0, 0.05 * math.exp(-1 / 5.0)), (3.0, -0.03 * math.exp(-2 / 7.0))):
        network = Network()
        network.add("input", 1)
        network.add("output", relay())
        network.connect("input", "output", Dense(1, 1), rule=STDP(**RULE), delay=delay)
        push = torch.zeros(8, 1, 1, dtype=torch.bool)
        push[3] = True
        network.run({"input": at(8, 2)}, clamp={"output": push}, window=8)
        assert weights(network)[0].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("window", [1, 6])
def test_a_rule_inside_a_loop_hears_spikes_one_step_late(window: int) -> None:
    network = Network()
    network.add("pair", relay(2))
    network.connect("pair", "pair", Lateral(2), rule=STDP(**RULE))
    push = torch.zeros(6, 1, 2, dtype=torch.bool)
    push[1, 0, 0] = push[3, 0, 1] = True
    network.run({"pair": torch.zeros(6, 1, 2)}, clamp={"pair": push}, window=window)
    # neuron 0 is heard at step 2, one step before neuron 1 fires; neuron 1 is heard at step 4, three after neuron 0
    expected = [[0.0, -0.03 * math.exp(-3 / 7.0)], [0.05 * math.exp(-1 / 5.0), 0.0]]
    torch.testing.assert_close(weights(network)[0], torch.tensor(expected), rtol=1e-5, atol=1e-7)


def test_every_rule_sees_the_weights_from_before_the_window_whatever_the_order() -> None:
    """A connection that learns does not change what another learns from the same window."""
    inputs, learned = spikes(10, 2, 6), []
    for first in (STDP(**RULE), None):
        network = feedforward(rule=first)
        network.rules["hidden to output"] = STDP(**RULE)
        network.run({"input": inputs}, window=10)
        learned.append(weights(network)[1])
    torch.testing.assert_close(*learned, rtol=1e-6, atol=1e-7)


def test_a_modulator_is_one_for_each_row_or_one_for_each_step_and_row() -> None:
    inputs, told = spikes(20, 3, 6), torch.tensor([1.0, -0.5, 2.0])
    ends = []
    for modulator in (told, told.expand(20, 3)):
        network = feedforward(rule=MSTDPET(**RULE))
        network.run({"input": inputs}, modulator=modulator, window=5)
        ends.append(weights(network)[0])
    assert torch.equal(*ends)
    assert not torch.equal(ends[0], weights(feedforward())[0])


@pytest.mark.parametrize("window", [1, 5, 20])
@pytest.mark.parametrize("rule", [MSTDP, MSTDPET])
def test_the_modulator_of_each_step_reaches_the_rule(rule: type, window: int) -> None:
    inputs, modulator = spikes(20, 3, 6), torch.randn(20, 3, generator=seeded(1))
    expected = by_hand(feedforward(rule=rule(**RULE)), inputs, window, modulator)
    network = feedforward(rule=rule(**RULE))
    network.train().run({"input": inputs}, modulator=modulator, window=window)
    torch.testing.assert_close(weights(network)[0], expected, rtol=1e-5, atol=1e-6)


def test_a_zero_modulator_changes_no_weight_and_the_eligibility_waits_for_the_next_run() -> None:
    network = feedforward(rule=MSTDPET(**RULE))
    before = weights(network)[0]
    _, state = network.run({"input": spikes(10, 2, 6)}, modulator=torch.zeros(2), window=10)
    assert torch.equal(weights(network)[0], before)
    waiting = state.rules[0].eligibility.sum(0)
    assert waiting.any()
    network.run({"input": spikes(1, 2, 6, density=0.0)}, state, modulator=torch.ones(2))
    torch.testing.assert_close(weights(network)[0] - before, waiting, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", [STDP, MSTDPET])
def test_a_run_leaves_the_state_that_it_was_given_as_it_was(rule: type) -> None:
    network = recurrent(rule=rule(**RULE))
    _, state = network.run({"input": spikes(10, 2, 6)}, modulator=torch.zeros(2))
    kept = copy.deepcopy(state)
    network.run({"input": spikes(10, 2, 6)}, state, modulator=torch.zeros(2))
    assert_state_close(state, kept)


@pytest.mark.parametrize("kind", [SRM0, EscapeNoise])
@pytest.mark.parametrize("window", [1, 10])
def test_rmax_is_told_the_score_of_the_spikes_at_the_potential_they_were_drawn_at(kind: type, window: int) -> None:
    network = Network()
    network.add("input", 4)
    network.add("output", kind(3, generator=seeded(2)))
    rule, potential = Rmax(learning_rate=0.01), "v" if kind is SRM0 else "u"
    network.connect("input", "output", Dense(4, 3, weight_mean=0.8), rule=rule)
    inputs = spikes(10, 2, 4)
    modulator = torch.zeros(10, 2) if window == 1 else torch.randn(10, 2, generator=seeded(3))
    modulator[-1] = 1.0
    recording, _ = network.run(
        {"input": inputs}, modulator=modulator, window=window, record={"output": ("spikes", potential)}
    )
    neuron, connection = network.neuron("output"), Dense(4, 3)
    score = neuron.score(recording["output"][potential], recording["output"]["spikes"])
    change, _ = rule(connection, inputs, score, rule.init_state(connection, (4,), (3,), 2), ThirdFactor(modulator))
    torch.testing.assert_close(weights(network)[0] - 0.8, change, rtol=1e-4, atol=1e-6)
    assert change.any()


def test_the_networks_docstring_example_learns_and_holds_its_bounds() -> None:
    network = Network()
    network.add("input", 20)
    network.add("excitatory", DiehlCook(10))
    dense = random(20, 10, weight_mean=30.0, weight_std=10.0, bounds=(0, 40))
    network.connect("input", "excitatory", dense, rule=STDP(a_plus=1.0))
    network.connect("excitatory", "excitatory", Lateral(10, weight_mean=-10.0))
    before = weights(network)[0]
    recording, _ = network.run({"input": spikes(50, 2, 20)})
    assert fired(recording)["excitatory"].any()
    assert not torch.equal(weights(network)[0], before)
    assert weights(network)[0].min() >= 0
    assert weights(network)[0].max() <= 40


def test_a_surrogate_gradient_reaches_trainable_weights_through_a_loop() -> None:
    network = Network()
    network.add("input", 4)
    network.add("hidden", LIF(5, surrogate="atan"))
    network.connect("input", "hidden", Dense(4, 5, weight_mean=5.0, trainable=True))
    network.connect("hidden", "hidden", Lateral(5, weight_mean=-0.5, trainable=True))
    recording, _ = network.run({"input": spikes(20, 2, 4)})
    fired(recording)["hidden"].sum().backward()
    for edge in network.edges:
        gradient = network.connection(edge).weight.grad
        assert gradient is not None
        assert torch.isfinite(gradient).all()
        assert gradient.any()


def test_a_run_goes_on_where_a_rule_keeps_the_coincidences_themselves() -> None:
    """Of these there are as many as there were steps, whatever the batch."""
    network, (first, last) = feedforward(rule=TruncatedThreeFactor(0.9)).train(), spikes(12, 2, 6).split(6)
    told = torch.ones(6, 2)
    _, state = network.run({"input": first}, modulator=told, window=2)
    before = weights(network)
    network.run({"input": last}, state, modulator=told, window=2)
    changed = [not torch.equal(now, was) for now, was in zip(weights(network), before, strict=True)]
    assert any(changed)
