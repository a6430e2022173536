"""Running statistics on the CPU: a few numbers each, for which operations of torch cost more than the arithmetic."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled


def running_scale(signal: Tensor, mean_square: Tensor, seen: Tensor, horizon: int) -> Tensor:
    """See :class:`snnrl.plasticity.RunningScale`, its reference.

    Args:
        signal: of float32 or float64 on the CPU.
        mean_square: 0-d of the same dtype; updated in place.
        seen: 0-d int64; likewise.
        horizon: number of values of the mean.
    """
    scale = torch.empty_like(mean_square)
    flat = signal.detach().reshape(-1)
    update_scale(flat.numpy(), mean_square.view(1).numpy(), seen.view(1).numpy(), horizon, scale.view(1).numpy())
    return scale


@compiled()
def update_scale(
    signal: NDArray[np.float32],
    mean_square: NDArray[np.float32],
    seen: NDArray[np.int64],
    horizon: int,
    scale: NDArray[np.float32],
) -> None:
    """:func:`running_scale`, into memory that is given."""
    number, count, total = signal.dtype.type, signal.shape[0], 0.0
    for value in signal:
        total += value * value
    seen[0] += count
    share = number(
        min(np.float32(count) / np.float32(min(seen[0], horizon)), np.float32(1))
    )  # as torch divides integers
    mean, old = number(total / count), mean_square[0]
    mean_square[0] = old + share * (mean - old) if share < 0.5 else mean - (mean - old) * (number(1) - share)
    scale[0] = max(number(math.sqrt(mean_square[0])), number(1e-6))


def discounted_return(
    reward: Tensor, began: Tensor, ended: Tensor, sums: Tensor, low: Tensor, high: Tensor, gamma: float, horizon: int
) -> tuple[Tensor, Tensor]:
    """See :meth:`snnrl.plasticity.ReturnScale.forward`, its reference.

    Args:
        reward: ``[batch]``, of float32 or float64 on the CPU.
        began: ``[batch]`` bool.
        ended: ``[batch]`` bool.
        sums: ``[batch]`` float64.
        low: 0-d float64; updated in place.
        high: likewise.
        gamma: discount.
        horizon: steps in which a range shrinks.

    Returns:
        ``reward`` in units of return, and the sums after the step.
    """
    out, after = torch.empty_like(reward), torch.empty_like(sums)
    arrays = (part.numpy() for part in (reward, began, ended, sums, low.view(1), high.view(1)))
    discount(*arrays, float(gamma), horizon, out.numpy(), after.numpy())
    return out, after


@compiled()
def _unit(low: float, high: float) -> float:
    """The largest return in size; 1 before there was any."""
    largest = max(-low, high)
    return largest if largest > 0 else 1.0


@compiled()
def discount(
    reward: NDArray[np.float32],
    began: NDArray[np.bool_],
    ended: NDArray[np.bool_],
    sums: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    gamma: float,
    horizon: int,
    out: NDArray[np.float32],
    after: NDArray[np.float64],
) -> None:
    """:func:`discounted_return`, into memory that is given."""
    batch, least, most = len(reward), np.inf, -np.inf
    for row in range(batch):
        after[row] = 0.0 if began[row] else gamma * sums[row] + reward[row]
        least, most = min(least, after[row]), max(most, after[row])
    fading = (high[0] - low[0]) * min(batch / horizon, 0.5)
    low[0], high[0] = min(low[0] + fading, least), max(high[0] - fading, most)
    unit = _unit(low[0], high[0])
    for row in range(batch):
        out[row] = 0.0 if began[row] else reward[row] / unit
        if ended[row]:
            after[row] = 0.0


def return_range(low: Tensor, high: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """See :meth:`snnrl.plasticity.ReturnScale.value_range`, its reference; all of it 0-d float64 on the CPU."""
    ends = torch.empty(2, dtype=torch.float64)
    find_range(low.view(1).numpy(), high.view(1).numpy(), margin, ends.numpy())
    return ends[0], ends[1]


@compiled()
def find_range(low: NDArray[np.float64], high: NDArray[np.float64], margin: float, ends: NDArray[np.float64]) -> None:
    """:func:`return_range`, into memory that is given."""
    unit = _unit(low[0], high[0])
    least, most = low[0] / unit, high[0] / unit
    beyond = margin * (most - least)
    ends[0], ends[1] = (least - beyond, most + beyond) if most > least else (-1.0, 1.0)


class Measured(NamedTuple):
    """What observations are measured against; see :func:`normalised`."""

    middle: NDArray[np.float64]
    reach: NDArray[np.float64]
    bounded: NDArray[np.bool_]
    squash: NDArray[np.bool_]
    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]


def normalised(
    x: Tensor, fixed: tuple[Tensor, ...], seen: tuple[Tensor, ...], adapt_range: float, smallest: float, *, learns: bool
) -> Tensor | None:
    """See :class:`snnrl.encoders.normalise.Normaliser`, its reference, for one that adapts.

    Args:
        x: ``[batch, dims]``, of float32 or float64 on the CPU.
        fixed: ``[dims]`` each: middle and reach in float64, what is bounded and what is squashed as bool.
        seen: float64: how many, 0-d, and ``[dims]`` each their mean and spread, and with ``adapt_range`` the lowest and
            the highest; updated in place.
        adapt_range: share of the range that lies where observations are.
        smallest: deviation below which a dimension hardly varies, as a share of its mean with ``adapt_range``.
        learns: whether to take note of ``x``.

    Returns:
        ``[batch, dims]`` float32 in [-1, 1]; ``None``, with nothing noted, for numbers that are not finite.
    """
    out = torch.empty(x.shape, dtype=torch.float32)
    count, mean, spread, *extremes = seen
    lowest, highest = extremes or (mean, mean)
    parts = *fixed, count.view(1), mean, spread, lowest, highest
    measured = Measured(*(part.numpy() for part in parts))
    fine = normalise(x.contiguous().numpy(), measured, float(adapt_range), float(smallest), learns, out.numpy())
    return out if fine else None


@compiled()
def _observe(
    x: NDArray[np.float32],
    count: NDArray[np.float64],
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    lowest: NDArray[np.float64],
    highest: NDArray[np.float64],
    extremes: bool,
) -> None:
    batch, dims = x.shape
    total = count[0] + batch
    for dim in range(dims):
        middle = 0.0
        for row in range(batch):
            middle += x[row, dim]
        middle /= batch
        apart = 0.0
        for row in range(batch):
            apart += (x[row, dim] - middle) ** 2
            if extremes:
                lowest[dim], highest[dim] = min(lowest[dim], x[row, dim]), max(highest[dim], x[row, dim])
        shift = middle - mean[dim]
        spread[dim] += apart + shift**2 * count[0] * batch / total
        mean[dim] += shift * batch / total
    count[0] = total


@compiled()
def normalise(
    x: NDArray[np.float32],
    measured: Measured,
    adapt_range: float,
    smallest: float,
    learns: bool,
    out: NDArray[np.float32],
) -> bool:
    """:func:`normalised`, into memory that is given; whether all of ``x`` was finite."""
    middle, reach, bounded, squash, count, mean, spread, lowest, highest = measured
    number, half = x.dtype.type, np.float32(2)
    low, high, share = np.float32(-1), np.float32(1), np.float32(adapt_range)
    for row in range(x.shape[0]):
        for dim in range(x.shape[1]):
            if not math.isfinite(x[row, dim]):
                return False
    if learns:
        _observe(x, count, mean, spread, lowest, highest, adapt_range > 0)
    for dim in range(x.shape[1]):
        least = smallest * abs(mean[dim]) + np.finfo(np.float64).tiny if adapt_range > 0 else smallest
        deviation = max(math.sqrt(spread[dim] / max(count[0], 1.0)), least)
        between, half_way = (highest[dim] - lowest[dim]) / 2, (highest[dim] + lowest[dim]) / 2
        for row in range(x.shape[0]):
            near = np.float32(math.tanh(np.float32((x[row, dim] - mean[dim]) / deviation) / half))
            if bounded[dim]:
                scaled = np.float32((x[row, dim] - number(middle[dim])) / number(reach[dim]))
                far = np.float32(math.tanh(scaled)) if squash[dim] else min(max(scaled, low), high)
            elif adapt_range > 0:
                scaled = np.float32((x[row, dim] - half_way) / between if between > 0 else 0.0)
                far = min(max(scaled, low), high)
            else:
                out[row, dim] = near
                continue
            if adapt_range > 0:
                # as torch.lerp
                far = far + share * (near - far) if share < 0.5 else near - (near - far) * (high - share)
            out[row, dim] = far
    return True
