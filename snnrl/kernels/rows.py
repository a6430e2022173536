"""Loops over rows of numbers: assignments of slices compile many times as long, for the errors that they can raise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled


@compiled()
def fill(out: NDArray[np.float32], value: float) -> None:
    """``out[:] = value`` for one dimension."""
    for place in range(out.shape[0]):
        out[place] = value


@compiled()
def copy(out: NDArray[np.float32], given: NDArray[np.float32]) -> None:
    """``out[:] = given`` for one dimension, of the same length."""
    for place in range(out.shape[0]):
        out[place] = given[place]
