"""One neuron for each value of a Discrete observation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from snnrl.encoders.base import Encoder, regular_spikes
from snnrl.errors import require


class OneHotState(NamedTuple):
    """One-hot spikes need no memory."""


class OneHotEncoder(Encoder[OneHotState]):
    """The neuron of the observed value spikes regularly, the others are silent.

    Args:
        count: number of values.
        start: the lowest value.
        sim_steps: length of the window.
        spikes_per_step: rate of the active neuron, in (0, 1].

    Raises:
        ConfigError: a count below 1 or a rate out of range.
    """

    def __init__(self, count: int, *, start: int = 0, sim_steps: int, spikes_per_step: float = 1.0) -> None:
        super().__init__()
        require(count >= 1, "count", count, "at least 1")
        require(0 < spikes_per_step <= 1, "spikes_per_step", spikes_per_step, "in (0, 1]")
        self.size, self.start, self.sim_steps, self.rate = count, start, sim_steps, spikes_per_step

    def init_state(self, batch: int) -> OneHotState:
        return OneHotState()

    def forward(self, observation: Tensor, state: OneHotState) -> tuple[Tensor, OneHotState]:
        rate = self.rate * functional.one_hot(observation.flatten().long() - self.start, self.size).float()
        spikes, _ = regular_spikes(rate, torch.zeros_like(rate), self.sim_steps)
        return spikes, state
