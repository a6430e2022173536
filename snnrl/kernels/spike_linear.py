"""A linear layer on spikes, with its gradients, where a sum over the spikes is faster than the product of matrices.

The definition is :func:`torch.nn.functional.linear`; sums are in another order, so that results are equal to rounding.
Forward, each row of the batch adds up the weights of the neurons that spiked; back, each weight's gradient adds up the
gradients of the rows in which its neuron did. Both are sums of the rows of a table, for which torch has vector code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from snnrl.kernels.compiling import compiled
from snnrl.kernels.plain import needs_torch
from snnrl.surrogate import Context

SPARSE_BELOW = 0.25
"""Share of spikes below which the sum is faster (1,024 rows and 256 or 300 neurons, one core of an AMD EPYC)."""
SMALLEST = 1 << 25
"""Multiplications of the dense product below which looking for spikes does not pay."""


def spike_linear(spikes: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """``functional.linear(spikes, weight, bias)``, differentiable in all three.

    Args:
        spikes: ``[rows, pre]``.
        weight: ``[post, pre]``.
        bias: ``[post]``.

    Returns:
        ``[rows, post]``; ``None`` where the dense product is faster, or there is no kernel for the device, dtype or
        values other than 0 and 1.
    """
    parts = (spikes, weight) if bias is None else (spikes, weight, bias)
    if needs_torch() or spikes.dim() != 2 or len(spikes) * weight.numel() < SMALLEST:
        return None
    if any(part.dtype != torch.float32 or part.device.type != "cpu" for part in parts):
        return None
    if torch.is_autocast_enabled("cpu"):
        return None
    events = _events(spikes)
    return None if events is None else _linear(spikes, weight, bias, events)


_Events = tuple[Tensor, Tensor]
"""Which neurons spiked, row after row, and where in that list each row begins ``[rows + 1]``."""


class _LinearContext(Context, Protocol):
    events: _Events


class _Linear(torch.autograd.Function):
    """The gradient of the spikes is a product of matrices: whoever did not spike has one too."""

    @staticmethod
    def forward(ctx: _LinearContext, spikes: Tensor, weight: Tensor, bias: Tensor | None, events: _Events) -> Tensor:
        ctx.save_for_backward(spikes, weight)
        ctx.events = events
        currents = _row_sums(weight.t().contiguous(), events)
        return currents if bias is None else currents.add_(bias)

    @staticmethod
    def backward(ctx: _LinearContext, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        ((spikes, weight), (gradient,)) = ctx.saved_tensors, gradients
        to_spikes, to_weight, to_bias, _ = ctx.needs_input_grad
        found: list[Tensor | None] = [gradient @ weight if to_spikes else None, None, None, None]
        if to_weight and torch.is_grad_enabled():
            found[1] = gradient.t() @ spikes
        elif to_weight:
            found[1] = _row_sums(gradient.contiguous(), _by_neuron(ctx.events, spikes.shape[1])).t()
        if to_bias:
            found[2] = gradient.sum(0)
        return tuple(found)


_linear: Callable[[Tensor, Tensor, Tensor | None, _Events], Tensor] = _Linear.apply


def _row_sums(table: Tensor, events: _Events) -> Tensor:
    """For each list of events, the sum of the rows of ``table`` that it names."""
    index, offsets = events
    return functional.embedding_bag(index, table, offsets, mode="sum", include_last_offset=True)


def _events(spikes: Tensor) -> _Events | None:
    """The events of each row; ``None`` where they are too many, or not all of them are 1."""
    rows, pre = spikes.shape
    most = int(SPARSE_BELOW * rows * pre)
    index, offsets = torch.empty(most + pre, dtype=torch.int32), torch.empty(rows + 1, dtype=torch.int32)
    found = _find(spikes.detach().contiguous().numpy(), most, index.numpy(), offsets.numpy())
    return (index[:found], offsets) if found >= 0 else None


def _by_neuron(events: _Events, pre: int) -> _Events:
    """The same events: for each neuron, the rows in which it spiked."""
    index, offsets = events
    rows, begins = torch.empty_like(index), torch.empty(pre + 1, dtype=torch.int32)
    _turn(index.numpy(), offsets.numpy(), rows.numpy(), begins.numpy())
    return rows, begins


@compiled()
def _find(spikes: NDArray[np.float32], most: int, index: NDArray[np.int32], offsets: NDArray[np.int32]) -> int:
    """Write down the events and give their number; -1 where there are more than ``most``, or one is not 1."""
    found = 0
    offsets[0] = 0
    for row in range(spikes.shape[0]):
        if found > most:
            return -1
        values, first, odd = spikes[row], found, False
        for neuron in range(values.shape[0]):
            index[found] = neuron  # kept if it spiked: a branch would be guessed wrong for every other spike
            found += 1 if values[neuron] != 0 else 0
        for event in range(first, found):
            odd |= values[index[event]] != 1
        if odd:
            return -1
        offsets[row + 1] = found
    return found if found <= most else -1


@compiled()
def _turn(
    index: NDArray[np.int32], offsets: NDArray[np.int32], rows: NDArray[np.int32], begins: NDArray[np.int32]
) -> None:
    """Sort events of rows by their neurons."""
    begins[:] = 0
    for event in range(index.shape[0]):
        begins[index[event] + 1] += 1
    for neuron in range(begins.shape[0] - 1):
        begins[neuron + 1] += begins[neuron]
    free = begins.copy()
    for row in range(offsets.shape[0] - 1):
        for event in range(offsets[row], offsets[row + 1]):
            neuron = index[event]
            rows[free[neuron]] = row
            free[neuron] += 1
