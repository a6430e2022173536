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
    rows, indices, values = torch.empty_like(row), torch.empty_like(index), torch.empty_like(value)
    given, kept = (row.numpy(), index.numpy(), value.numpy()), (rows.numpy(), indices.numpy(), values.numpy())
    count = _keep(given, kept, first, step)
    return rows[:count], indices[:count], values[:count]


@compiled()
def _keep(given: tuple[Array, Array, Array], kept: tuple[Array, Array, Array], first: int, step: int) -> int:
    (row, index, value), (rows, indices, values) = given, kept
    count, by = 0, np.uint64(step)
    for event in range(len(index)):
        neuron = np.uint64(index[event])
        whole = neuron // by
        rows[count], indices[count], values[count] = row[event], whole, value[event]  # and the next one in its place
        count += neuron - whole * by == np.uint64(first)
    return count
