"""Running statistics on the CPU, parts of :mod:`~snnrl.kernels.decision`: a few numbers each, updated in place."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled

_TINY = float(np.finfo(np.float64).tiny)


@compiled()
def update_scale(
    signal: NDArray[np.float32],
    mean_square: NDArray[np.float32],
    seen: NDArray[np.int64],
    horizon: int,
    scale: NDArray[np.float32],
) -> None:
    """:class:`snnrl.plasticity.RunningScale`, its reference; ``scale`` ``[1]`` is what it returns."""
    number, count, total = signal.dtype.type, signal.shape[0], 0.0
    for value in signal:
        total += value * value
    seen[0] += count
    one = np.float32(1)  # as torch divides a number by an integer
    share = number(min(np.float32(count) * (one / np.float32(min(seen[0], horizon))), one))
    mean, old = number(total / count), mean_square[0]
    mean_square[0] = old + share * (mean - old) if share < 0.5 else mean - (mean - old) * (number(1) - share)
    scale[0] = max(number(math.sqrt(mean_square[0])), number(1e-6))


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
    """:meth:`snnrl.plasticity.ReturnScale.forward`, its reference; ``out`` and ``after`` are what it returns."""
    batch, least, most = len(reward), np.inf, -np.inf
    for row in range(batch):
        after[row] = 0.0 if began[row] else gamma * sums[row] + reward[row]
        least, most = min(least, after[row]), max(most, after[row])
    fading = (high[0] - low[0]) * min(batch / horizon, 0.5)
    low[0], high[0] = min(low[0] + fading, least), max(high[0] - fading, most)
    largest = max(-low[0], high[0])
    unit = reward.dtype.type(largest if largest > 0 else 1.0)
    for row in range(batch):
        out[row] = reward.dtype.type(0) if began[row] else reward[row] / unit
        if ended[row]:
            after[row] = 0.0


@compiled()
def limit_rewards(
    reward: NDArray[np.float32], usual: NDArray[np.float64], seen: NDArray[np.int64], most: float, horizon: int
) -> None:
    """:class:`snnrl.plasticity.RewardLimit`, its reference.

    Args:
        reward: ``[batch]``, limited in place.
        usual: ``[1]``, the mean size of rewards other than zero, updated in place, as the next.
        seen: ``[1]``, how many there were.
        most: usual rewards that count at most.
        horizon: number of rewards over which the mean is taken.
    """
    paid, total, one = 0, 0.0, np.float32(1)
    for row in range(len(reward)):
        total += abs(np.float64(reward[row]))
        paid += reward[row] != 0
    seen[0] += paid
    share = np.float64(min(np.float32(paid) / np.float32(min(max(seen[0], 1), horizon)), one))
    mean = total / max(paid, 1)
    apart = mean - usual[0]
    usual[0] = usual[0] + share * apart if share < 0.5 else mean - apart * (1.0 - share)  # as torch.lerp
    limit = np.float32(most * usual[0])
    for row in range(len(reward)):
        reward[row] = min(max(reward[row], -limit), limit)


class Measured(NamedTuple):
    """Buffers of :class:`snnrl.encoders.normalise.Normaliser`, ``[dims]`` each."""

    middle: NDArray[np.float64]
    reach: NDArray[np.float64]
    bounded: NDArray[np.bool_]
    squash: NDArray[np.bool_]
    seen: NDArray[np.float64]
    """``[1]``, how many."""
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    lowest: NDArray[np.float64]
    """With ``adapt_range``, as the next; else of no matter."""
    highest: NDArray[np.float64]


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
    """:class:`snnrl.encoders.normalise.Normaliser`, its reference; ``out`` is what it returns.

    Args:
        x: ``[batch, dims]``.
        measured: against what.
        adapt_range: share of the range that lies where observations are.
        smallest: deviation below which a dimension hardly varies, as a share of its mean with ``adapt_range``.
        learns: whether to take note of ``x``.
        out: ``[batch, dims]`` float32.

    Returns:
        Whether all of ``x`` is finite; else nothing is noted.
    """
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
        least = smallest * abs(mean[dim]) + _TINY if adapt_range > 0 else smallest
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
