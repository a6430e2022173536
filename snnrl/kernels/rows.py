"""Loops over rows of numbers: assignments of slices compile many times as long, for the errors that they can raise."""

from __future__ import annotations

from snnrl.kernels.compiling import compiled
from snnrl.types import Array


@compiled()
def fill(out: Array, value: float) -> None:
    """``out[:] = value`` for one dimension."""
    for place in range(out.shape[0]):
        out[place] = value


@compiled()
def copy(out: Array, given: Array) -> None:
    """``out[:] = given`` for one dimension, of the same length."""
    for place in range(out.shape[0]):
        out[place] = given[place]
