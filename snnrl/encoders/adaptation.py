"""Spike-rate adaptation: neurons that fire all the time speak more quietly."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from snnrl.encoders.base import FixedPrecision
from snnrl.errors import require
from snnrl.kernels import count_each
from snnrl.kernels.instant import amplitudes, note_rates
from snnrl.kernels.plain import takes_loop


class RateAdaptation(FixedPrecision):
    """Amplitude of each neuron's spikes, ``min(1, sqrt(target / rate))`` of its running rate.

    Keeps features that are nearly always on from acting as one large bias that drowns the rest: their contribution to
    the variance of a postsynaptic current is held at that of a neuron with the target rate. The rate is learnt for life
    in training mode.

    Args:
        size: number of neurons.
        target: rate per window up to which spikes have full amplitude, in (0, 1].
        horizon: number of observations over which the rate is averaged.

    Raises:
        ConfigError: ``target`` or ``horizon`` out of range.
    """

    rate: Tensor
    seen: Tensor

    FIXED: ClassVar[tuple[str, ...]] = ("target", "horizon")

    def __init__(self, size: int, *, target: float = 0.02, horizon: int = 20_000) -> None:
        super().__init__()
        require(0 < target <= 1, "target", target, "in (0, 1]")
        require(horizon >= 1, "horizon", horizon, "at least 1")
        self.target, self.horizon = target, horizon
        self.register_buffer("rate", torch.full((size,), target, dtype=torch.float32))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def observe(self, index: Tensor, batch: int) -> None:
        """Take note of the neurons ``index`` ``[events]`` that spiked in ``batch`` observations."""
        if takes_loop(self.rate):
            note_rates(index.numpy(), self.rate.numpy(), self.seen.view(1).numpy(), batch, self.horizon)
            return
        self.seen.add_(batch)
        share = (batch / self.seen.clamp_max(self.horizon)).to(self.rate.dtype).clamp_max(0.1)
        counts = count_each(index, len(self.rate)).to(self.rate.dtype)
        self.rate.lerp_(counts / batch, share)

    def forward(self, index: Tensor) -> Tensor:
        """Amplitudes ``[events]`` of the neurons ``index`` ``[events]``."""
        if takes_loop(self.rate):
            out = torch.empty(len(index), dtype=self.rate.dtype)
            amplitudes(index.numpy(), self.rate.numpy(), np.float32(self.target), out.numpy())
            return out
        return torch.sqrt(self.target / self.rate[index].clamp_min(self.target))
