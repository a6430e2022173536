"""All ways in which a layer can be run give the same spikes: compiled loops, plain loops, both precisions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from snnrl.networks.layered import LayeredNetwork, LayerSettings, SpikingLayer
from snnrl.neurons import IF, LIF, LSNN, AdaptiveLIF, CurrentLIF, DiehlCook

STEPS = 6
MODELS: dict[type[Any], dict[str, Any]] = {
    LIF: {"tau_mem": 5.0, "decay_input": False},
    IF: {},
    AdaptiveLIF: {"tau_mem": 5.0, "decay_input": False, "increment": 0.3},
    LSNN: {"tau_mem": 5.0, "decay_input": False},
    CurrentLIF: {"tau_mem": 5.0, "decay_input": False},
    DiehlCook: {"tau_mem": 5.0, "decay_input": False, "theta_plus": 0.1},
}
POTENTIALS = [(0.0, 1.0, 0.0), (-0.5, 0.7, -0.2), (0.25, 0.75, 0.5), (-65.0, -64.0, -64.5)]
"""Rest, threshold and reset."""


def layers(kind: type[Any], start: float, **settings: Any) -> list[SpikingLayer]:
    """The same layer, each to be run another way."""
    kept = {**MODELS[kind], **settings, "surrogate": "atan"}
    each = {"v_threshold": torch.full((4,), settings["v_threshold"])}
    ways = [{}, each, *[{"learnable": [name]} for name in kind.LEARNABLE], {"tau_trace": 3.0}]
    run = LayerSettings(sim_steps=STEPS, initial_potential=start)
    return [SpikingLayer(nn.Identity(), kind(4, **{**kept, **way}), run).eval() for way in ways]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(("rest", "threshold", "after"), POTENTIALS)
@pytest.mark.parametrize("start", [0.0, 0.5])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_every_way_fires_alike_from_the_first_step_on(
    kind: type[Any], rest: float, threshold: float, after: float, start: float, reset: str
) -> None:
    if kind is LSNN and reset == "hard":
        return
    current = 1.5 * torch.rand(1, 5, 4, generator=torch.Generator().manual_seed(3)) * (threshold - rest)
    for silence in (0.0, 2.0):
        settings = {"v_rest": rest, "v_threshold": threshold, "v_reset": after, "reset": reset, "t_refractory": silence}
        first, *others = layers(kind, start, **settings)
        wanted = first.trains(current)
        double = layers(kind, start, **settings)[0].double().trains(current.double()).float()
        assert wanted.any()
        for trains in (double, *[layer.trains(current) for layer in others]):
            assert torch.equal(trains, wanted)
        for layer in (first, *others):
            assert torch.equal(layer.counts(current), wanted.sum(0))
            assert torch.equal(layer.counts(current.expand(STEPS, 5, 4)), wanted.sum(0))


@pytest.mark.parametrize("neuron", ["lif", "if", "adaptive_lif", "current_lif"])
def test_the_start_is_a_share_of_the_way_from_rest_to_threshold(neuron: str) -> None:
    """So that potentials that are all shifted change nothing."""
    networks = []
    for shift in (0.0, -0.5, 2.0):
        torch.manual_seed(0)
        shifted = {"v_rest": shift, "v_threshold": shift + 1, "v_reset": shift}
        settings = LayerSettings(neuron=neuron, initial_potential=0.5, neuron_kwargs=shifted)
        networks.append(LayeredNetwork.dense(3, [6, 5], settings).double())
    x = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, *others = [network(x) for network in networks]
    assert first.any()
    assert all(torch.equal(other, first) for other in others)
