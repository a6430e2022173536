"""From any graph of the Neuromorphic Intermediate Representation to a :class:`~snnrl.networks.Network`, and its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import nir
import torch
from torch import Tensor, nn

from snnrl.connections import Dense, Projection
from snnrl.connections.base import as_dense
from snnrl.errors import ConfigError, require
from snnrl.integrations.nir_graph import FlatGraph, Path, flat, paths
from snnrl.integrations.nir_nodes import (
    NEURON_FIELDS,
    Elementwise,
    Population,
    Shape,
    population,
    population_shape,
    positive_dt,
    shape_after,
    synapses,
)
from snnrl.integrations.nir_reading import declared
from snnrl.networks import Network, NetworkState
from snnrl.spikes import SparseSpikes


class Modules(Projection):
    """Modules of torch one after the other as a connection, which no rule can learn.

    Args:
        modules: linear but for biases, from ``[batch, *pre_shape]`` to ``[batch, *post_shape]``.
        pre_shape: shape of the presynaptic population.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("pre_shape",)

    def __init__(self, modules: tuple[nn.Module, ...], pre_shape: Shape) -> None:
        super().__init__()
        self.modules_in_order = nn.Sequential(*modules)
        self.pre_shape = pre_shape

    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = as_dense(spikes)
        leading = dense.shape[: dense.dim() - len(self.pre_shape)]
        current: Tensor = self.modules_in_order(dense.reshape(-1, *self.pre_shape))
        return current.view(*leading, *current.shape[1:])


class ImportedNetwork(nn.Module):
    """A graph as a network that runs step by step.

    Attributes:
        network: populations and inputs by the names of their nodes; a node of a subgraph has its name before, as
            ``rnn_lif``.
    """

    def __init__(
        self, network: Network, outputs: Mapping[str, list[Path]], initial: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        self.network, self._initial = network, dict(initial or {})
        self._paths = {name: [path.source for path in found] for name, found in outputs.items()}
        self._read = nn.ModuleDict(
            {
                name: nn.ModuleList(Modules(path.modules, network.shapes[path.source]) for path in found)
                for name, found in outputs.items()
            }
        )

    def init_state(self, batch: int) -> NetworkState:
        """The state before the first step, for ``batch`` independent rows."""
        state = self.network.init_state(batch)
        neurons = list(state.neurons)
        for position, name in enumerate(self.network.neurons):
            share = self._initial.get(name, 0.0)
            if share:
                population = self.network.neuron(name)
                way = population.value("v_threshold") - population.v_rest
                neurons[position] = neurons[position]._replace(v=neurons[position].v + share * way)
        return state._replace(neurons=tuple(neurons))

    def run(
        self, inputs: Mapping[str, Tensor], state: NetworkState | None = None
    ) -> tuple[dict[str, Tensor], NetworkState]:
        """Run over the steps of the inputs; what goes around a loop takes one step.

        Args:
            inputs: spikes or currents ``[time, batch, *shape]`` by the names of input nodes.
            state: from the last run; ``None`` is rest.

        Returns:
            What arrives at each output node, ``[time, batch, *shape]`` by its name; and the state after the run.

        Raises:
            ConfigError: an unknown or missing name, or a tensor of another shape.
        """
        read = sorted({source for sources in self._paths.values() for source in sources} & set(self.network.neurons))
        if state is None:
            state = self.init_state(next((value.shape[1] for value in inputs.values() if value.dim() > 1), 1))
        recording, state = self.network.run(inputs, state, record=dict.fromkeys(read, ("spikes",)))
        fired: dict[str, Tensor] = {**inputs, **{name: recording[name]["spikes"] for name in read}}
        outputs: dict[str, Tensor] = {}
        for name, sources in self._paths.items():
            readers = self._read.get_submodule(name).children()
            parts: list[Tensor] = [reader(fired[source]) for reader, source in zip(readers, sources, strict=True)]
            outputs[name] = torch.stack(parts).sum(0) if len(parts) > 1 else parts[0]
        return outputs, state


def network_from_nir(graph: nir.NIRGraph, *, dt: float | None = None) -> ImportedNetwork:
    """The network that a graph of any form describes: recurrent, with subgraphs, branches, several inputs and outputs.

    A step of the graph is a step of 1 ms of the network. What goes around a loop takes one step, or as long as the
    delay nodes on its way say. A linear node between two populations becomes a :class:`~snnrl.connections.Dense`
    connection, for which rules can be given; all others become modules of torch.

    Args:
        graph: nodes as :func:`~snnrl.integrations.nir.from_nir` takes them, and LI and Delay.
        dt: seconds of a step; ``None`` is what the graph's metadata say, else 0.001.

    Raises:
        ConfigError: a node that leads nowhere or that nothing leads to, a loop without neurons, a node of another kind,
            with shapes that do not fit, or with a value out of range; the node is named.
    """
    dt = positive_dt(graph.metadata.get("dt", 1e-3) if dt is None else dt)
    whole = flat(graph)
    entries, ends = whole.of_kind(nir.Input), whole.of_kind(nir.Output)
    require(bool(entries), "graph", sorted(graph.nodes), "a graph with an Input node")
    require(bool(ends), "graph", sorted(graph.nodes), "a graph with an Output node")
    populations = whole.of_kind(*NEURON_FIELDS)
    modules = {
        name: node if isinstance(node, nir.Delay) else synapses(name, node)
        for name, node in whole.nodes.items()
        if name not in (*entries, *ends, *populations)
    }
    _require_used(whole, ends)
    ways = paths(whole, modules, [*populations, *ends])
    shapes = _shapes(whole, modules)
    names = {name: name.replace(".", "_") for name in whole.nodes}
    require(len(set(names.values())) == len(names), "graph", sorted(names), "names that differ in more than dots")
    made = {name: population(name, whole.nodes[name], dt, shapes[name]) for name in populations}
    network = Network()
    for name in entries:
        network.add(names[name], shapes[name])
    for name in populations:
        network.add(names[name], made[name].neurons)
    for name in populations:
        for path in ways[name]:
            gain = made[name].gain
            scaling = [] if gain is None else [Elementwise(gain)]
            connection = _connection((*_leaving(made, path), *scaling), shapes[path.source])
            delay = 0.0 if path.delay is None else path.delay / dt
            network.connect(names[path.source], names[name], connection, delay=delay)
    outputs: dict[str, list[Path]] = {}
    for name in ends:
        for path in ways[name]:
            require(path.delay is None, name, "a delay on its way", "reached without Delay nodes")
            outputs.setdefault(names[name], []).append(Path(names[path.source], tuple(_leaving(made, path))))
    return ImportedNetwork(network, outputs, {names[name]: made[name].initial for name in populations})


def _leaving(made: Mapping[str, Population], path: Path) -> list[nn.Module]:
    """The modules of a path, its source's own shift before them."""
    source = made.get(path.source)
    if source is None or source.shift is None:
        return list(path.modules)
    return [Elementwise(0 * source.shift + 1, source.shift), *path.modules]


def _connection(modules: tuple[nn.Module, ...], shape: Shape) -> Projection:
    """A connection of what lies between two populations."""
    first = modules[0] if len(modules) == 1 else None
    if isinstance(first, nn.Linear) and first.bias is None:
        return Dense(first.in_features, first.out_features, weight=first.weight, trainable=True)
    return Modules(modules, shape)


def _require_used(graph: FlatGraph, ends: list[str]) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` for nodes from which no way leads to an output."""
    useful, new = set(ends), list(ends)
    while new:
        before = [name for name in graph.before(new.pop()) if name not in useful]
        useful |= set(before)
        new += before
    beside = sorted(set(graph.nodes) - useful)
    require(not beside, "graph", ", ".join(beside), f"on the way to {' or '.join(sorted(ends))}")


def _shapes(graph: FlatGraph, modules: Mapping[str, nn.Module | nir.Delay]) -> dict[str, Shape]:
    """The shape of what each node gives, found from inputs and from the parameters of neurons."""
    shapes: dict[str, Shape] = {}
    left = dict(graph.nodes)
    while left:
        found: dict[str, Shape] = {}
        for name, node in left.items():
            arriving = next((shapes[source] for source in graph.before(name) if source in shapes), None)
            shape: Shape | None = arriving
            if isinstance(node, nir.Input):
                shape = declared(node.input_type.get("input"))
            elif isinstance(node, tuple(NEURON_FIELDS)):
                shape = population_shape(name, node, arriving) if arriving is None else arriving
            elif name in modules and not isinstance(node, nir.Delay):
                module = modules[name]
                assert isinstance(module, nn.Module)
                shape = shape_after(name, module, arriving)
            if shape is not None:
                found[name] = shape
        if not found:
            raise ConfigError(f"graph={', '.join(sorted(left))}: must be of a shape that inputs or parameters tell")
        shapes |= found
        left = {name: node for name, node in left.items() if name not in found}
    for source, target in graph.edges:
        if isinstance(graph.nodes[target], (nir.Output, *NEURON_FIELDS)):
            fits = shapes[source] == shapes[target]
            told = list(shapes[source])
            require(fits, f"{source} -> {target}", told, f"of the shape that {target} has, {list(shapes[target])}")
        else:
            module = modules[target]
            if isinstance(module, nn.Module):
                after = shape_after(target, module, shapes[source])
                require(after == shapes[target], f"{source} -> {target}", shapes[source], "of one shape with the rest")
    return shapes
