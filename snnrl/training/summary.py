"""What a result depends on besides its settings, and how sure it is."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnrl.textfiles import write_text
from snnrl.types import Settings

_PACKAGES = ("snnrl", "torch", "torchvision", "gymnasium", "ale-py", "numpy")


Summary = Settings
"""What a run came to, by name; values as JSON has them."""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def write_json(path: Path, content: Settings) -> None:
    """Write ``content`` so that a reader, or a run killed meanwhile, finds the old file or the whole new one."""
    write_text(path, json.dumps(content, indent=2) + "\n")


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
