"""What a decision of a layered spiking network costs, in operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

from snnrl.networks.layered import LayeredNetwork


class LayerCost(NamedTuple):
    """Operations of one layer for one input, means over inputs."""

    neurons: int
    macs: int
    """Multiplications of a network without spikes and of the same shape."""
    steady_macs: float
    """Multiplications of a constant input current, made once, and of normalised currents."""
    synaptic_operations: float
    """Additions of a weight, one for each synapse that a spike reaches."""
    updates: int
    """Updates of a membrane, one for each neuron and step."""
    spikes: float
    """Spikes that the layer fires."""


class Cost(NamedTuple):
    """Operations of one decision of a policy, means over decisions."""

    layers: list[LayerCost]
    readout_macs: int
    readout_operations: float
    parameters: int

    @property
    def macs(self) -> int:
        """Multiplications of an ANN of the same shapes."""
        return sum(layer.macs for layer in self.layers) + self.readout_macs

    @property
    def steady_macs(self) -> float:
        """Multiplications of the constant input current, and of normalised currents."""
        return sum(layer.steady_macs for layer in self.layers)

    @property
    def operations(self) -> float:
        """Synaptic operations, those of the readout among them."""
        return sum(layer.synaptic_operations for layer in self.layers) + self.readout_operations

    @property
    def updates(self) -> int:
        """Updates of membranes."""
        return sum(layer.updates for layer in self.layers)

    @property
    def neurons(self) -> int:
        """Neurons of all layers."""
        return sum(layer.neurons for layer in self.layers)

    @property
    def spikes(self) -> float:
        """Spikes of all layers."""
        return sum(layer.spikes for layer in self.layers)

    @property
    def firing_rate(self) -> float:
        """Spikes for each neuron and step."""
        return self.spikes / max(self.updates, 1)


@torch.no_grad()
def layer_costs(network: LayeredNetwork, x: Tensor) -> list[LayerCost]:
    """The operations of each layer.

    Args:
        network: the layers; input cells, where there are any, count as the first.
        x: inputs ``[samples, ...]``.
    """
    steps = network.settings.sim_steps
    trains = network.spikes(x)
    costs = []
    arriving = None
    if network.input_cells is not None:
        arriving = network.input_cells(x)
        cells = arriving[0, 0].numel()
        costs.append(LayerCost(cells, 0, float(cells), 0.0, steps * cells, _per_input(arriving)))
    for layer, spikes in zip(network.spiking_layers(), trains, strict=True):
        (synapses,) = (part for part in layer.synapses.modules() if isinstance(part, nn.Linear | nn.Conv2d))
        reach = fan_out(synapses, x.shape[1:] if arriving is None else arriving.shape[2:])
        macs = int(reach.sum())
        neurons = layer.neurons.size
        normalised = 2.0 * neurons * (1 if arriving is None else steps) if layer.norm is not None else 0.0
        if arriving is None:
            costs.append(LayerCost(neurons, macs, macs + normalised, 0.0, steps * neurons, _per_input(spikes)))
        else:
            operations = float((arriving.sum(0).mean(0) * reach.to(arriving)).sum())
            costs.append(LayerCost(neurons, macs, normalised, operations, steps * neurons, _per_input(spikes)))
        arriving = spikes
    return costs


def fan_out(synapses: nn.Linear | nn.Conv2d, shape: Sequence[int]) -> Tensor:
    """How many synapses each input of shape ``shape`` has, in that shape and on their device."""
    if isinstance(synapses, nn.Linear):
        return synapses.weight.new_full(tuple(shape), float(synapses.out_features))
    along: Any = (synapses.stride, synapses.padding, synapses.dilation, synapses.groups)
    out = functional.conv2d(synapses.weight.new_zeros((1, *shape)), synapses.weight, None, *along)
    ones: tuple[Any, ...] = ((1, *shape), torch.ones_like(synapses.weight), torch.ones_like(out))
    reach: Tensor = conv2d_input(*ones, *along)
    return reach[0]


def _per_input(spikes: Tensor) -> float:
    return float(spikes.sum()) / spikes.shape[1]
