"""Graphs that others write: what they may hold, and which of them are refused, by the name of the node."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from snnrl.errors import ConfigError
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.neurons import IF, LIF

nir = pytest.importorskip("nir", reason="the package nir is not installed")

from snnrl.integrations.nir import from_nir, to_nir  # noqa: E402

DT = 1e-3
FIELDS = ("tau", "r", "v_leak", "v_threshold", "v_reset")


def ones(*shape: int, value: float = 1.0) -> Any:
    return np.full(shape, value, np.float32)


def lif(size: int = 3, **changed: Any) -> Any:
    settings = {"tau": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    return nir.LIF(**{key: ones(size, value=value) for key, value in settings.items()} | changed)


def graph(edges: str = "input w lif output", **nodes: Any) -> Any:
    """A graph whose edges are the chains of names, unchecked by NIR."""
    given = {
        "input": nir.Input({"input": np.array([2])}),
        "w": nir.Linear(ones(3, 2)),
        "lif": lif(),
        "output": nir.Output({"output": np.array([3])}),
        **nodes,
    }
    chains = [chain.split() for chain in edges.split(",")]
    return nir.NIRGraph(given, [pair for chain in chains for pair in pairwise(chain)], {}, False)


SOURCE, SINK = nir.Input({"input": np.array([3])}), nir.Output({"output": np.array([3])})
CHAINS = {
    "two inputs": (graph("input w lif output, other", other=SOURCE), "one Input node, not 2"),
    "two outputs": (graph("input w lif output, other", other=SINK), "one Output node, not 2"),
    "no input": (nir.NIRGraph({"w": nir.Linear(ones(3, 2)), "output": SINK}, [("w", "output")], {}, False), "Input"),
    "an output that is not reached": (graph("input w lif"), "graph=lif: must be followed by another node"),
    "a chain that stops and one that ends": (graph("input w, lif output"), "graph=w: must be followed"),
    "a node beside the chain": (graph(side=lif()), "graph=side: must be on the way from input to output"),
    "a loop beside the chain": (graph("input w lif output, a b a", a=lif(), b=lif()), "graph=a, b: must be on the way"),
    "a loop through the input": (graph("input w lif input, output"), "graph=input: must be where the chain begins"),
    "a branch": (graph("input w lif output, w side", side=lif()), "graph=w -> side: must be a chain"),
    "a node that is not there": (graph("input w lif output, output x"), "there is no x"),
}


@pytest.mark.parametrize("case", CHAINS)
def test_a_graph_is_one_chain_from_its_input_to_its_output(case: str) -> None:
    given, message = CHAINS[case]
    with pytest.raises(ConfigError, match=re.escape(message)):
        from_nir(given)


def test_a_graph_whose_output_nir_itself_has_given_an_input_is_refused() -> None:
    nodes = {"input": nir.Input({"input": np.array([2])}), "w": nir.Linear(ones(3, 2)), "output": SINK}
    with pytest.raises(ConfigError, match="one Input node, not 2"):
        from_nir(nir.NIRGraph(nodes, [("input", "w")]))


@pytest.mark.parametrize("place", FIELDS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (ones(1, 1, 1, 3), "of 0 or 1 or 2 or 3 dimensions"),
        (ones(4), "must be a number, or of the shape that arrives, [3]"),
        (ones(3, value=np.nan), "finite"),
    ],
)
def test_a_wrong_parameter_of_neurons_is_named_with_its_node(place: str, value: Any, message: str) -> None:
    node = lif()
    setattr(node, place, value)
    with pytest.raises(ConfigError, match=rf"lif\.{place}=") as caught:
        from_nir(graph(lif=node))
    assert message in str(caught.value)


VALUES = {
    "a threshold at rest": ({"lif": lif(v_threshold=ones(3, value=0.0))}, "lif.v_threshold=0.0: must be above 0"),
    "a negative time constant": ({"lif": lif(tau=ones(3, value=-1.0))}, "lif.tau=-1.0: must be above dt"),
    "neurons of another size": ({"lif": lif(4)}, "lif.tau=[4]: must be a number, or of the shape that arrives, [3]"),
    "weights of another size": ({"w": nir.Linear(ones(3, 5))}, "w: cannot take what arrives, of shape [2]"),
    "a bias of another size": ({"w": nir.Affine(ones(3, 2), ones(1))}, "w.bias=1 numbers: must be one for each"),
    "weights that are no number": ({"w": nir.Linear(ones(3, 2, value=np.inf))}, "w.weight="),
    "a node of another kind": ({"w": nir.Threshold(ones(3))}, "w=Threshold: must be Affine"),
}


@pytest.mark.parametrize("case", VALUES)
def test_what_is_wrong_with_a_node_is_said_by_its_name(case: str) -> None:
    nodes, message = VALUES[case]
    with pytest.raises(ConfigError, match=re.escape(message)):
        from_nir(graph(**nodes))


@pytest.mark.parametrize(
    ("place", "metadata", "message"),
    [
        ("lif", {"reset": "gentle"}, "lif.reset=gentle"),
        ("lif", {"initial_potential": "high"}, "lif.metadata.initial_potential=high"),
        ("graph", {"dt": 0}, "dt=0: must be a positive number of seconds"),
        ("graph", {"dt": "fast"}, "dt=fast: must be a positive number of seconds"),
        ("graph", {"sim_steps": 1.5}, "sim_steps=1.5: must be an integer"),
    ],
)
def test_wrong_metadata_are_named(place: str, metadata: dict[str, Any], message: str) -> None:
    given = graph()
    (given if place == "graph" else given.nodes[place]).metadata = metadata
    with pytest.raises(ConfigError, match=re.escape(message)):
        from_nir(given)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_parameters_may_be_those_of_torch(dtype: torch.dtype) -> None:
    linear = nn.Linear(2, 3)
    as_torch = {key: nn.Parameter(torch.full((3,), getattr(lif(), key)[0].item(), dtype=dtype)) for key in FIELDS}
    node = nir.Affine(linear.weight, linear.bias)
    found = from_nir(graph(w=node, lif=lif(**as_torch))).network
    plain = nir.Affine(linear.weight.detach().numpy(), linear.bias.detach().numpy())
    expected = from_nir(graph(w=plain, lif=lif(tau=ones(3, value=as_torch["tau"][0].item())))).network
    x = 20 * torch.rand(5, 2)
    assert torch.equal(found.spikes(x)[0], expected.spikes(x)[0])


def test_a_convolution_without_a_bias() -> None:
    entry = nir.Input({"input": np.array([2, 6, 6])})
    convolution = nir.Conv2d((6, 6), np.random.default_rng(0).normal(size=(3, 2, 3, 3)), 1, 0, 1, 1, None)
    field = ones(3, 4, 4)
    neurons = nir.IF(field / DT, field, 0 * field)
    found = from_nir(graph(input=entry, w=convolution, lif=neurons)).network
    synapses: Any = found.layers[0]
    assert synapses.synapses.bias is None
    assert found.spikes(torch.ones(1, 2, 6, 6))[0].shape == (4, 1, 3, 4, 4)


@pytest.mark.parametrize(("start", "end", "sizes"), [(0, -1, [24]), (1, -1, [2, 12]), (0, 1, [6, 4])])
def test_a_flattening_of_some_dimensions(start: int, end: int, sizes: list[int]) -> None:
    entry = nir.Input({"input": np.array([2, 3, 4])})
    flat = nir.Flatten({"input": np.array([2, 3, 4])}, start, end)
    neurons = nir.IF(ones(*sizes) / DT, ones(*sizes), 0 * ones(*sizes))
    found = from_nir(graph(input=entry, w=flat, lif=neurons)).network
    assert list(found.spikes(torch.ones(1, 2, 3, 4))[0].shape) == [4, 1, *sizes]


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("kind", [LIF, IF])
def test_rests_and_resets_come_through(kind: Any, reset: Any) -> None:
    neurons = kind(3, v_rest=-0.3, v_reset=0.2, v_threshold=0.9, reset=reset)
    network = LayeredNetwork.of([nn.Linear(2, 3)], [neurons], LayerSettings(sim_steps=9))
    layer: Any = from_nir(to_nir(network, (2,))).network.layers[0]
    current = torch.rand(50, 8, 3, generator=torch.Generator().manual_seed(0)) * (1 if kind is IF else 40)
    first, second = (each.scan(current, each.init_state(8))[0] for each in (neurons, layer.neurons))
    assert first.sum() > 20
    assert torch.equal(first, second)


def test_a_readout_behind_a_convolution() -> None:
    settings = LayerSettings(sim_steps=5)
    network = LayeredNetwork([nn.Conv2d(2, 3, 3)], [(3, 4, 4)], settings)
    readout, x = nn.Linear(48, 2), torch.rand(4, 2, 6, 6)
    found = from_nir(to_nir(network, (2, 6, 6), readout))
    torch.testing.assert_close(found.forward(x), readout(network(x)))


@pytest.mark.parametrize(
    ("synapses", "message"),
    [
        (nn.Conv2d(2, 4, 3, groups=2), "of shapes that NIR can tell"),
        (nn.Conv2d(2, 4, (3, 5)), "of shapes that NIR can tell"),
        (nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), "padding_mode=circular: must be zeros"),
        (nn.Sequential(nn.Flatten(2), nn.Linear(36, 4)), "of shapes that NIR can tell"),
        (nn.Conv2d(3, 4, 3), r"input_shape: [2, 6, 6] arrives at Conv2d(3, 4"),
    ],
)
def test_weights_that_nir_cannot_hold_are_refused(synapses: nn.Module, message: str) -> None:
    network = LayeredNetwork.of([synapses], [IF(4)], LayerSettings())
    with pytest.raises(ConfigError, match=re.escape(message)):
        to_nir(network, (2, 6, 6))


def test_neurons_of_a_model_of_ones_own_are_not_exported_as_what_they_are_derived_from() -> None:
    class Clipped(LIF):
        pass

    network = LayeredNetwork.of([nn.Linear(2, 3)], [Clipped(3)], LayerSettings())
    with pytest.raises(ConfigError, match="must be lif, if or current_lif"):
        to_nir(network, (2,))
