"""Operations are counted as by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snnrl.networks.cost import fan_out, layer_costs
from snnrl.networks.layered import LayeredNetwork, LayerSettings


def test_two_dense_layers() -> None:
    network = LayeredNetwork.dense(3, [4, 5], LayerSettings(neuron="if", sim_steps=6, tonic=0.0))
    first, second = (layer.synapses for layer in network.layers)
    with torch.no_grad():
        first.weight.zero_()
        first.bias.copy_(torch.tensor([1.0, 0.5, 1 / 3, 0.0]))  # fires in 6, 3, 2 and 0 of 6 steps
        second.weight.zero_()
        second.bias.fill_(0.5)
    one, two = layer_costs(network, torch.zeros(7, 3))
    assert one == (4, 12, 12.0, 0.0, 24, 11.0)
    assert two == (5, 20, 0.0, 11.0 * 5, 30, 15.0)


def test_a_convolution_counts_the_synapses_of_each_pixel() -> None:
    convolution = nn.Conv2d(2, 3, 3, stride=2)
    reach = fan_out(convolution, (2, 6, 6))
    by_hand = torch.zeros(6, 6)
    for row in range(2):
        for column in range(2):
            by_hand[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += 3
    assert torch.equal(reach, by_hand.expand(2, 6, 6))
    assert reach.sum() == 3 * 2 * 2 * 2 * 9  # every output has 2 x 3 x 3 synapses


def test_cells_of_the_input_are_a_layer() -> None:
    network = LayeredNetwork.dense(2, [4], LayerSettings(coding="population", cells=5, sim_steps=3))
    x = torch.randn(6, 2)
    cells, dense = layer_costs(network, x)
    assert network.input_cells is not None
    spikes = float(network.input_cells(x).detach().sum()) / 6
    assert cells.neurons == 10
    assert cells.spikes == spikes
    assert abs(dense.synaptic_operations - 4 * spikes) < 1e-4


def test_a_grouped_convolution_reaches_the_channels_of_its_group() -> None:
    reach = fan_out(nn.Conv2d(4, 6, 2, groups=2), (4, 2, 2))
    assert torch.equal(reach, torch.full((4, 2, 2), 3.0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_costs_on_a_gpu_are_those_on_the_cpu() -> None:
    network = LayeredNetwork.dense(3, [4, 5], LayerSettings(sim_steps=6))
    x = torch.ones(7, 3)
    assert layer_costs(network, x) == layer_costs(network.cuda(), x.cuda())
