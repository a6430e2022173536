"""Sums by index that repeat bit for bit on every device."""

from __future__ import annotations

import torch
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


def count_each(index: Tensor, size: int) -> Tensor:
    """How often each of ``0 .. size - 1`` occurs in ``index``, int64 ``[size]``.

    It is ``torch.bincount``, which on a GPU makes the host wait for the largest index.
    """
    if index.device.type == "cpu":
        return torch.bincount(index, minlength=size)
    return index.new_zeros(size).index_add_(0, index, torch.ones_like(index))
