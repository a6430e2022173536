from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from snnrl.errors import ConfigError
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.neurons import LeakyIntegrator


def made(settings: LayerSettings, seed: int = 0) -> LayeredNetwork:
    torch.manual_seed(seed)
    return LayeredNetwork.dense(5, [16, 12], settings)


def inputs(batch: int = 7) -> torch.Tensor:
    return torch.randn(batch, 5, generator=torch.Generator().manual_seed(3))


def by_hand(network: LayeredNetwork, x: torch.Tensor) -> torch.Tensor:
    """Spikes of the last layer, step by step through all layers."""
    states = [layer.neurons.init_state(len(x)) for layer in network.layers]
    initial = network.settings.initial_potential
    states = [state._replace(v=state.v + initial) for state in states]
    last = []
    for _ in range(network.settings.sim_steps):
        signal = x
        for number, layer in enumerate(network.layers):
            signal, states[number] = layer.neurons(layer.synapses(signal), states[number])
        last.append(signal)
    return torch.stack(last)


@pytest.mark.parametrize("neuron", ["lif", "if", "adaptive_lif", "current_lif"])
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("initial", [0.0, 0.5])
def test_features_are_those_of_a_loop_over_steps_and_layers(neuron: str, reset: str, initial: float) -> None:
    settings = {"neuron": neuron, "reset": reset, "initial_potential": initial, "sim_steps": 6}
    for readout in ("count", "rate"):
        network = made(LayerSettings(**settings, readout=readout))
        spikes = by_hand(network, inputs())
        expected = spikes.sum(0) if readout == "count" else spikes.mean(0)
        assert spikes.mean() > 0.02
        torch.testing.assert_close(network(inputs()), expected)
        assert torch.equal(network.spikes(inputs())[-1], spikes)


def test_the_leaky_readout_is_a_leaky_integrator_before_a_linear_layer() -> None:
    network = made(LayerSettings(readout="leaky", tau_readout=3.0, sim_steps=6))
    linear = nn.Linear(12, 2, bias=False)
    integrator = LeakyIntegrator(2, tau_mem=3.0, decay_input=False)
    potential, _ = integrator.scan(linear(by_hand(network, inputs())), integrator.init_state(7))
    torch.testing.assert_close(linear(network(inputs())), potential[-1])


@pytest.mark.parametrize("readout", ["count", "rate", "leaky"])
@pytest.mark.parametrize("neuron", ["lif", "if", "adaptive_lif", "current_lif"])
def test_every_weight_gets_a_gradient(neuron: str, readout: str) -> None:
    learnable = () if neuron == "if" else ("tau_mem", "v_threshold")
    for chosen in ((), learnable):
        network = made(LayerSettings(neuron=neuron, readout=readout, learnable=chosen))  # type: ignore[arg-type]
        network(inputs()).square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_a_learned_threshold_starts_where_a_fixed_one_is() -> None:
    fixed, learned = (made(LayerSettings(neuron="lif", learnable=names)) for names in ((), ("v_threshold", "tau_mem")))
    assert torch.equal(fixed(inputs()), learned(inputs()))
    assert len(list(learned.parameters())) == len(list(fixed.parameters())) + 4


def test_cells_of_the_input_carry_its_place() -> None:
    network = made(LayerSettings(coding="population", cells=9, sim_steps=20))
    cells = network.input_cells
    assert cells is not None
    x = torch.tensor([[-2.0, 0.0, 1.0, 2.0, 0.5]])
    counts = cells(x).sum(0).view(5, 9)
    nearest = (x.view(5, 1) - cells.centres).abs().argmin(1)
    assert torch.equal(counts.argmax(1), nearest)
    assert counts.max() >= 19
    network(x).sum().backward()
    assert cells.centres.grad is not None
    assert cells.centres.grad.abs().sum() > 0


def test_bias_currents_differ_from_neuron_to_neuron() -> None:
    bias = made(LayerSettings(tonic=0.5)).layers[0].synapses.bias
    assert 0 <= bias.min() < bias.max() < 0.5
    assert made(LayerSettings(tonic=0.0)).layers[0].synapses.bias.abs().sum() == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"sim_steps": 0}, "sim_steps=0: must be an integer of at least 1"),
        ({"neuron": "liff"}, "neuron=liff: did you mean lif"),
        ({"surrogate": "atn"}, "surrogate=atn: did you mean atan"),
        ({"reset": "none"}, "reset=none: must be soft or hard"),
        ({"tau_mem": 0.5}, "tau_mem=0.5: must be a number of ms that is at least dt"),
        ({"tau_mem": math.nan}, "tau_mem=nan"),
        ({"coding": "poisson"}, "coding=poisson: must be direct or population"),
        ({"readout": "first"}, "readout=first: must be count, rate, leaky or potential"),
        ({"norm": "group"}, "norm=group: must be none, layer or batch"),
        ({"learnable": ("v_rest",)}, "learnable=v_rest"),
        ({"initial_potential": 1.0}, "initial_potential=1.0: must be in"),
        ({"tonic": -1.0}, "tonic=-1.0: must be a number of at least 0"),
        ({"neuron_kwargs": {"tau": 2.0}}, "neuron_kwargs={'tau': 2.0}"),
        ({"coding": "population", "cells": 1}, "cells=1: must be at least 2"),
    ],
)
def test_a_wrong_setting_is_named(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("{", r"\{").replace("(", r"\(")):
        made(LayerSettings(**setting))
