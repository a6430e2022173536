"""How sure a mean is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bootstrap_interval(returns: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean (percentile method, 10,000 resamples; Efron & Tibshirani 1993, ch. 13).

    A single value, or equal ones, have no spread to resample: both ends are the mean.
    """
    from scipy.stats import bootstrap  # here, since it takes half a second to import

    if len(returns) < 2 or np.ptp(returns) == 0:
        return float(returns.mean()), float(returns.mean())
    found = bootstrap(
        (returns,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(found.low), float(found.high)
