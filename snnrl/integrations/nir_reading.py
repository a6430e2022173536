"""From a graph of the Neuromorphic Intermediate Representation to a network; see :mod:`snnrl.integrations.nir`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import nir
from torch import Tensor, nn
from torch.nn import functional

from snnrl.errors import ConfigError, require
from snnrl.integrations.nir_graph import chain, flat
from snnrl.integrations.nir_nodes import (
    NEURON_FIELDS,
    Elementwise,
    listed,
    population,
    population_shape,
    positive_dt,
    shape_after,
    synapses,
)
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.neurons import AnyNeuron
from snnrl.settings import is_whole


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
    """The feed-forward network that a graph describes, for one input that stays on for all steps.

    :func:`~snnrl.integrations.nir.network_from_nir` takes graphs of any form, and inputs that change.

    Args:
        graph: affine, linear, convolutional, scaling, pooling and flattening nodes, and LIF, IF and CubaLIF neurons
            behind them, and perhaps a last affine node that reads them. Parameters may be arrays of NumPy or tensors,
            those of neurons single numbers too. Subgraphs are resolved.
        dt: seconds of a step; ``None`` is what the graph's metadata say, else 0.001.
        sim_steps: steps for each input; ``None`` is what the metadata say, else 4.

    Raises:
        ConfigError: a graph that is no chain from its one input to its one output, or a node of another kind, with
            shapes that do not fit, or with a value out of range; the node is named.
    """
    dt = positive_dt(graph.metadata.get("dt", 1e-3) if dt is None else dt)
    steps = graph.metadata.get("sim_steps", 4) if sim_steps is None else sim_steps
    layers: list[nn.Module] = []
    populations: list[AnyNeuron] = []
    waiting: list[nn.Module] = []
    initial: float | None = None
    (_, entry), *between, _ = chain(flat(graph))
    shape = declared(entry.input_type.get("input"))
    for name, node in between:
        if not isinstance(node, tuple(NEURON_FIELDS)):
            waiting.append(synapses(name, node))
            shape = shape_after(name, waiting[-1], shape)
            continue
        found = population_shape(name, node, shape) if shape is None else shape
        require(found is not None, name, type(node).__name__, "of a shape that its parameters or its input tell")
        assert found is not None
        neurons, gain, _, start = population(name, node, dt, found)
        require(neurons.FIRES, name, type(node).__name__, "neurons that spike; network_from_nir takes any")
        require(initial in (None, start), name, start, f"neurons that start alike, at {initial}")
        waiting += [] if gain is None else [Elementwise(gain)]
        layers.append(waiting[0] if len(waiting) == 1 else nn.Sequential(*waiting))
        populations.append(neurons)
        initial, waiting, shape = start, [], neurons.shape
    require(bool(populations), "graph", sorted(graph.nodes), "a graph with spiking neurons")
    readout = _readout(waiting, populations[-1].shape)
    settings = LayerSettings(
        sim_steps=int(steps) if is_whole(steps) else steps, tonic=0.0, initial_potential=initial or 0.0
    )
    return Imported(LayeredNetwork.of(layers, populations, settings), readout)


def declared(shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """The shape of an input, or ``None`` where the graph leaves it open."""
    return None if shape is None else tuple(int(size) for size in shape)


def _readout(modules: Sequence[nn.Module], shape: tuple[int, ...]) -> nn.Linear | None:
    """The linear layer that reads the last neurons, whose features come flattened."""
    left = [module for module in modules if not isinstance(module, nn.Flatten)]
    names = [type(module).__name__ for module in modules]
    linear = left[0] if left else None
    if len(left) > 1 or not isinstance(linear, nn.Linear | None):
        raise ConfigError(f"graph={names}: must be one linear layer after the last neurons")
    read = linear is None or linear.in_features == math.prod(shape)
    require(read, "graph", names, f"one linear layer that reads all of the last neurons, {listed(shape)}")
    return linear
