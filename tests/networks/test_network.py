from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Conv2d, Dense, Lateral, Pool
from snnrl.networks import Network
from snnrl.neurons import LIF
from snnrl.plasticity import STDP
from tests.networks.nets import (
    NETWORKS,
    assert_same,
    assert_state_close,
    at,
    every_network,
    feedforward,
    fired,
    random,
    relay,
    seeded,
    spikes,
)

quick = settings(deadline=None, max_examples=20)


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
