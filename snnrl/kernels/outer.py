"""Sums of outer products of sparse presynaptic and dense postsynaptic activity."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def add_outer_events(out: Tensor, at: Tensor, row: Tensor, value: Tensor, post: Tensor) -> None:
    """``out[at[e]] += value[e] * post[row[e]]`` for every event ``e``, in their order, in place; CPU tensors.

    The twin of ``out.index_add_(0, at, post[row] * value[:, None])``, without its copies.

    Args:
        out: ``[synapse groups, width]``, contiguous.
        at: ``[events]`` int64.
        row: ``[events]`` int64.
        value: ``[events]``.
        post: ``[rows, width]``.
    """
    _check(at, len(out))
    _check(row, len(post))
    _add(out.numpy(), at.numpy(), row.numpy(), value.detach().numpy(), post.detach().contiguous().numpy())


def _check(index: Tensor, size: int) -> None:
    """The compiled loop would write outside its memory without a word."""
    if len(index) and not 0 <= int(index.min()) <= int(index.max()) < size:
        raise IndexError(f"events from {int(index.min())} to {int(index.max())}: must be in 0 .. {size - 1}")


@numba.njit(cache=True, nogil=True)
def _add(
    out: NDArray[np.float32],
    at: NDArray[np.int64],
    row: NDArray[np.int64],
    value: NDArray[np.float32],
    post: NDArray[np.float32],
) -> None:
    width = post.shape[1]
    for event in range(at.shape[0]):
        target, source, amplitude = at[event], row[event], value[event]
        for neuron in range(width):
            out[target, neuron] += amplitude * post[source, neuron]
