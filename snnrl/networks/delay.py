"""Spikes under way."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.spikes import as_dtype


class Delay(nn.Module):
    """Conduction delay of a connection, one for all or one for each presynaptic neuron.

    Args:
        delay: in ms, rounded to whole steps: a number, or ``[*pre_shape]``.
        dt: simulation step in ms.
        pre_shape: shape of the presynaptic population.

    Raises:
        ConfigError: a delay that is negative or not finite, or of another shape.
    """

    steps: Tensor | None
    _anchor: Tensor

    def __init__(self, delay: float | Tensor, dt: float, pre_shape: tuple[int, ...]) -> None:
        super().__init__()
        ms = torch.as_tensor(delay, dtype=torch.float64)
        require(
            ms.dim() == 0 or ms.shape == pre_shape, "delay", list(ms.shape), f"a number or of shape {list(pre_shape)}"
        )
        require(bool((torch.isfinite(ms) & (ms >= 0)).all()), "delay", delay, "at least 0 ms")
        steps = torch.floor(ms / dt + 0.5).to(torch.int64)
        self.longest = int(steps.max())
        self.pre_shape = pre_shape
        uneven = bool((steps != self.longest).any())
        self.register_buffer("steps", steps if uneven else None, persistent=False)
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)

    def init_state(self, batch: int, *, least: int = 0) -> Tensor:
        """No spikes under way: zeros ``[batch, steps, *pre_shape]``; at least ``least`` steps."""
        steps = max(self.longest, least)
        return self._anchor.new_zeros((batch, steps, *self.pre_shape))

    def shift(self, spikes: Tensor, under_way: Tensor) -> tuple[Tensor, Tensor]:
        """The spikes that arrive in a window in which ``spikes`` ``[time, batch, *pre_shape]`` are sent; those left."""
        held = under_way.shape[1]
        if held == 0:
            return spikes, under_way
        spikes = as_dtype(spikes, under_way.dtype) if spikes.dtype == torch.bool else spikes
        line = torch.cat([under_way.transpose(0, 1).to(spikes.dtype), spikes])
        time = spikes.shape[0]
        if self.steps is None:
            arriving = line[:time]
        else:
            index = torch.arange(time, device=spikes.device).view(-1, *[1] * (spikes.dim() - 1)) + (held - self.steps)
            arriving = line.gather(0, index.expand(spikes.shape))
        return arriving, line[time:].transpose(0, 1)

    def at(self, past: Sequence[Tensor], step: int) -> Tensor:
        """The spikes that arrive at ``step``, from all spikes sent, those under way before step 0 first."""
        if self.steps is None:
            return past[step]
        held = len(past) - step
        line = torch.stack(list(past[step:]))
        index = (held - self.steps.clamp_min(1)).expand(line.shape[1:]).unsqueeze(0)
        return line.gather(0, index)[0]
