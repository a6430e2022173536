"""Third factors: what is done to a modulator before it reaches the synapses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.noise import integers
from snnrl.settings import KnownSettings
from snnrl.spikes import as_dtype


class RunningScale(KnownSettings, nn.Module):
    """Running root mean square of a signal, by which it can be divided.

    Args:
        horizon: number of values over which the mean square is averaged.
    """

    mean_square: Tensor
    seen: Tensor

    def __init__(self, horizon: int = 50_000) -> None:
        super().__init__()
        require(horizon >= 1, "horizon", horizon, "at least 1")
        self.horizon = horizon
        self.register_buffer("mean_square", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, signal: Tensor) -> Tensor:
        """Take note of ``signal`` (any shape) and return the running root mean square, a 0-d tensor."""
        signal = as_dtype(signal, self.mean_square.dtype, "signal")
        self.seen.add_(signal.numel())
        share = (signal.numel() / self.seen.clamp_max(self.horizon)).clamp_max(1.0).to(self.mean_square.dtype)
        self.mean_square.lerp_(signal.square().mean(), share)
        return torch.sqrt(self.mean_square).clamp_min(1e-6)


class Shuffler(KnownSettings, nn.Module):
    """The control that takes a modulator's meaning and leaves its distribution.

    Each value is replaced by a draw from earlier ones, of any time and environment; until the memory is full nothing
    passes at all, so that no true value leaks through.

    Args:
        capacity: number of values remembered.
        generator: where the draws come from.
    """

    memory: Tensor
    written: Tensor

    def __init__(self, capacity: int = 8192, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        require(capacity >= 1, "capacity", capacity, "at least 1")
        self.generator = generator
        self.register_buffer("memory", torch.zeros(capacity))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, modulator: Tensor) -> Tensor:
        """Values drawn from the past in the shape of ``modulator``, or zeros while the memory fills."""
        modulator = as_dtype(modulator, self.memory.dtype, "modulator")
        capacity = len(self.memory)
        draw = integers(capacity, modulator.shape, modulator.device, self.generator)
        shuffled = torch.where(self.written >= capacity, self.memory[draw], torch.zeros_like(modulator))
        latest = modulator.flatten()[-capacity:]
        first = self.written + modulator.numel() - len(latest)
        self.memory[(first + torch.arange(len(latest), device=latest.device)) % capacity] = latest
        self.written.add_(modulator.numel())
        return shuffled
