"""How sure a mean is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snnrl.types import Array


def bootstrap_interval(
    returns: NDArray[np.float64], seed: int = 0, statistic: Callable[..., Array] = np.mean
) -> tuple[float, float]:
    """95 % bootstrap interval (percentile method, 10,000 resamples; Efron & Tibshirani 1993, ch. 13).

    A single value, or equal ones, have no spread to resample: both ends are the value.

    Args:
        returns: ``[runs]`` or ``[episodes]``.
        seed: of the resampling.
        statistic: whose interval it is, the mean by default; takes an array and ``axis``.
    """
    from scipy.stats import bootstrap  # here, since it takes half a second to import

    if len(returns) < 2 or np.ptp(returns) == 0:
        return float(returns.mean()), float(returns.mean())
    found = bootstrap(
        (returns,), statistic, n_resamples=10_000, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(found.low), float(found.high)


def interquartile_mean(values: NDArray[np.float64], axis: int = 0) -> Array:
    """Mean of the middle half: a quarter of the values is left out at either end, rounded down (Agarwal et al. 2021).

    >>> interquartile_mean(np.array([0.0, 1.0, 2.0, 3.0, 100.0]))
    np.float64(2.0)

    Args:
        values: one for each run along ``axis``.
        axis: that is averaged over.
    """
    cut = values.shape[axis] // 4
    middle = np.take(np.sort(values, axis), range(cut, values.shape[axis] - cut), axis)
    return np.asarray(middle.mean(axis))[()]
