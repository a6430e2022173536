"""Populations at the two ends of a network that is trained by gradient: receptive fields, and pools of an action."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.neurons import IF


class PopulationInput(nn.Module):
    """Cells with Gaussian receptive fields over each dimension, which spike at the rate of their activity.

    Activity ``exp(-(x - mu)^2 / (2 sigma^2))`` drives an integrate-and-fire neuron with soft reset, so spikes are
    regular; centres and widths are trained too (Tang et al. 2020, CoRL, "Deep reinforcement learning with
    population-coded spiking neural network", eq. 1 to 3, deterministic encoding).

    Args:
        dims: dimensions of the input.
        cells: of each dimension.
        sim_steps: steps for which they spike.
        surrogate: name of the surrogate gradient.
        span: centres lie from ``-span`` to ``span``.
    """

    def __init__(self, dims: int, cells: int, sim_steps: int, surrogate: str, span: float = 3.0) -> None:
        super().__init__()
        require(cells >= 2, "cells", cells, "at least 2 for each dimension")
        self.dims, self.cells, self.sim_steps = dims, cells, sim_steps
        self.centres = nn.Parameter(torch.linspace(-span, span, cells).repeat(dims, 1))
        self.widths = nn.Parameter(torch.full((dims, cells), 1.5 * span / (cells - 1)))
        self.neurons = IF(dims * cells, surrogate=surrogate, reset="soft")

    def forward(self, x: Tensor) -> Tensor:
        """Inputs ``[batch, dims]`` to spikes ``[time, batch, dims * cells]``."""
        distance = (x.unsqueeze(-1) - self.centres) / self.widths
        activity: Tensor = torch.exp(-0.5 * distance.square()).flatten(1)
        steady = activity.expand(self.sim_steps, *activity.shape)
        return self.neurons.scan(steady, self.neurons.init_state(len(x)))[0]


class PopulationReadout(nn.Module):
    """A pool of neurons for each action dimension, whose rates a dimension of its own reads (Tang et al. 2020, eq. 8).

    Args:
        dims: action dimensions.
        cells: neurons of each pool.
    """

    def __init__(self, dims: int, cells: int) -> None:
        super().__init__()
        self.dims, self.cells = dims, cells
        bound = 1 / math.sqrt(cells)
        self.weight = nn.Parameter(torch.empty(dims, cells).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(dims))

    def forward(self, rates: Tensor) -> Tensor:
        """Rates ``[batch, dims * cells]`` to action values ``[batch, dims]``."""
        pools = rates.view(len(rates), self.dims, self.cells)
        return (pools * self.weight).sum(2) + self.bias
