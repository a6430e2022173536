"""From a graph of the Neuromorphic Intermediate Representation to a network; see :mod:`snnrl.integrations.nir`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from snnrl.errors import ConfigError, one_line, require
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.neurons import IF, LIF
from snnrl.settings import is_number, is_whole
from snnrl.types import Setting


class Imported(NamedTuple):
    """What a graph comes to."""

    network: LayeredNetwork
    readout: nn.Linear | None
    """A linear layer after the last neurons, applied to their mean spikes."""

    def forward(self, x: Tensor) -> Tensor:
        """The mean output of a step for inputs ``[batch, ...]``."""
        features = self.network.forward(x)
        return features if self.readout is None else functional.linear(features, self.readout.weight, self.readout.bias)


def from_nir(graph: nir.NIRGraph, *, dt: float | None = None, sim_steps: int | None = None) -> Imported:
    """The network that a feed-forward graph describes.

    Args:
        graph: affine, linear, convolutional and flattening nodes, each followed by LIF or IF neurons, and perhaps a
            last affine node that reads them. Parameters may be arrays of NumPy or tensors.
        dt: seconds of a step; ``None`` is what the graph's metadata say, else 0.001.
        sim_steps: steps for each input; ``None`` is what the metadata say, else 4.

    Raises:
        ConfigError: a graph that is no chain from its one input to its one output, or a node of another kind, with
            shapes that do not fit, or with a value out of range; the node is named.
    """
    dt = positive_dt(graph.metadata.get("dt", 1e-3) if dt is None else dt)
    steps = graph.metadata.get("sim_steps", 4) if sim_steps is None else sim_steps
    synapses: list[nn.Module] = []
    populations: list[LIF] = []
    waiting: list[nn.Module] = []
    initial: float | None = None
    (_, entry), *chain, _ = _in_order(graph)
    shape = _shape(entry.input_type.get("input"))
    for name, node in chain:
        if isinstance(node, nir.LIF | nir.IF):
            require(bool(waiting), name, type(node).__name__, "neurons behind weights")
            population = _population(name, node, dt)
            fits = shape in (None, population.shape)
            require(fits, f"{name}.v_threshold", list(population.shape), f"of the shape that arrives, {_listed(shape)}")
            populations.append(population)
            synapses.append(waiting[0] if len(waiting) == 1 else nn.Sequential(*waiting))
            start = float(_numbers(f"{name}.metadata.initial_potential", node.metadata.get("initial_potential", 0.0)))
            require(initial in (None, start), name, start, f"neurons that start alike, at {initial}")
            initial, waiting, shape = start, [], population.shape
        else:
            waiting.append(_synapses(name, node))
            shape = _shape_after(name, waiting[-1], shape)
    require(bool(populations), "graph", sorted(graph.nodes), "a graph with spiking neurons")
    readout = _readout(waiting, populations[-1].shape)
    settings = LayerSettings(
        sim_steps=int(steps) if is_whole(steps) else steps, tonic=0.0, initial_potential=initial or 0.0
    )
    return Imported(LayeredNetwork.of(synapses, populations, settings), readout)


def positive_dt(value: Setting) -> float:
    """The number of seconds of a step.

    Raises:
        ConfigError: it is none.
    """
    require(is_number(value) and value > 0, "dt", value, "a positive number of seconds")
    return float(value)


def _in_order(graph: nir.NIRGraph) -> list[tuple[str, nir.NIRNode]]:
    """The nodes of a chain from its one input to its one output."""
    after: dict[str, str] = {}
    for source, target in graph.edges:
        for name in (source, target):
            require(name in graph.nodes, "graph", f"{source} -> {target}", f"between nodes; there is no {name}")
        if source in after or target in after.values():
            raise ConfigError(f"graph={source} -> {target}: must be a chain, without branches and loops")
        after[source] = target
    first, last = (_only(graph, kind) for kind in (nir.Input, nir.Output))
    require(first not in after.values(), "graph", first, "where the chain begins, without branches and loops")
    names = [first]
    while names[-1] in after:
        names.append(after[names[-1]])
    require(names[-1] == last, "graph", names[-1], f"followed by another node, as the chain must reach {last}")
    beside = sorted(set(graph.nodes) - set(names))
    require(not beside, "graph", ", ".join(beside), f"on the way from {first} to {last}")
    return [(name, graph.nodes[name]) for name in names]


def _only(graph: nir.NIRGraph, kind: type) -> str:
    """The name of the one node of its kind."""
    names = [str(name) for name, node in graph.nodes.items() if isinstance(node, kind)]
    found = ", ".join(names) or "none"
    require(len(names) == 1, "graph", found, f"a graph with one {kind.__name__} node, not {len(names)}")
    return names[0]


def _numbers(where: str, value: Setting, dims: Sequence[int] | None = None) -> NDArray[np.float64]:
    """A parameter, be it an array or a tensor, as finite numbers of one of ``dims`` dimensions."""
    array = value.detach().cpu().double().numpy() if isinstance(value, Tensor) else np.asarray(value)
    require(array.dtype.kind in "fiub", where, one_line(str(value), 60), "real numbers")
    numbers = array.astype(np.float64)
    require(bool(np.isfinite(numbers).all()), where, one_line(str(value), 60), "finite")
    if dims is not None:
        right = " or ".join(map(str, dims))
        require(numbers.ndim in dims, where, f"an array of shape {list(numbers.shape)}", f"of {right} dimensions")
    return numbers


def _population(name: str, node: nir.NIRNode, dt: float) -> LIF | IF:
    """The neurons of a node."""
    fields = ("r", "v_threshold", "v_reset") if isinstance(node, nir.IF) else _LIF_FIELDS
    given = {field: _numbers(f"{name}.{field}", getattr(node, field), (1, 2, 3)) for field in fields}
    shape = given["v_threshold"].shape
    for field, numbers in given.items():
        right = f"of the shape of {name}.v_threshold, {list(shape)}"
        require(numbers.shape == shape, f"{name}.{field}", list(numbers.shape), right)
    reset = node.metadata.get("reset", "hard")
    common: dict[str, Setting] = {"reset": reset, "surrogate": "atan", "v_threshold": _value(given["v_threshold"])}
    if reset == "hard":
        common["v_reset"] = _value(given["v_reset"])
    if isinstance(node, nir.IF):
        unit = node.metadata.get("unit", False) or np.allclose(given["r"] * dt, 1)
        right = f"1 / dt ({1 / dt}), one unit of potential a step"
        require(bool(unit), f"{name}.r", float(np.mean(given["r"])), right)
        rest = given["v_reset"] if reset == "soft" else _numbers(f"{name}.v_rest", node.metadata.get("v_rest", 0.0))
        return _made(name, IF, shape, v_rest=_value(rest), **common)
    decay = 1 - dt / given["tau"].clip(1e-300)
    within = bool(((decay > 0) & (decay < 1)).all())
    require(within, f"{name}.tau", float(np.min(given["tau"])), f"above dt ({dt})")
    full = given["r"]
    decay_input = np.allclose(full, 1)
    if not decay_input:
        plain = np.allclose(full * (1 - decay), 1, rtol=1e-4)
        gains = "1, or tau / dt: a current's gain of 1 - decay, or of 1"
        require(bool(plain), f"{name}.r", float(np.mean(full)), gains)
    tau = -1 / np.log(decay)
    shortest = dt / (1 - math.exp(-1))
    require(bool((tau >= 1).all()), f"{name}.tau", float(np.min(given["tau"])), f"at least {shortest:.3g}")
    leak: dict[str, Setting] = {"tau_mem": _value(tau), "v_rest": _value(given["v_leak"]), "decay_input": decay_input}
    return _made(name, LIF, shape, **leak, **common)


_LIF_FIELDS = ("tau", "r", "v_leak", "v_threshold", "v_reset")


def _made(name: str, kind: type[LIF], shape: tuple[int, ...], **settings: Setting) -> LIF:
    """A population; what is wrong with it is said with the node's name."""
    try:
        return kind(shape, **settings)
    except ConfigError as error:
        raise ConfigError(f"{name}.{error}") from error


def _value(numbers: NDArray[np.float64]) -> float | Tensor:
    """One number where all neurons have the same, else a tensor."""
    same = np.unique(numbers)
    return float(same[0]) if same.size == 1 else torch.as_tensor(numbers, dtype=torch.float32)


def _synapses(name: str, node: nir.NIRNode) -> nn.Module:
    """The module of a node of weights."""
    if isinstance(node, nir.Flatten):
        first, last = (int(axis) + (axis >= 0) for axis in (node.start_dim, node.end_dim))
        return nn.Flatten(first, last)
    if isinstance(node, nir.Affine | nir.Linear):
        weight = _numbers(f"{name}.weight", node.weight, (2,))
        bias = _bias(name, getattr(node, "bias", None), len(weight))
        return _filled(nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None), weight, bias)
    if isinstance(node, nir.Conv2d):
        weight = _numbers(f"{name}.weight", node.weight, (4,))
        bias = _bias(name, node.bias, len(weight))
        along: list[Setting] = [_pair(name, field, node) for field in ("stride", "padding", "dilation")]
        groups, kernel = int(node.groups), (weight.shape[2], weight.shape[3])
        along += [groups, bias is not None]
        try:
            convolution = nn.Conv2d(weight.shape[1] * groups, len(weight), kernel, *along)
        except ValueError as error:
            raise ConfigError(f"{name}={type(node).__name__}: {one_line(error)}") from error
        return _filled(convolution, weight, bias)
    raise ConfigError(f"{name}={type(node).__name__}: must be Affine, Linear, Conv2d, Flatten, LIF or IF")


def _bias(name: str, value: Setting, size: int) -> NDArray[np.float64] | None:
    """A bias for each of ``size`` outputs; a graph may have ``None`` for none."""
    if value is None:
        return None
    bias = _numbers(f"{name}.bias", value, (1,))
    require(len(bias) == size, f"{name}.bias", f"{len(bias)} numbers", f"one for each of the {size} outputs")
    return bias


def _filled(module: nn.Linear | nn.Conv2d, weight: NDArray[np.float64], bias: NDArray[np.float64] | None) -> nn.Module:
    module.weight.data.copy_(torch.from_numpy(weight))
    if bias is not None and module.bias is not None:
        module.bias.data.copy_(torch.from_numpy(bias))
    return module


def _pair(name: str, field: str, node: nir.NIRNode) -> str | tuple[int, ...]:
    value = getattr(node, field)
    if isinstance(value, str):
        return value
    numbers = _numbers(f"{name}.{field}", value, (0, 1))
    require(numbers.size in (1, 2), f"{name}.{field}", value, "one number or two")
    return tuple(int(number) for number in np.broadcast_to(numbers, (2,)))


def _shape(declared: Sequence[int] | None) -> tuple[int, ...] | None:
    """The shape of an input, or ``None`` where the graph leaves it open."""
    return None if declared is None else tuple(int(size) for size in declared)


def _shape_after(name: str, module: nn.Module, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The shape of what a module gives for an input of ``shape``, which it must be able to take."""
    if shape is None:
        return (module.out_features,) if isinstance(module, nn.Linear) else None
    try:
        with torch.no_grad():
            return tuple(module(torch.zeros(1, *shape)).shape[1:])
    except (RuntimeError, IndexError) as error:
        raise ConfigError(f"{name}: cannot take what arrives, of shape {_listed(shape)}; {one_line(error)}") from error


def _readout(modules: Sequence[nn.Module], shape: tuple[int, ...]) -> nn.Linear | None:
    """The linear layer that reads the last neurons, whose features come flattened."""
    left = [module for module in modules if not isinstance(module, nn.Flatten)]
    names = [type(module).__name__ for module in modules]
    linear = left[0] if left else None
    if len(left) > 1 or not isinstance(linear, nn.Linear | None):
        raise ConfigError(f"graph={names}: must be one linear layer after the last neurons")
    read = linear is None or linear.in_features == math.prod(shape)
    require(read, "graph", names, f"one linear layer that reads all of the last neurons, {_listed(shape)}")
    return linear


def _listed(shape: tuple[int, ...] | None) -> str:
    return str(list(shape or ()))
