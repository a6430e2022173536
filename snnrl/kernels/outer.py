"""Sums of outer products of sparse presynaptic and dense postsynaptic activity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled


def add_outer_events(out: Tensor, row: Tensor, index: Tensor, value: Tensor, post: Tensor) -> None:
    """``out[row[e] % batch, index[e]] += value[e] * post[row[e]]`` for every event, in order and in place; on the CPU.

    Its reference is ``out.flatten(0, 1).index_add_(0, row % batch * pre + index, post[row] * value[:, None])``, without
    its copies.

    Args:
        out: ``[batch, pre, width]``, contiguous.
        row: ``[events]`` int64, a row of ``post``; rows of one batch entry are ``batch`` apart.
        index: ``[events]`` int64, the presynaptic neuron.
        value: ``[events]``.
        post: ``[rows, width]``.

    Raises:
        IndexError: an event beyond ``out`` or ``post``; nothing is written then.
    """
    require_within(row, len(post))
    require_within(index, out.shape[1])
    _add(out.numpy(), row.numpy(), index.numpy(), value.detach().numpy(), post.detach().contiguous().numpy())


def require_within(events: Tensor, size: int) -> None:
    """Raise :class:`IndexError` for events beyond ``0 .. size - 1``."""
    if len(events) and not _within(events.numpy(), size):
        raise IndexError(f"events from {int(events.min())} to {int(events.max())}: must be in 0 .. {size - 1}")


@compiled()
def _within(index: NDArray[np.int64], size: int) -> bool:
    """Whether all are in ``0 .. size - 1``; loops would write outside its memory without a word."""
    outside = 0
    for event in range(index.shape[0]):
        outside += index[event] < 0 or index[event] >= size
    return outside == 0


@compiled()
def _add(
    out: NDArray[np.float32],
    row: NDArray[np.int64],
    index: NDArray[np.int64],
    value: NDArray[np.float32],
    post: NDArray[np.float32],
) -> None:
    batch, (rows, width) = out.shape[0], post.shape
    first, past = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    for source in range(rows):  # with a choice as a gate all others are silent
        for unit in range(width):
            if post[source, unit] != 0:
                first[source] = unit if past[source] == 0 else first[source]
                past[source] = unit + 1
    for event in range(row.shape[0]):
        source, neuron, amplitude = row[event], index[event], value[event]
        target = source % batch
        for unit in range(first[source], past[source]):
            out[target, neuron, unit] += amplitude * post[source, unit]
