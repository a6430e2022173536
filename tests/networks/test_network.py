from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Conv2d, Dense, Lateral, OneToOne, Pool, Sparse
from snnrl.errors import ConfigError
from snnrl.networks import Network, NetworkState
from snnrl.neurons import LIF, SRM0, DiehlCook, EscapeNoise
from snnrl.plasticity import MSTDP, MSTDPET, STDP, Rmax, ThirdFactor

quick = settings(deadline=None, max_examples=20)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spikes(*shape: int, density: float = 0.3, seed: int = 0) -> Tensor:
    return (torch.rand(shape, generator=seeded(seed)) < density).float()


def at(steps: int, *times: int) -> Tensor:
    """Spikes of one neuron in a batch of one ``[time, 1, 1]``."""
    train = torch.zeros(steps, 1, 1)
    train[list(times)] = 1.0
    return train


def relay(shape: int | tuple[int, ...] = 1) -> LIF:
    """Fires in the step in which it gets a current of 1 or more, and in no other."""
    return LIF(shape, tau_mem=1.0, decay_input=False, v_threshold=0.99)


def random(pre: int, post: int, seed: int = 0, **settings: Any) -> Dense:
    return Dense(pre, post, **{"weight_std": 1.0, "weight_mean": 0.5, "generator": seeded(seed)} | settings)


def feedforward(**connect: Any) -> Network:
    network = Network()
    network.add("input", 6)
    network.add("hidden", LIF(5, tau_mem=5.0, t_refractory=2.0))
    network.add("output", LIF(3, tau_mem=8.0))
    network.connect("input", "hidden", random(6, 5, weight_mean=1.0), **connect)
    network.connect("hidden", "output", random(5, 3, seed=1, weight_mean=5.0), delay=2.0)
    return network


def recurrent(**connect: Any) -> Network:
    """Two populations in a loop, one of them with itself, and what comes before and after."""
    network = Network()
    network.add("input", 6)
    network.add("excitatory", LIF(5, tau_mem=5.0, t_refractory=1.0))
    network.add("inhibitory", LIF(4, tau_mem=5.0))
    network.add("output", LIF(3, tau_mem=8.0))
    network.connect("input", "excitatory", random(6, 5, weight_mean=1.5), delay=1.0)
    network.connect("excitatory", "inhibitory", random(5, 4, seed=1, weight_mean=2.0), **connect)
    network.connect("inhibitory", "excitatory", random(4, 5, seed=2, weight_mean=-1.0), delay=3.0)
    network.connect("excitatory", "excitatory", Lateral(5, weight_std=1.0, generator=seeded(3)))
    network.connect("inhibitory", "output", random(4, 3, seed=4, weight_mean=2.0))
    return network


NETWORKS: dict[str, Callable[..., Network]] = {"feedforward": feedforward, "recurrent": recurrent}
every_network = pytest.mark.parametrize("kind", NETWORKS)


def fired(recording: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: variables["spikes"] for name, variables in recording.items()}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def assert_state_close(one: NetworkState, other: NetworkState) -> None:
    def compare(a: Any, b: Any) -> None:
        if isinstance(a, Tensor):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        else:
            for x, y in zip(a, b, strict=True):
                compare(x, y)

    compare(one, other)


# Running over time


@every_network
@pytest.mark.parametrize("cut", [1, 7, 19])
def test_a_run_is_its_two_halves_with_the_state_carried_over(kind: str, cut: int) -> None:
    network, inputs = NETWORKS[kind](), spikes(20, 3, 6)
    whole, end = network.run({"input": inputs})
    first, state = network.run({"input": inputs[:cut]})
    second, final = network.run({"input": inputs[cut:]}, state)
    joined = {name: torch.cat([fired(first)[name], fired(second)[name]]) for name in fired(whole)}
    assert_same(joined, fired(whole))
    assert_state_close(final, end)
    assert all(train.any() for train in fired(whole).values())


@every_network
def test_parts_run_at_once_fire_as_parts_that_go_step_by_step(kind: str) -> None:
    network, inputs = NETWORKS[kind](), spikes(40, 3, 6)
    at_once, end = network.run({"input": inputs})
    every_step = dict.fromkeys(network.neurons, ("spikes", "v"))
    stepped, final = network.run({"input": inputs}, record=every_step)
    assert_same(fired(stepped), fired(at_once))
    assert_state_close(final, end)


def test_a_loop_by_hand() -> None:
    """Spikes take one step inside a loop, and none from outside it."""
    network = Network().double()
    network.add("input", 3)
    network.add("a", LIF(4, tau_mem=5.0))
    network.add("b", LIF(2, tau_mem=5.0))
    network.connect("input", "a", random(3, 4, weight_mean=1.5))
    network.connect("a", "b", random(4, 2, seed=1, weight_mean=2.0))
    network.connect("b", "a", random(2, 4, seed=2, weight_mean=-1.0))
    network.connect("a", "a", Lateral(4, weight_std=1.0, generator=seeded(3)))
    network.double()
    to_a, to_b, back, own = (network.connection(edge).weight for edge in network.edges)
    inputs = spikes(30, 2, 3).double()
    decay = math.exp(-1 / 5.0)
    v_a, v_b = torch.zeros(2, 4).double(), torch.zeros(2, 2).double()
    spikes_a, spikes_b = torch.zeros_like(v_a), torch.zeros_like(v_b)
    trains: dict[str, list[Tensor]] = {"a": [], "b": []}
    for now in inputs:
        current_a = now @ to_a.t() + spikes_b @ back.t() + spikes_a @ own.t()
        current_b = spikes_a @ to_b.t()
        v_a, v_b = decay * v_a + (1 - decay) * current_a, decay * v_b + (1 - decay) * current_b
        spikes_a, spikes_b = (v_a >= 1).double(), (v_b >= 1).double()
        v_a, v_b = v_a * (1 - spikes_a), v_b * (1 - spikes_b)
        trains["a"].append(spikes_a)
        trains["b"].append(spikes_b)
    recording, _ = network.run({"input": inputs})
    expected = {name: torch.stack(train) for name, train in trains.items()}
    assert all(train.any() for train in expected.values())
    assert_same(fired(recording), expected)


def test_without_a_loop_spikes_pass_any_number_of_populations_in_one_step() -> None:
    network = Network()
    network.add("input", 1)
    for pre, post in (("input", "a"), ("a", "b"), ("b", "c")):
        network.add(post, relay())
        network.connect(pre, post, Dense(1, 1, weight_mean=1.0))
    recording, _ = network.run({"input": at(5, 2)})
    assert [train.flatten().tolist() for train in fired(recording).values()] == [[0, 0, 1, 0, 0]] * 3


def test_the_order_in_which_populations_are_added_does_not_matter() -> None:
    def built(names: list[str]) -> Network:
        network = Network()
        sizes = {"input": 6, "hidden": LIF(5, tau_mem=5.0), "output": LIF(3, tau_mem=5.0)}
        for name in names:
            network.add(name, sizes[name])
        network.connect("hidden", "output", random(5, 3, seed=1, weight_mean=2.0))
        network.connect("input", "hidden", random(6, 5))
        return network

    inputs = spikes(30, 2, 6)
    forth, _ = built(["input", "hidden", "output"]).run({"input": inputs})
    back, _ = built(["output", "hidden", "input"]).run({"input": inputs})
    assert_same(dict(sorted(fired(forth).items())), dict(sorted(fired(back).items())))


@every_network
@given(batch=st.integers(1, 4), density=st.sampled_from([0.05, 0.3, 1.0]), seed=st.integers(0, 200))
@quick
def test_rows_of_a_batch_are_independent(kind: str, batch: int, density: float, seed: int) -> None:
    """To the spike, but where rounding of a product of another size decides one: so in float64."""
    network, inputs = NETWORKS[kind]().double(), spikes(12, batch, 6, density=density, seed=seed).double()
    together, _ = network.run({"input": inputs})
    for row in range(batch):
        alone, _ = network.run({"input": inputs[:, row : row + 1]})
        assert_same(fired(alone), {name: train[:, row : row + 1] for name, train in fired(together).items()})


@every_network
@given(row=st.integers(0, 2), seed=st.integers(0, 200))
@quick
def test_another_row_that_changes_is_not_noticed(kind: str, row: int, seed: int) -> None:
    network, inputs = NETWORKS[kind](), spikes(12, 3, 6, seed=seed)
    before, _ = network.run({"input": inputs})
    inputs[:, row] = 1 - inputs[:, row]
    after, _ = network.run({"input": inputs})
    others = [other for other in range(3) if other != row]
    for name in network.neurons:
        assert torch.equal(fired(before)[name][:, others], fired(after)[name][:, others])


# What drives a network


def test_connections_to_one_population_add_their_currents_and_so_do_two_between_one_pair() -> None:
    network = Network()
    network.add("one", 1)
    network.add("two", 1)
    network.add("output", LIF(1, tau_mem=10.0))
    for pre, weight in (("one", 0.1), ("two", 0.2), ("one", 0.4)):
        network.connect(pre, "output", Dense(1, 1, weight_mean=weight))
    assert [edge.key for edge in network.edges] == ["one to output", "two to output", "one to output 2"]
    recording, _ = network.run({"one": at(2, 0), "two": at(2, 1)}, record={"output": ("v",)})
    decay = math.exp(-0.1)
    first = (1 - decay) * 0.5
    expected = [first, first * decay + (1 - decay) * 0.2]
    assert recording["output"]["v"].flatten().tolist() == pytest.approx(expected)


@every_network
def test_neurons_take_a_current_from_outside_beside_their_spikes(kind: str) -> None:
    """A current of the threshold's size and more makes all of them fire sooner or later."""
    network, inputs = NETWORKS[kind](), spikes(30, 2, 6, density=0.0)
    recording, _ = network.run({"input": inputs, "output": torch.full((30, 2, 3), 1.5)})
    assert fired(recording)["output"].sum(0).min() > 0
    others = [train for name, train in fired(recording).items() if name != "output"]
    assert not any(train.any() for train in others)


def test_a_current_and_spikes_add_up() -> None:
    network = Network()
    network.add("input", 1)
    network.add("output", LIF(1, tau_mem=10.0))
    network.connect("input", "output", Dense(1, 1, weight_mean=0.3))
    current = torch.tensor([0.2, 0.5]).view(2, 1, 1)
    recording, _ = network.run({"input": at(2, 0), "output": current}, record={"output": ("v",)})
    decay = math.exp(-0.1)
    first = (1 - decay) * 0.5
    assert recording["output"]["v"].flatten().tolist() == pytest.approx([first, first * decay + (1 - decay) * 0.5])


def test_a_network_without_inputs_is_driven_by_currents_alone() -> None:
    network = Network()
    network.add("output", LIF(2))
    recording, _ = network.run({"output": torch.full((50, 1, 2), 2.0)})
    assert fired(recording)["output"].any()


@every_network
def test_bool_inputs_are_spikes(kind: str) -> None:
    network, inputs = NETWORKS[kind](), spikes(20, 2, 6)
    as_numbers, _ = network.run({"input": inputs})
    as_bool, _ = network.run({"input": inputs.bool()})
    assert_same(fired(as_bool), fired(as_numbers))
    assert fired(as_bool)["output"].dtype == torch.float32


def test_integer_inputs_are_spikes() -> None:
    network, inputs = feedforward(), spikes(40, 2, 6)
    as_numbers, _ = network.run({"input": inputs})
    as_integers, _ = network.run({"input": inputs.to(torch.uint8)})
    assert fired(as_numbers)["hidden"].any()
    assert torch.equal(fired(as_integers)["hidden"].float(), fired(as_numbers)["hidden"])


def test_images_are_convolved_and_flattened_for_what_is_flat() -> None:
    network = Network()
    network.add("input", (1, 6, 6))
    network.add("maps", LIF((2, 4, 4), tau_mem=3.0))
    network.add("small", relay((2, 2, 2)))
    network.add("flat", LIF(3, tau_mem=3.0))
    convolution = Conv2d(1, 2, 3, weight_mean=0.5, weight_std=0.3, generator=seeded())
    network.connect("input", "maps", convolution)
    network.connect("maps", "small", Pool(2, 2))
    dense = random(8, 3, weight_mean=2.0)
    network.connect("small", "flat", dense)
    assert [edge.pre_shape for edge in network.edges] == [(1, 6, 6), (2, 4, 4), (8,)]
    inputs = spikes(20, 2, 1, 6, 6)
    recording, _ = network.run({"input": inputs}, record=dict.fromkeys(network.neurons, ("spikes",)))
    shapes = {name: tuple(train.shape[2:]) for name, train in fired(recording).items()}
    assert shapes == {"maps": (2, 4, 4), "small": (2, 2, 2), "flat": (3,)}
    neuron = network.neuron("flat")
    expected, _ = neuron.scan(dense(fired(recording)["small"].flatten(2)), neuron.init_state(2))
    assert expected.any()
    assert torch.equal(fired(recording)["flat"], expected)


def test_a_convolution_drives_a_flat_population_of_as_many_neurons() -> None:
    network = Network()
    network.add("input", (1, 4, 4))
    network.add("flat", relay(9))
    network.connect("input", "flat", Conv2d(1, 1, 2, weight_mean=1.0))
    inputs = torch.zeros(1, 1, 1, 4, 4)
    inputs[0, 0, 0, 0, 0] = 1.0
    recording, _ = network.run({"input": inputs})
    assert fired(recording)["flat"].flatten().tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_rules_learn_on_images_as_on_anything_else() -> None:
    network = Network()
    network.add("input", (1, 4, 4))
    network.add("maps", LIF((2, 3, 3), tau_mem=2.0))
    network.add("flat", LIF((1, 4), tau_mem=2.0))
    network.connect("input", "maps", Conv2d(1, 2, 2, weight_mean=0.7), rule=STDP())
    network.connect("maps", "flat", random(18, 4), rule=STDP())
    before = [network.connection(edge).weight.clone() for edge in network.edges]
    network.run({"input": spikes(20, 2, 1, 4, 4)})
    for edge, weight in zip(network.edges, before, strict=True):
        assert not torch.equal(network.connection(edge).weight, weight)


# Clamp, unclamp, inject


@pytest.mark.parametrize("record", [("spikes",), ("spikes", "v")])
def test_clamped_neurons_fire_and_drive_what_follows(record: tuple[str, ...]) -> None:
    network = Network()
    network.add("input", 1)
    network.add("middle", relay(2))
    network.add("output", relay(2))
    network.connect("input", "middle", Dense(1, 2))
    network.connect("middle", "output", OneToOne(2, weight_mean=1.0))
    hold = torch.zeros(4, 1, 2, dtype=torch.bool)
    hold[1, 0, 0] = hold[3, 0, 1] = True
    recording, _ = network.run({"input": at(4)}, clamp={"middle": hold}, record={"middle": record, "output": record})
    for name in ("middle", "output"):
        assert fired(recording)[name][:, 0].tolist() == [[0, 0], [1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize("record", [("spikes",), ("spikes", "v")])
def test_unclamped_neurons_are_silent_and_what_follows_hears_nothing(record: tuple[str, ...]) -> None:
    network = Network()
    network.add("input", 1)
    network.add("middle", relay(2))
    network.add("output", relay(2))
    network.connect("input", "middle", Dense(1, 2, weight_mean=1.0))
    network.connect("middle", "output", OneToOne(2, weight_mean=1.0))
    recording, _ = network.run(
        {"input": at(3, 0, 1, 2)},
        unclamp={"middle": torch.tensor([True, False])},
        record={"middle": record, "output": record},
    )
    for name in ("middle", "output"):
        assert fired(recording)[name][:, 0].tolist() == [[0, 1]] * 3


def test_clamped_spikes_go_round_a_loop() -> None:
    network = Network()
    network.add("ring", relay(3))
    weight = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    network.connect("ring", "ring", Dense(3, 3, weight=weight))
    start = torch.zeros(5, 1, 3, dtype=torch.bool)
    start[0, 0, 0] = True
    recording, _ = network.run({"ring": torch.zeros(5, 1, 3)}, clamp={"ring": start})
    assert fired(recording)["ring"][:, 0].argmax(1).tolist() == [0, 1, 2, 0, 1]
    assert fired(recording)["ring"].sum((1, 2)).tolist() == [1] * 5


def test_what_is_injected_is_added_to_the_potential_before_the_step() -> None:
    network = Network()
    network.add("output", LIF(2, tau_mem=10.0))
    push = torch.zeros(3, 1, 2)
    push[1, 0, 1] = 0.5
    recording, _ = network.run({"output": torch.zeros(3, 1, 2)}, inject={"output": push}, record={"output": ("v",)})
    decay = math.exp(-0.1)
    torch.testing.assert_close(
        recording["output"]["v"][:, 0], torch.tensor([[0.0, 0.0], [0.0, 0.5 * decay], [0.0, 0.5 * decay**2]])
    )


def test_what_is_injected_broadcasts_over_time_and_batch() -> None:
    network = Network()
    network.add("output", LIF(2, tau_mem=10.0))
    recording, _ = network.run({"output": torch.zeros(30, 3, 2)}, inject={"output": torch.tensor([0.3, 0.0])})
    assert fired(recording)["output"][:, :, 0].sum(0).min() > 0
    assert not fired(recording)["output"][:, :, 1].any()


def test_potential_is_injected_where_it_has_another_name_too() -> None:
    network = Network()
    network.add("output", EscapeNoise(2))
    given = {"output": torch.zeros(1, 1, 2)}
    recording, _ = network.run(given, record={"output": ("u",)}, inject={"output": torch.ones(2)})
    assert recording["output"]["u"].flatten().tolist() == pytest.approx([math.exp(-0.1)] * 2)


# Learning


RULE = {"a_plus": 0.05, "a_minus": 0.03, "tau_pre": 5.0, "tau_post": 7.0}


def weights(network: Network) -> list[Tensor]:
    return [network.connection(edge).weight.clone() for edge in network.edges]


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


# Saving, showing, compiling


def test_weights_and_what_neurons_keep_for_life_are_saved_and_loaded() -> None:
    def made(seed: int) -> Network:
        network = Network()
        network.add("input", 6)
        network.add("output", DiehlCook(4))
        network.connect("input", "output", random(6, 4, seed=seed, weight_mean=100.0), rule=STDP(**RULE), delay=1.0)
        network.connect("output", "output", Sparse.random(4, 4, 0.5, weight_mean=-1.0, generator=seeded(seed)))
        return network

    trained, fresh = made(1), made(1)
    trained.run({"input": spikes(30, 2, 6)})
    assert trained.neuron("output").theta.any()
    fresh.load_state_dict(trained.state_dict())
    one, other = (network.eval().run({"input": spikes(30, 2, 6)})[0] for network in (trained, fresh))
    assert_same(fired(one), fired(other))
    for name, saved in trained.state_dict().items():
        assert torch.equal(saved, fresh.state_dict()[name])


def test_a_network_in_float64_computes_in_float64() -> None:
    network = recurrent(rule=STDP(**RULE)).double()
    recording, state = network.run({"input": spikes(5, 2, 6).double()}, record={"output": ("spikes", "v")})
    assert recording["output"]["v"].dtype == torch.float64
    assert state.rules[0].x_pre.dtype == torch.float64


def test_the_summary_names_populations_connections_rules_and_delays() -> None:
    network = Network()
    network.add("image", (1, 4, 4))
    network.add("maps", LIF((2, 2, 2)))
    network.add("action", SRM0(3))
    network.connect("image", "maps", Conv2d(1, 2, 3), delay=2.0)
    network.connect("maps", "action", Dense(8, 3), rule=Rmax())
    network.connect("maps", "action", Dense(8, 3), rule=STDP(), delay=torch.arange(8.0).view(2, 2, 2))
    network.connect("maps", "maps", Pool(2, 1))
    rows = [row.split() for row in network.summary().splitlines()]
    assert rows == [
        ["population", "model", "shape", "neurons"],
        ["image", "input", "1x4x4", "16"],
        ["maps", "LIF", "2x2x2", "8"],
        ["action", "SRM0", "3", "3"],
        ["connection", "model", "weight", "synapses", "learns", "by", "delay", "in", "steps"],
        ["image", "to", "maps", "Conv2d", "2x1x3x3", "18", "-", "2"],
        ["maps", "to", "action", "Dense", "3x8", "24", "Rmax", "0"],
        ["maps", "to", "action", "2", "Dense", "3x8", "24", "STDP", "7"],
        ["maps", "to", "maps", "Pool", "0", "0", "-", "0"],
        ["total", "27", "neurons", "66"],
    ]


compilers = [
    "eager",
    pytest.param(
        "inductor",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
        ],
    ),
]


@pytest.mark.parametrize("backend", compilers)
def test_a_compiled_network_fires_as_it_did(backend: str) -> None:
    network, inputs = recurrent(rule=STDP(**RULE)), spikes(20, 2, 6)
    plain, _ = network.eval().run({"input": inputs})
    network.compile(backend=backend)
    compiled, _ = network.run({"input": inputs})
    assert_same(fired(compiled), fired(plain))
    torch._dynamo.reset()


# Errors


def small(**connect: Any) -> Network:
    network = Network()
    network.add("input", 3)
    network.add("output", LIF(2))
    network.connect("input", "output", Dense(3, 2, weight_mean=1.0), **connect)
    return network


def run(**settings: Any) -> Callable[[], object]:
    return lambda: small(rule=settings.pop("rule", None)).run(
        {"input": torch.zeros(4, 2, 3)} | settings.pop("inputs", {}), **settings
    )


BOOL = torch.zeros(1, dtype=torch.bool)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network(dt=0.0), r"^dt=0.0: must be a positive number of ms$"),
        (lambda: Network(dt=math.inf), r"^dt=inf: must be a positive number of ms$"),
        (lambda: small().add("input", 3), r"^name=input: must be new, and without a dot$"),
        (lambda: small().add("a.b", 3), r"^name=a.b: must be new, and without a dot$"),
        (lambda: small().add("", 3), r"^name=: must be new, and without a dot$"),
        (lambda: small().add("more", LIF(2, dt=0.5)), r"^more.dt=0.5: must be the network's 1.0$"),
        (lambda: small().add("more", 0), r"^more.shape=\(0,\): must be positive sizes$"),
        (lambda: small().add("more", ()), r"^more.shape=\(\): must be positive sizes$"),
        (lambda: small().add("more", 2.5), r"^more=2.5: must be neurons, or the shape of an input in whole numbers$"),
        (lambda: small().add("more", LIF), r"^more=<class .*>: must be neurons, or the shape of an input in whole"),
        (lambda: Network(td=1.0), r"^td=1.0: Network has no such setting; there are: dt$"),
        (
            lambda: small().connect("input", "output", torch.nn.Linear(3, 2)),
            r"^connection=Linear: must be a Projection, as Dense is one$",
        ),
        (lambda: small(rule=STDP), r"^rule=STDP: must be a Rule, as STDP\(\) is one, or None$"),
        (lambda: small(rule=torch.nn.Identity()), r"^rule=Identity: must be a Rule, as STDP\(\) is one, or None$"),
        (run(window=2.5), r"^window=2.5: must be at least 1 step$"),
        (lambda: small().connect("inptu", "output", Dense(3, 2)), r"^pre=inptu: did you mean input\?$"),
        (lambda: small().connect("input", "ouptut", Dense(3, 2)), r"^post=ouptut: did you mean output\?$"),
        (lambda: small().connect("x", "output", Dense(3, 2)), r"^pre=x: there are: input, output$"),
        (lambda: small().connect("output", "input", Dense(2, 3)), r"^post=input: must be a population of neurons"),
        (
            lambda: small().connect("input", "output", Dense(4, 2)),
            r"^input to output 2=Dense: must take spikes of the shape \[3\]$",
        ),
        (
            lambda: small().connect("input", "output", Dense(3, 4)),
            r"^input to output 2=\[4\]: must be of as many neurons as \[2\]$",
        ),
        (
            lambda: small().connect("input", "output", Pool(1, 1), rule=STDP()),
            r"^rule=STDP: must be None, a Pool has no weights$",
        ),
        (
            lambda: small(rule=Rmax()),
            r"^rule=Rmax: must be one that does without the score of stochastic neurons in output$",
        ),
        (lambda: small(delay=-1.0), r"^delay=-1.0: must be at least 0 ms$"),
        (lambda: small(delay=math.nan), r"^delay=nan: must be at least 0 ms$"),
        (lambda: small(delay=torch.zeros(2)), r"^delay=\[2\]: must be a number or of shape \[3\]$"),
        (lambda: small().init_state(0), r"^batch=0: must be at least 1$"),
        (lambda: small().run({}), r"^inputs=\{\}: must be a tensor \[time, batch, \*shape\] for each input$"),
        (
            lambda: small().run({"output": torch.zeros(1, 1, 2)}),
            r"^inputs=\['output'\]: must be complete: input is missing$",
        ),
        (run(inputs={"ouput": torch.zeros(4, 2, 2)}), r"^inputs=ouput: did you mean output"),
        (run(inputs={"input": torch.zeros(3)}), r"^inputs=\[3\]: must be of shape \[time, batch, \*shape\]$"),
        (run(inputs={"input": torch.zeros(0, 2, 3)}), r"^inputs=\[0, 2, 3\]: must be of shape \[time, batch"),
        (run(inputs={"input": torch.zeros(4, 2, 5)}), r"^inputs.input=\[4, 2, 5\]: must be of shape \[4, 2, 3\]$"),
        (run(inputs={"output": torch.zeros(4, 1, 2)}), r"^inputs.output=\[4, 1, 2\]: must be of shape \[4, 2, 2\]$"),
        (run(inputs={"input": torch.full((4, 2, 3), math.nan)}), r"^inputs.input=nan or inf: must be finite in every"),
        (run(inputs={"input": torch.full((4, 2, 3), math.inf)}), r"^inputs.input=nan or inf: must be finite in every"),
        (run(window=0), r"^window=0: must be at least 1 step$"),
        (run(modulator=torch.zeros(3)), r"^modulator=\[3\]: must be of shape \[2\] or \[4, 2\]$"),
        (run(modulator=torch.zeros(2, 4)), r"^modulator=\[2, 4\]: must be of shape \[2\] or \[4, 2\]$"),
        (run(modulator=torch.tensor([0.0, math.nan])), r"^modulator=nan or inf: must be finite in every entry$"),
        (run(rule=MSTDP()), r"^modulator=None: must be given, input to output learns by MSTDP$"),
        (run(clamp={"outputs": BOOL}), r"^clamp=outputs: did you mean output\?$"),
        (run(clamp={"input": BOOL}), r"^clamp=input: there are: output$"),
        (run(clamp={"output": torch.zeros(2)}), r"^clamp.output=torch.float32: must be a bool tensor$"),
        (run(unclamp={"output": BOOL.expand(3)}), r"^unclamp.output=\[3\]: must broadcast to \[4, 2, 2\]$"),
        (run(inject={"outptu": torch.zeros(2)}), r"^inject=outptu: did you mean output\?$"),
        (run(inject={"output": torch.zeros(5)}), r"^inject.output=\[5\]: must broadcast to \[4, 2, 2\]$"),
        (run(inject={"output": torch.full((2,), math.nan)}), r"^inject.output=nan or inf: must be finite in every"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_connection_that_was_refused_leaves_the_network_as_it_was() -> None:
    network = small()
    table = network.summary()
    for refused in (
        {"connection": Dense(9, 2)},
        {"connection": Dense(3, 2), "delay": -1.0},
        {"connection": Pool(1, 1), "rule": STDP()},
    ):
        with pytest.raises(ConfigError):
            network.connect("input", "output", **refused)
    assert network.summary() == table
    network.run({"input": torch.zeros(1, 1, 3)})


@pytest.mark.parametrize("batch", [1, 3])
def test_a_state_of_another_batch_is_refused(batch: int) -> None:
    network = small()
    with pytest.raises(ConfigError, match=r"^state"):
        network.run({"input": torch.zeros(4, 2, 3)}, network.init_state(batch))


def test_stochastic_neurons_with_another_step_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^more.dt=0.5: must be the network's 1.0$"):
        small().add("more", EscapeNoise(2, dt=0.5))


def test_a_rule_with_another_step_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"dt=0.5: must be the network's 1.0$"):
        small(rule=STDP(dt=0.5))


@pytest.mark.parametrize("name", ["values", "keys", "type", "train"])
def test_a_name_that_torch_keeps_for_itself_is_refused(name: str) -> None:
    network = Network()
    with pytest.raises(ConfigError, match=rf"^name={name}: must be another word"):
        network.add(name, LIF(2))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_a_modulator_of_another_dtype_is_taken(dtype: torch.dtype) -> None:
    network, same = small(rule=MSTDPET()), small(rule=MSTDPET())
    network.run({"input": torch.ones(4, 2, 3)}, modulator=torch.ones(2, dtype=dtype))
    same.run({"input": torch.ones(4, 2, 3)}, modulator=torch.ones(2))
    assert torch.equal(weights(network)[0], weights(same)[0])


def test_a_dense_connection_does_not_take_the_lines_of_an_image_for_rows() -> None:
    network = Network()
    network.add("input", (2, 3))
    network.add("output", LIF(8))
    with pytest.raises(ConfigError, match=r"^input to output=Dense: must take spikes of the shape \[2, 3\]$"):
        network.connect("input", "output", Dense(3, 4), rule=STDP())


@pytest.mark.parametrize("what", ["inputs.input", "clamp.output", "unclamp.output", "inject.output", "modulator"])
def test_a_tensor_left_on_another_device_than_the_network_is_named(what: str) -> None:
    network = feedforward(rule=MSTDP(**RULE))
    given: dict[str, Any] = {"inputs": {"input": spikes(4, 2, 6)}, "modulator": torch.ones(2)}
    name, _, population = what.partition(".")
    value = given["inputs"]["input"] if name == "inputs" else torch.ones(2)
    value = value.to("meta") if name in ("inputs", "inject", "modulator") else value.to("meta", torch.bool)
    given[name] = {population: value} if population else value
    with pytest.raises(ConfigError, match=rf"^{what}.device=meta: must be cpu, where the network is$"):
        network.run(**given)
