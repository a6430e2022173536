"""What a decision of a spiking policy costs, in operations and in energy."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from snnrl.integrations.sb3.agent import AnySB3Agent
from snnrl.integrations.sb3.observing import preprocessed
from snnrl.integrations.sb3.policies import spiking_policy
from snnrl.networks.coding import PopulationReadout
from snnrl.networks.cost import Cost, LayerCost, layer_costs

MAC, ADD = 4.6, 0.9
"""pJ of a 32-bit floating-point multiplication with addition, and of an addition alone, in 45 nm (Horowitz 2014, ISSCC,
"Computing's energy problem", fig. 1.1.9)."""
MEMORIES = ((8 * 1024, 10.0), (32 * 1024, 20.0), (1024 * 1024, 100.0), (float("inf"), 1300.0))
"""Bytes of a memory, and pJ of reading 64 bits from it: three caches, then DRAM at its best (ibid.)."""
LOIHI = {"operation": 23.6, "update": 81.0}
"""pJ of a synaptic operation and of an active neuron's update on Loihi (Davies et al. 2018, IEEE Micro 38:82, table
2)."""


@torch.no_grad()
def decision_cost(agent: AnySB3Agent, observations: Tensor) -> Cost:
    """What the actor does for one decision, means over observations.

    Args:
        agent: of a spiking policy.
        observations: as the policy is given them, ``[samples, *shape]``.

    Raises:
        ConfigError: a policy without spiking layers.
    """
    networks, readout = spiking_policy(agent.policy, "run").acting_path()
    x = preprocessed(agent, observations)
    layers: list[LayerCost] = []
    for network in networks:
        first = network.spiking_layers()[0].synapses
        x = x.flatten(1) if network.input_cells is not None or isinstance(first, nn.Linear) else x
        layers += layer_costs(network, x)
        x = network(x)
    parameters = sum(p.numel() for module in (*networks, readout) for p in module.parameters())
    reach = 1 if isinstance(readout, PopulationReadout) else readout.out_features
    return Cost(layers, layers[-1].neurons * reach, layers[-1].spikes * reach, parameters)


def firing_rate(agent: AnySB3Agent, observations: Tensor) -> float:
    """Spikes of the actor for each neuron and step."""
    return decision_cost(agent, observations).firing_rate


def energy(cost: Cost) -> dict[str, dict[str, float]]:
    """Estimates in nJ for one decision, ``spiking`` and ``ann`` (of the same shapes), by what is counted.

    ``arithmetic`` is what operations alone take: a membrane's update counts as a multiplication with addition.
    ``with memory`` adds a weight read for every operation, and a potential read and written for every update (an
    activation written and read for every neuron of the ANN), from the smallest memory that holds parameters and
    potentials. ``Loihi`` is what the same operations take on that chip, multiplications of the input as synaptic
    operations.
    """
    word = next(picojoules for size, picojoules in MEMORIES if 4 * (cost.parameters + cost.neurons) <= size) / 2
    spiking = (cost.steady_macs + cost.updates) * MAC + cost.operations * ADD
    ann = cost.macs * MAC
    touched = cost.steady_macs + cost.operations + 2 * cost.updates
    on_chip = (cost.steady_macs + cost.operations) * LOIHI["operation"] + cost.updates * LOIHI["update"]
    found: Mapping[str, dict[str, float]] = {
        "arithmetic": {"spiking": spiking, "ann": ann},
        "with memory": {"spiking": spiking + touched * word, "ann": ann + (cost.macs + 2 * cost.neurons) * word},
        "Loihi": {"spiking": on_chip},
    }
    return {kind: {what: value / 1000 for what, value in values.items()} for kind, values in found.items()}
