"""Observations of any range onto [-1, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from snnrl.encoders.base import FixedPrecision, as_values
from snnrl.errors import require

LEAST_DEVIATION = 1e-6


class Normaliser(FixedPrecision):
    """Maps a vector observation onto [-1, 1] in each dimension.

    Where ``scale`` is given, ``(x - centre) / scale`` is clipped, or squashed by tanh in the dimensions that ``squash``
    marks (which puts resolution around the centre). Without it, a dimension with finite bounds is mapped from them
    linearly; an unbounded one by its running mean and standard deviation, as ``tanh(z / 2)``, learnt for life in
    training mode (Welford 1962, Technometrics 4:419).

    With ``adapt_range`` above 0 every dimension is mapped by a mean of the two: that share of [-1, 1] lies where
    observations are, by their running mean and standard deviation, and the rest is spread evenly over the bounds, or
    where there are none over what has been seen from the lowest to the highest. So bounds that are far from what is
    visited cost but a part of the resolution, and neither what has not been visited yet nor what is rare falls onto one
    place.

    Args:
        low: ``[dims]`` lower bounds; infinite where there is none.
        high: ``[dims]`` upper bounds.
        scale: ``[dims]`` distance from the centre that becomes 1.
        centre: ``[dims]``, zero if not given; only with ``scale``.
        squash: ``[dims]`` of booleans.
        adapt_range: see above, in [0, 1]; without effect where ``scale`` is given.

    Raises:
        ConfigError: lists of another length than the observation, or a scale that is not positive.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("adapt_range",)

    count: Tensor
    mean: Tensor
    spread: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(
        self,
        low: Sequence[float],
        high: Sequence[float],
        *,
        scale: Sequence[float] | None = None,
        centre: Sequence[float] | None = None,
        squash: Sequence[bool] | None = None,
        adapt_range: float = 0.0,
    ) -> None:
        super().__init__()
        dims = len(low)
        for name, value in (("scale", scale), ("centre", centre), ("squash", squash)):
            require(
                value is None or len(value) == dims,
                name,
                value,
                f"a list of {dims} values, one for each dimension of the observation",
            )
        require(centre is None or scale is not None, "centre", centre, "given together with scale, or left out")
        lowest, highest = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        bounded = np.isfinite(lowest) & np.isfinite(highest) & (highest - lowest < 1e6)
        if scale is not None:
            require(min(scale) > 0, "scale", list(scale), "positive numbers")
            bounded = np.ones(dims, dtype=bool)
            middle = np.asarray(centre if centre is not None else np.zeros(dims))
            reach = np.asarray(scale, dtype=np.float64)
        else:
            middle = np.where(bounded, (np.where(bounded, highest, 0) + np.where(bounded, lowest, 0)) / 2, 0.0)
            reach = np.where(bounded, (np.where(bounded, highest, 1) - np.where(bounded, lowest, -1)) / 2, 1.0)
        self.dims = dims
        require(0 <= adapt_range <= 1, "adapt_range", adapt_range, "in [0, 1]")
        self.adapt_range = adapt_range if scale is None else 0.0
        self.adaptive = self.adapt_range > 0 or not bool(bounded.all())
        squashed = np.asarray(squash if squash is not None else np.zeros(dims), dtype=bool)
        for name, array in (("_middle", middle), ("_reach", np.maximum(reach, np.finfo(np.float32).tiny))):
            self.register_buffer(name, torch.as_tensor(array, dtype=torch.float64), persistent=False)
        for name, flags in (("_bounded", bounded), ("_squash", squashed)):
            self.register_buffer(name, torch.as_tensor(flags), persistent=False)
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(dims, dtype=torch.float64))
        self.register_buffer("spread", torch.zeros(dims, dtype=torch.float64))
        if self.adapt_range:
            self.register_buffer("lowest", torch.full((dims,), torch.inf, dtype=torch.float64))
            self.register_buffer("highest", torch.full((dims,), -torch.inf, dtype=torch.float64))

    @torch.no_grad()
    def _observe(self, x: Tensor) -> None:
        rows = x.to(torch.float64)
        batch = rows.shape[0]
        total = self.count + batch
        shift = rows.mean(0) - self.mean
        self.spread += ((rows - rows.mean(0)) ** 2).sum(0) + shift**2 * self.count * batch / total
        self.mean += shift * batch / total
        self.count.copy_(total)
        if self.adapt_range:
            self.lowest.copy_(torch.minimum(self.lowest, rows.amin(0)))
            self.highest.copy_(torch.maximum(self.highest, rows.amax(0)))

    def forward(self, observation: Tensor) -> Tensor:
        """``[batch, dims]`` of any range to ``[batch, dims]`` in [-1, 1]."""
        x = as_values(observation, self.dims)
        middle, reach = (self.get_buffer(name).to(x.dtype) for name in ("_middle", "_reach"))
        scaled = ((x - middle) / reach).to(torch.float32)
        out = torch.where(self.get_buffer("_squash"), torch.tanh(scaled), scaled.clamp(-1, 1))
        if self.adaptive:
            if self.training:
                self._observe(x)
            deviation = torch.sqrt(self.spread / self.count.clamp_min(1))
            deviation = torch.maximum(deviation, self._least_deviation())
            near = torch.tanh(((x - self.mean) / deviation).to(torch.float32) / 2)
            bounded = self.get_buffer("_bounded")
            if self.adapt_range:
                out = torch.lerp(torch.where(bounded, out, self._between_extremes(x)), near, self.adapt_range)
            else:
                out = torch.where(bounded, out, near)
        return out

    def _least_deviation(self) -> Tensor:
        """By which a dimension that hardly varies is divided, ``[dims]``: that of rounding, whatever its unit."""
        if not self.adapt_range:
            return torch.full_like(self.mean, LEAST_DEVIATION)
        return LEAST_DEVIATION * self.mean.abs() + torch.finfo(self.mean.dtype).tiny

    def _between_extremes(self, x: Tensor) -> Tensor:
        """Linearly from the lowest value seen to the highest; 0 before there are two."""
        middle, reach = (self.highest + self.lowest) / 2, (self.highest - self.lowest) / 2
        seen = reach > 0
        scaled = torch.where(seen, (x - middle) / torch.where(seen, reach, 1.0), 0.0)
        return scaled.to(torch.float32).clamp(-1, 1)
