"""Rank order: neurons spike one after the other, the one with the strongest input first."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.encoders.base import Encoder, as_values, require_count, require_steps
from snnrl.errors import require
from snnrl.settings import register


class RankOrderState(NamedTuple):
    """Ranks need no memory."""


@register("rank_order")
class RankOrderEncoder(Encoder[RankOrderState]):
    """Each neuron spikes once, in the order of their values; how strong the input is as a whole plays no part.

    The neuron of rank ``r``, 0 for the greatest value, spikes at step ``floor(r / per_step)`` (Thorpe & Gautrais 1998,
    "Rank order coding", Computational Neuroscience: Trends in Research, 113). Of equal values the first in the
    observation comes first. Contrast and brightness of an image leave its spikes as they are, for every rising
    function of the values has the same ranks.

    Args:
        size: number of values in an observation, one neuron each; of any range.
        sim_steps: length of the window.
        per_step: neurons that spike in a step; ``None`` is as many as let the last rank spike within the window. Ranks
            that come after the window's end are silent.
        threshold: value up to which a neuron is silent; ``None`` for all to spike.

    Raises:
        ConfigError: a number below 1, or an observation of another size or with NaN.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("size", "sim_steps", "per_step", "threshold")

    def __init__(
        self, size: int, *, sim_steps: int, per_step: int | None = None, threshold: float | None = None
    ) -> None:
        super().__init__()
        require_count("size", size, "a positive number of neurons")
        require_steps(sim_steps)
        if per_step is not None:
            require_count("per_step", per_step, "an integer of at least 1, or None")
        require(threshold is None or not math.isnan(threshold), "threshold", threshold, "a number, or None")
        self.size, self.sim_steps, self.threshold = size, sim_steps, threshold
        self.per_step = -(-size // sim_steps) if per_step is None else per_step

    def check(self, observation: Tensor) -> None:
        as_values(observation, self.size)

    def init_state(self, batch: int) -> RankOrderState:
        return RankOrderState()

    def forward(self, observation: Tensor, state: RankOrderState) -> tuple[Tensor, RankOrderState]:
        values = as_values(observation, self.size)
        order = torch.sort(values, dim=1, descending=True, stable=True).indices
        ranks = torch.arange(self.size, device=values.device).expand_as(order)
        step = torch.empty_like(order).scatter_(1, order, ranks) // self.per_step
        if self.threshold is not None:
            step = torch.where(values > self.threshold, step, self.sim_steps)
        time = torch.arange(self.sim_steps, device=values.device)
        return (time.view(-1, 1, 1) == step).to(self.spike_dtype), state
