"""Returns: the unit in which an agent measures reward, and the range of values that its critic has to tell apart."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.settings import KnownSettings

MARGIN = 0.1
"""By what share of the returns' range the critic's reaches beyond it, on either side."""
LARGEST_VALUE = 1 + MARGIN
"""In units of return: how far from zero a range reaches that lies around zero."""


class ValueRange(NamedTuple):
    """Values of a critic that is silent and of one at its highest rate, 0-d tensors."""

    low: Tensor
    high: Tensor


class ReturnScale(KnownSettings, nn.Module):
    """Lowest and highest discounted sum of past rewards, from which follow the unit of reward and the critic's range.

    For each environment ``G <- gamma G + r``, 0 at the start of an episode. Rewards are divided by the largest ``|G|``,
    so that returns are within -1 and 1 whatever the task's units are (dividing by the spread of ``G``: Engstrom et al.
    2020, ICLR, "Implementation matters in deep policy gradients"). Both ends move towards each other by a share of
    their distance at every step, so that what only a beginner gets does not set the unit for good.

    Args:
        gamma: discount of one step, in [0, 1].
        horizon: steps of an environment, summed over all of them, in which a range that is not reached any more shrinks
            by a factor of ``exp(2)``.

    Raises:
        ConfigError: a setting out of range.
    """

    low: Tensor
    high: Tensor

    def __init__(self, gamma: float, *, horizon: int = 100_000) -> None:
        super().__init__()
        require(0 <= gamma <= 1, "gamma", gamma, "in [0, 1]")
        require(horizon >= 1, "horizon", horizon, "at least 1")
        self.gamma, self.horizon = gamma, horizon
        self.register_buffer("low", torch.zeros((), dtype=torch.float64))
        self.register_buffer("high", torch.zeros((), dtype=torch.float64))

    def init_state(self, batch: int) -> Tensor:
        """``[batch]`` discounted sums at the start of an episode, float64."""
        return self.low.new_zeros(batch)

    @torch.no_grad()
    def forward(self, reward: Tensor, began: Tensor, ended: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """Take note of a step.

        Args:
            reward: ``[batch]`` of the step.
            began: ``[batch]`` bool, whether the step only began an episode.
            ended: ``[batch]`` bool, whether it ended one.
            sums: ``[batch]`` before the step, from :meth:`init_state` or the last step.

        Returns:
            ``reward`` in units of return, 0 where an episode began, and the sums after the step.
        """
        sums = (self.gamma * sums + reward).masked_fill(began, 0.0)
        fading = (self.high - self.low) * min(len(sums) / self.horizon, 0.5)
        self.low.copy_(torch.minimum(self.low + fading, sums.min()))
        self.high.copy_(torch.maximum(self.high - fading, sums.max()))
        return (reward / self.unit).to(reward.dtype).masked_fill(began, 0.0), sums.masked_fill(ended, 0.0)

    @property
    def unit(self) -> Tensor:
        """The largest return in size, 0-d; 1 before there was any."""
        largest = torch.maximum(-self.low, self.high)
        return torch.where(largest > 0, largest, torch.ones_like(largest))

    def value_range(self) -> ValueRange:
        """The range of returns, and a tenth of it on either side, in units of return."""
        unit = self.unit
        low, high = self.low / unit, self.high / unit
        margin = MARGIN * (high - low)
        seen = high > low
        return ValueRange(torch.where(seen, low - margin, -1.0), torch.where(seen, high + margin, 1.0))

    def numbers(self) -> tuple[float, float]:
        """:meth:`value_range`, the same numbers, quickly on the CPU; elsewhere the host would wait for them."""
        low, high = self.low.item(), self.high.item()
        if high <= low:
            return -1.0, 1.0
        largest = max(-low, high)
        unit = largest if largest > 0 else 1.0
        low, high = low / unit, high / unit
        margin = MARGIN * (high - low)
        return low - margin, high + margin


class RewardLimit(KnownSettings, nn.Module):
    """Rewards that saturate: those beyond so many times the usual one count as that.

    What is usual is the mean size of rewards other than zero, as they are before the limit. Where most rewards are of a
    kind and a few are many times larger, the few would else decide on what is learned. Phasic dopamine responses
    saturate as well (Stauffer, Lak & Schultz 2014, Curr. Biol. 24:2491).

    Args:
        most: usual rewards that count at most.
        horizon: number of rewards other than zero over which the mean is taken.

    Raises:
        ConfigError: a setting out of range.
    """

    usual: Tensor
    seen: Tensor

    def __init__(self, most: float, *, horizon: int = 10_000) -> None:
        super().__init__()
        require(most > 0, "most", most, "above 0")
        require(horizon >= 1, "horizon", horizon, "at least 1")
        self.most, self.horizon = most, horizon
        self.register_buffer("usual", torch.zeros((), dtype=torch.float64))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, reward: Tensor) -> Tensor:
        """Take note of rewards ``[batch]`` and return them within the limit."""
        size = reward.abs().to(self.usual.dtype)
        paid = (size > 0).sum()
        self.seen.add_(paid)
        share = (paid / self.seen.clamp(1, self.horizon)).clamp_max(1.0)
        self.usual.lerp_(size.sum() / paid.clamp_min(1), share.to(size.dtype))
        limit = (self.most * self.usual).to(reward.dtype)
        return torch.minimum(torch.maximum(reward, -limit), limit)
