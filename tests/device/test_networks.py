"""Every neuron, every rule on every connection, and networks trained by gradient, on a GPU as on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.networks import Network
from snnrl.networks.cost import layer_costs
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.state import leaves
from tests.neurons.every_neuron import MODELS
from tests.plasticity.test_rules_on_connections import KINDS, RULES, Case
from tests.simulated_gpu import Cost, simulated_gpu

WINDOW = {
    **{"McCullochPitts": 50, "IF": 25, "IF, soft": 25, "LIF": 25, "LIF, soft": 25, "CurrentLIF": 25},
    **{"AdaptiveLIF": 200, "LSNN": 213, "DiehlCook": 330, "DiehlCook, one spike": 380, "Izhikevich": 400, "SRM0": 250},
    **{"CumulativeSRM": 180, "LeakyIntegrator": 20, "EscapeNoise": 20, "SaturatingIF": 25},
}
"""Kernels of a window of 12 steps; those of models without a scan of their own grow with the steps."""
RULE = {
    **{"STDP": 130, "WeightDependentSTDP": 140, "TripletSTDP": 157, "Hebbian": 76, "Oja": 132, "Homeostasis": 70},
    **{"MSTDP": 132, "MSTDPET": 220, "TDSTDP": 135, "Rmax": 135, "FirstSpikeSTDP": 80, "WinnerTakeAllSTDP": 135},
    **{"DeltaRule": 65, "EProp": 530},
}
"""Kernels of a change by a rule, on the connection on which it needs most."""


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.3).float()


def run(name: str, device: str) -> Iterator[Tensor]:
    """What a population fires in a window, and in another one with clamped neurons and an injected current."""
    model = MODELS[name]
    drawing = {"generator": torch.Generator().manual_seed(0)} if model.stochastic else {}
    network, weight = Network(), 3 * torch.rand((6, 5), generator=torch.Generator().manual_seed(2))
    network.add("input", 5)
    network.add("neurons", model.kind(6, **model.settings, **drawing))
    network.connect("input", "neurons", Dense(5, 6, weight=weight))
    network.to(device)
    given = {"input": spikes(12, 3, 5).to(device)}
    network.run(given)
    yield given["input"]
    record, state = network.run(given)
    yield record["neurons"]["spikes"]
    clamp, more = torch.zeros(6, dtype=torch.bool), torch.ones(6)
    record, _ = network.run(given, state, clamp={"neurons": clamp.to(device)}, inject={"neurons": more.to(device)})
    yield record["neurons"]["spikes"]


@pytest.mark.parametrize("name", MODELS)
def test_every_neuron_fires_as_on_the_cpu_at_a_known_cost(name: str) -> None:
    expected = list(run(name, "cpu"))
    draws = MODELS[name].stochastic
    with simulated_gpu() as counts:
        there = run(name, "cuda")
        next(there)
        counts.reset()
        found = [next(there)]
        counts.check(Cost(WINDOW[name], to_gpu=12 * draws, waits=1))
        found += there
    for value, here in zip(found, expected[1:], strict=True):
        torch.testing.assert_close(value.cpu(), here)


def learned(name: str, kind: str, device: str) -> Iterator[tuple[Tensor, ...]]:
    """A current; the change by a rule and the rule's state; and the weights after it."""
    case = Case(name, kind, batch=2)
    case.connection.to(device)
    case.rule.to(device)
    case.pre, case.post = case.pre.to(device), case.post.to(device)
    case.modulator = None if case.modulator is None else case.modulator.to(device)
    state = case.start()
    yield (case.connection(case.pre[0]),)
    change, state = case.change(state)
    case.connection.apply_(change)
    yield (case.connection.weight, change, *leaves(state))


@pytest.mark.parametrize("name", RULES)
def test_every_rule_changes_every_connection_as_on_the_cpu_at_a_known_cost(name: str) -> None:
    for kind in [kind for kind in KINDS if not (name == "EProp" and kind.startswith("convolution"))]:
        expected = list(learned(name, kind, "cpu"))
        with simulated_gpu() as counts:
            there = learned(name, kind, "cuda")
            current = next(there)
            counts.reset()
            changed = next(there)
            counts.check(Cost(RULE[name]))
            for values, known in zip((current, changed), expected, strict=True):
                for value, here in zip(values, known, strict=True):
                    torch.testing.assert_close(value.cpu(), here, msg=lambda text, kind=kind: f"{kind}: {text}")


LAYERED: dict[str, tuple[dict[str, Any], float]] = {
    "usual": ({}, 63),
    "hard reset": ({"neuron": "lif", "reset": "hard"}, 63),
    "adaptive": ({"neuron": "adaptive_lif"}, 260),
    "synaptic current, leaky readout": ({"neuron": "current_lif", "readout": "leaky"}, 80),
    "learnable neurons": ({"neuron": "lif", "learnable": ("tau_mem", "v_threshold")}, 520),
    "population coding": ({"coding": "population"}, 107),
    "counted": ({"readout": "count", "initial_potential": 0.5}, 66),
}


def descended(settings: dict[str, Any], device: str) -> Iterator[Tensor]:
    """The output of a layered network and the gradients of its parameters."""
    torch.manual_seed(0)
    network = LayeredNetwork.dense(4, [16, 16], LayerSettings(**settings)).to(device)
    given = torch.randn(8, 4).to(device)
    yield given
    out = network(given)
    out.square().sum().backward()
    yield out.detach()
    yield from (weight.grad for weight in network.parameters() if weight.grad is not None)
    assert layer_costs(network, given)[-1].neurons == 16


@pytest.mark.parametrize("name", LAYERED)
def test_networks_trained_by_gradient_are_those_of_the_cpu_at_a_known_cost(name: str) -> None:
    settings, launches = LAYERED[name]
    expected = list(descended(settings, "cpu"))
    with simulated_gpu() as counts:
        there = descended(settings, "cuda")
        found = [next(there)]
        counts.reset()
        found.append(next(there))
        counts.check(Cost(launches + 2))
        found += there
    for value, here in zip(found, expected, strict=True):
        torch.testing.assert_close(value.cpu(), here, rtol=1e-4, atol=1e-5)
