"""The events of every so-manieth neuron, in one pass over all of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.types import Array


def every(row: Tensor, index: Tensor, value: Tensor, first: int, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """The events whose ``index`` is ``first`` beyond a multiple of ``step``, and their number among those, on the CPU.

    :meth:`snnrl.spikes.SparseSpikes.of_neurons` is the reference.

    Args:
        row: ``[events]`` int64.
        index: ``[events]`` int64, not below 0.
        value: ``[events]``.
        first: of ``0 .. step - 1``.
        step: at least 1.

    Returns:
        row, index divided by ``step``, and value of the events that are kept, in their order.
    """
    given = row.numpy(), index.numpy(), value.numpy()
    kept = tuple(np.empty_like(part) for part in given)
    count = _keep(*given, *kept, first, step)
    rows, indices, values = (torch.from_numpy(part[:count]) for part in kept)
    return rows, indices, values


@compiled()
def _keep(
    row: Array, index: Array, value: Array, rows: Array, indices: Array, values: Array, first: int, step: int
) -> int:
    count, by = 0, np.uint64(step)
    for event in range(len(index)):
        neuron = np.uint64(index[event])
        whole = neuron // by
        rows[count], indices[count], values[count] = row[event], whole, value[event]  # and the next one in its place
        count += neuron - whole * by == np.uint64(first)
    return count
