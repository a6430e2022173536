"""Sums by index that repeat bit for bit on every device."""

from __future__ import annotations

from torch import Tensor


def add_rows(out: Tensor, index: Tensor, rows: Tensor) -> None:
    """``out[index] += rows`` in place, however often an index occurs.

    On a GPU ``index_add_`` adds by atomic operations, in another order each time, so that the last bits differ from run
    to run; ``index_put_`` sorts the indices first.

    Args:
        out: ``[size, ...]``.
        index: ``[rows]`` int64, in ``0 .. size - 1``.
        rows: ``[rows, ...]``.
    """
    if out.device.type == "cpu":
        out.index_add_(0, index, rows)
    else:
        out.index_put_((index,), rows, accumulate=True)
