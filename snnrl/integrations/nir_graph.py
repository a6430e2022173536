"""The edges of a graph of the Neuromorphic Intermediate Representation: subgraphs resolved, chains and paths found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import NamedTuple

import nir
import torch
from torch import Tensor, nn

from snnrl.errors import ConfigError, require
from snnrl.integrations.nir_nodes import NEURON_FIELDS, numbers


class FlatGraph(NamedTuple):
    """A graph without subgraphs."""

    nodes: Mapping[str, nir.NIRNode]
    """By name; those of a subgraph have its name before their own, as ``rnn_lif``."""
    edges: tuple[tuple[str, str], ...]

    def before(self, name: str) -> list[str]:
        """The nodes from which edges lead to ``name``."""
        return [source for source, target in self.edges if target == name]

    def of_kind(self, *kinds: type) -> list[str]:
        """The names of nodes of some kinds."""
        return [name for name, node in self.nodes.items() if isinstance(node, kinds)]


def flat(graph: nir.NIRGraph) -> FlatGraph:
    """The graph with the nodes of its subgraphs among its own.

    Raises:
        ConfigError: an edge from or to a node that is not there, or a subgraph with several inputs or outputs.
    """
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[tuple[str, str]] = []
    entries: dict[str, str] = {}
    exits: dict[str, str] = {}
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRGraph):
            nodes[name] = node
            continue
        inner = flat(node)
        names = {own: _new_name(f"{name}_{own}", {*graph.nodes, *nodes}) for own in inner.nodes}
        nodes |= {names[own]: inside for own, inside in inner.nodes.items()}
        edges += [(names[source], names[target]) for source, target in inner.edges]
        for kind, ends in ((nir.Input, entries), (nir.Output, exits)):
            ends[name] = names[only(inner, kind, name)]
    for source, target in graph.edges:
        for name in (source, target):
            require(name in graph.nodes, "graph", f"{source} -> {target}", f"between nodes; there is no {name}")
        edges.append((exits.get(source, source), entries.get(target, target)))
    between = [*entries.values(), *exits.values()]
    for name in between:
        onward = [target for source, target in edges if source == name]
        before = [source for source, target in edges if target == name]
        others = [edge for edge in edges if name not in edge]
        edges = others + [(source, target) for source in before for target in onward]
        del nodes[name]
    return FlatGraph(nodes, tuple(dict.fromkeys(edges)))


def only(graph: FlatGraph, kind: type, where: str = "graph") -> str:
    """The name of the one node of its kind.

    Raises:
        ConfigError: there is none, or there are several.
    """
    names = graph.of_kind(kind)
    found = ", ".join(names) or "none"
    require(len(names) == 1, where, found, f"a graph with one {kind.__name__} node, not {len(names)}")
    return names[0]


def chain(graph: FlatGraph) -> list[tuple[str, nir.NIRNode]]:
    """The nodes of a chain from its one input to its one output.

    Raises:
        ConfigError: the graph is none.
    """
    after: dict[str, str] = {}
    for source, target in graph.edges:
        if source in after or target in after.values():
            raise ConfigError(
                f"graph={source} -> {target}: must be a chain, without branches and loops; network_from_nir takes any"
            )
        after[source] = target
    first, last = (only(graph, kind) for kind in (nir.Input, nir.Output))
    require(first not in after.values(), "graph", first, "where the chain begins, without branches and loops")
    names = [first]
    while names[-1] in after:
        names.append(after[names[-1]])
    require(names[-1] == last, "graph", names[-1], f"followed by another node, as the chain must reach {last}")
    beside = sorted(set(graph.nodes) - set(names))
    require(not beside, "graph", ", ".join(beside), f"on the way from {first} to {last}")
    return [(name, graph.nodes[name]) for name in names]


class Path(NamedTuple):
    """The way of spikes from an input or a population to the next."""

    source: str
    modules: tuple[nn.Module, ...]
    """Of the weights on the way, in order."""
    delay: Tensor | None = None
    """In seconds, a number or one for each neuron of ``source``."""

    def then(self, name: str, module: nn.Module | nir.Delay) -> Path:
        """The same way one node further."""
        if isinstance(module, nn.Module):
            return self._replace(modules=(*self.modules, module))
        seconds = numbers(f"{name}.delay", module.delay)
        even = seconds.ndim == 0 or seconds.size == 0 or bool((seconds == seconds.flat[0]).all())
        expected = f"the same for all, or right behind {self.source}"
        require(even or not self.modules, f"{name}.delay", "several delays", expected)
        given = torch.as_tensor(seconds.flat[0] if even else seconds)
        return self._replace(delay=given if self.delay is None else given + self.delay)


def paths(graph: FlatGraph, modules: Mapping[str, nn.Module | nir.Delay], ends: Iterable[str]) -> dict[str, list[Path]]:
    """All ways that lead to each of ``ends``, without neurons between.

    Currents that meet at a node add up. All its ways lead through its weights, but its bias is on the first alone.

    Args:
        graph: the graph.
        modules: of its nodes of weights and delays, by name.
        ends: names of populations and outputs.

    Raises:
        ConfigError: a loop without neurons, or a node to which nothing leads.
    """
    known: dict[str, list[Path]] = {}

    def leaving(name: str, behind: tuple[str, ...]) -> list[Path]:
        if isinstance(graph.nodes[name], (nir.Input, *NEURON_FIELDS)):
            return [Path(name, ())]
        require(name not in behind, "graph", " -> ".join([*behind, name]), "a loop through neurons")
        if name not in known:
            module = modules[name]
            coming = arriving(name, (*behind, name))
            known[name] = [coming[0].then(name, module), *(path.then(name, unbiased(module)) for path in coming[1:])]
        return known[name]

    def arriving(name: str, behind: tuple[str, ...]) -> list[Path]:
        before = graph.before(name)
        require(bool(before), "graph", name, "reached from an input")
        return [path for source in before for path in leaving(source, behind)]

    return {name: arriving(name, ()) for name in ends}


def unbiased(module: nn.Module | nir.Delay) -> nn.Module | nir.Delay:
    """A module with the same weights, the same tensors, and without a bias."""
    if not isinstance(module, nn.Module):
        return module
    bare = copy(module)
    bare._parameters = {name: None if name in ("bias", "shift") else kept for name, kept in bare._parameters.items()}
    return bare


def _new_name(name: str, taken: Iterable[str]) -> str:
    """``name``, or with a number behind it where that is taken."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found
