"""What a decision of a spiking policy costs, in operations and in energy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.integrations.sb3.acting import acting_part
from snnrl.integrations.sb3.observing import preprocessed
from snnrl.integrations.sb3.player import SB3Agent
from snnrl.networks.coding import PopulationReadout
from snnrl.networks.cost import LayerCost, layer_costs

MAC, ADD = 4.6, 0.9
"""pJ of a 32-bit floating-point multiplication with addition, and of an addition alone, in 45 nm (Horowitz 2014, ISSCC,
"Computing's energy problem", fig. 1.1.9)."""
MEMORIES = ((8 * 1024, 10.0), (32 * 1024, 20.0), (1024 * 1024, 100.0), (float("inf"), 1300.0))
"""Bytes of a memory, and pJ of reading 64 bits from it: three caches, then DRAM at its best (ibid.)."""
LOIHI = {"operation": 23.6, "update": 81.0}
"""pJ of a synaptic operation and of an active neuron's update on Loihi (Davies et al. 2018, IEEE Micro 38:82, table
2)."""


class Cost(NamedTuple):
    """Operations of one decision of the actor."""

    layers: list[LayerCost]
    readout_macs: int
    readout_operations: float
    parameters: int

    @property
    def macs(self) -> int:
        """Multiplications of the twin."""
        return sum(layer.macs for layer in self.layers) + self.readout_macs

    @property
    def steady_macs(self) -> float:
        """Multiplications of the constant input current."""
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
def decision_cost(agent: SB3Agent, observations: Tensor) -> Cost:
    """What the actor does for one decision, means over observations.

    Args:
        agent: of a spiking policy.
        observations: as the policy is given them, ``[samples, *shape]``.

    Raises:
        ConfigError: a policy without spiking layers.
    """
    networks, readout = acting_part(agent.policy)
    require(bool(networks), "run", type(agent.policy).__name__, "of a spiking policy (agent.network=spiking)")
    x = preprocessed(agent, observations)
    layers: list[LayerCost] = []
    for network in networks:
        first = network.layers[0].synapses
        x = x.flatten(1) if network.input_cells is not None or isinstance(first, nn.Linear) else x
        layers += layer_costs(network, x)
        x = network(x)
    parameters = sum(p.numel() for module in (*networks, readout) for p in module.parameters())
    reach = 1 if isinstance(readout, PopulationReadout) else int(readout.out_features)
    return Cost(layers, layers[-1].neurons * reach, layers[-1].spikes * reach, parameters)


def firing_rate(agent: SB3Agent, observations: Tensor) -> float:
    """Spikes of the actor for each neuron and step."""
    return decision_cost(agent, observations).firing_rate


def energy(cost: Cost) -> dict[str, dict[str, float]]:
    """Estimates in nJ for one decision: ``spiking`` and ``twin`` by what is counted.

    ``arithmetic`` is what operations alone take: a membrane's update counts as a multiplication with addition.
    ``with memory`` adds a weight read for every operation, and a potential read and written for every update (an
    activation written and read for every neuron of the twin), from the smallest memory that holds parameters and
    potentials. ``Loihi`` is what the same operations take on that chip, multiplications of the input as synaptic
    operations.
    """
    word = next(picojoules for size, picojoules in MEMORIES if 4 * (cost.parameters + cost.neurons) <= size) / 2
    spiking = (cost.steady_macs + cost.updates) * MAC + cost.operations * ADD
    twin = cost.macs * MAC
    touched = cost.steady_macs + cost.operations + 2 * cost.updates
    on_chip = (cost.steady_macs + cost.operations) * LOIHI["operation"] + cost.updates * LOIHI["update"]
    found: Mapping[str, dict[str, float]] = {
        "arithmetic": {"spiking": spiking, "twin": twin},
        "with memory": {"spiking": spiking + touched * word, "twin": twin + (cost.macs + 2 * cost.neurons) * word},
        "Loihi": {"spiking": on_chip},
    }
    return {kind: {what: value / 1000 for what, value in values.items()} for kind, values in found.items()}
