"""Normalised currents, and a readout that counts what is left of the potential too."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnrl.networks.cost import layer_costs
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.networks.normalisation import LayerNorm
from snnrl.neurons import IF, LIF


def made(**settings: Any) -> LayeredNetwork:
    torch.manual_seed(0)
    return LayeredNetwork.dense(5, [16, 12], LayerSettings(**settings))


def inputs(batch: int = 7) -> Tensor:
    return torch.randn(batch, 5, generator=torch.Generator().manual_seed(3))


def by_hand(network: LayeredNetwork, x: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes of the last layer, and its potential after them, step by step with torch's own layer normalisation."""
    layers = network.spiking_layers()
    states, last = [layer.neurons.init_state(len(x)) for layer in layers], []
    for _ in range(network.settings.sim_steps):
        signal = x
        for number, layer in enumerate(layers):
            current, norm = layer.synapses(signal), layer.norm
            if norm is not None:
                current = nn.functional.layer_norm(current, current.shape[1:], norm.weight, norm.bias)
            signal, states[number] = layer.neurons(current, states[number])
        last.append(signal)
    return torch.stack(last), states[-1].v


@pytest.mark.parametrize("readout", ["count", "potential"])
@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("neuron", ["if", "lif", "adaptive_lif", "current_lif"])
def test_features_are_those_of_a_loop_over_steps_and_layers(neuron: str, norm: str, readout: str) -> None:
    network = made(neuron=neuron, norm=norm, readout=readout, sim_steps=6)
    spikes, left = by_hand(network, inputs())
    expected = spikes.sum(0) if readout == "count" else (spikes.sum(0) + left).clamp_min(0)
    assert spikes.mean() > 0.02
    torch.testing.assert_close(network(inputs()), expected)
    assert torch.equal(network.spikes(inputs())[-1], spikes)


@pytest.mark.parametrize("readout", ["count", "potential"])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_gradients_and_a_penalty_on_them_are_those_in_double_precision(reset: str, readout: str) -> None:
    network = made(neuron="lif", norm="layer", readout=readout, reset=reset)
    with torch.no_grad():
        for layer in network.spiking_layers():
            assert isinstance(layer.norm, LayerNorm)
            layer.norm.bias.uniform_(0, 0.5)
    plain = made(neuron="lif", norm="layer", readout=readout, reset=reset).double()
    plain.load_state_dict(network.state_dict())
    results = []
    for each, x in ((network, inputs()), (plain, inputs().double())):
        trained = list(each.parameters())
        loss = (each(x) * torch.linspace(-1, 2, 12).to(x)).square().mean()
        first = torch.autograd.grad(loss, trained, create_graph=True)
        squared = sum((part.square().sum() for part in first), start=x.new_zeros(()))
        results.append([part.detach() for part in (*first, *torch.autograd.grad(squared, trained))])
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-2, atol=1e-3 * float(wanted.abs().max()))
        assert wanted.any()


def test_currents_are_as_large_as_a_threshold_whatever_the_weights() -> None:
    neurons = LIF(50, v_threshold=3.0, v_rest=1.0)
    current = 100 * torch.randn(4, 6, 50) + 20
    normed = LayerNorm(neurons)(current)
    torch.testing.assert_close(normed.mean(-1), torch.zeros(4, 6), atol=1e-5, rtol=0)
    torch.testing.assert_close(normed.std(-1, correction=0), torch.full((4, 6), 2.0))


def test_behind_a_convolution_each_map_has_one_weight() -> None:
    norm = LayerNorm(IF((3, 4, 5)))
    assert norm.weight.shape == norm.bias.shape == (3,)
    current = torch.randn(2, 6, 3, 4, 5)
    expected = nn.functional.layer_norm(current, (3, 4, 5))
    torch.testing.assert_close(norm(current), expected)


def test_count_and_potential_of_integrate_and_fire_neurons_are_the_sum_of_their_input() -> None:
    """Which the count alone rounds, and above one spike a step cuts."""
    current = torch.linspace(-0.5, 1.5, 40).expand(2, -1).clone().requires_grad_()
    for start in (0.0, 0.5):
        neurons = IF(40, reset="soft", surrogate="atan")
        settings = LayerSettings(readout="potential", sim_steps=4, initial_potential=start)
        features = LayeredNetwork.of([nn.Identity()], [neurons], settings)(current)
        torch.testing.assert_close(features, 4 * current.clamp_min(0))
        (gradient,) = torch.autograd.grad(features.sum(), current)
        assert torch.equal(gradient, 4.0 * (current > 0))


def test_normalisation_is_part_of_what_a_decision_costs() -> None:
    plain, normed = (layer_costs(made(norm=norm), inputs()) for norm in ("none", "layer"))
    assert normed[0].steady_macs - plain[0].steady_macs == 2 * 16
    assert normed[1].steady_macs - plain[1].steady_macs == 2 * 12 * 4
