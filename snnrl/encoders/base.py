"""What every encoder offers: an observation becomes the spikes of one window of simulation steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from snnrl.spikes import SparseSpikes

S = TypeVar("S", bound=tuple[Any, ...])


class Encoder(nn.Module, ABC, Generic[S]):
    """Turns a batch of observations into spikes.

    An encoder returns either a spike train, a tensor ``[time, batch, size]``, or a volley: the spikes of one instant at
    the window's start, as :class:`~snnrl.spikes.SparseSpikes` with rows ``(batch,)``. What it must remember from one
    observation to the next within an episode is its state; what it learns for life is in its buffers, and changes
    only while the module is in training mode.

    Attributes:
        size: number of neurons.
        fires_volleys: whether it returns volleys.
    """

    size: int
    fires_volleys: bool = False

    @abstractmethod
    def init_state(self, batch: int) -> S:
        """The state at the start of an episode."""

    @abstractmethod
    def forward(self, observation: Tensor, state: S) -> tuple[Tensor | SparseSpikes, S]:
        """Spikes of one window for observations ``[batch, *observation_shape]``."""


def regular_spikes(rate: Tensor, phase: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Regular spiking: each neuron adds its rate at every step and spikes, keeping the rest, on reaching 1.

    Args:
        rate: ``[batch, size]`` spikes for each step, in [0, 1].
        phase: ``[batch, size]`` in [0, 1), what is left from before.
        steps: length of the window.

    Returns:
        Spikes ``[steps, batch, size]`` and the phase after the window.
    """
    time = torch.arange(1, steps + 1, device=rate.device, dtype=rate.dtype)
    reached = torch.floor(phase + rate * time.view(-1, 1, 1))
    spikes = torch.diff(reached, dim=0, prepend=torch.zeros_like(reached[:1])).clamp_max_(1)
    return spikes, (phase + rate * steps - reached[-1]).clamp_(0.0, 1.0 - 1e-6)
