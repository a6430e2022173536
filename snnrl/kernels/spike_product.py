"""The product of spikes and weights: the one choice between a dense and an event-driven way, and both of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial

import numba
import numpy as np
import torch
from numba import extending, types
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from snnrl.kernels.compiling import compiled
from snnrl.kernels.threads import share_range
from snnrl.types import Array

SPARSE_BELOW = 0.08
"""Share of active entries below which events win over the dense product (``benchmarks/spike_product.py``)."""
SMALLEST = 1 << 18
"""Weights of fewer synapses are multiplied densely; reading them all is cheaper than looking for events."""
_WIDTH = 64
"""Postsynaptic neurons of one block: one block of the weights of 10,000 inputs about fills a core's second cache."""
_MANY_ROWS = 32
"""Rows from which a product in bfloat16 fills the CPU's matrix tiles."""
_TOGETHER = 4
"""Blocks that are copied together: a row of the weights is then read a kilobyte at a time."""


def spike_product(spikes: Tensor, weight: Tensor) -> Tensor:
    """``spikes @ weight.T`` by whichever way is faster.

    The events are gone through where few entries are active, the matrix is large, no gradient is asked for and the
    CPU does the work; else it is :func:`dense_product`. Equal to it to rounding; events of bfloat16 weights are summed
    in float32, while the dense product of a CPU with matrix tiles rounds the sums to bfloat16 too.

    Args:
        spikes: ``[rows, pre]``; bool, or any values, of which zeros cost nothing.
        weight: ``[post, pre]`` in float32 or bfloat16, laid out by presynaptic neuron (``weight.t()`` is contiguous).

    Returns:
        ``[rows, post]`` in the dtype of ``spikes``; for bool in that of ``weight``, float32 at least.
    """
    if _event_driven(spikes, weight):
        found = collect_events(spikes.detach().contiguous().numpy(), most=SPARSE_BELOW)
        if found is not None:
            return event_product(*found, weight)
    return dense_product(spikes, weight)


def dense_product(spikes: Tensor, weight: Tensor) -> Tensor:
    """The reference implementation of :func:`spike_product`."""
    dtype = torch.promote_types(weight.dtype, torch.float32) if spikes.dtype == torch.bool else spikes.dtype
    return functional.linear(spikes.to(weight.dtype), weight).to(dtype)


def collect_events(
    spikes: Array, most: float = math.inf
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]] | None:
    """The events of ``[rows, pre]`` for :func:`event_product`; ``None`` if their share is ``most`` or more."""
    offsets = np.empty(len(spikes) + 1, np.int64)
    _count(spikes, offsets)
    if offsets[-1] >= most * spikes.size:
        return None
    index, value = np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.float32)
    _collect(spikes, offsets, index, value)
    return index, value, offsets


def event_product(
    index: NDArray[np.int64], value: NDArray[np.float32], offsets: NDArray[np.int64], weight: Tensor
) -> Tensor:
    """Sum the synapses of the neurons that were active, row by row, in float32 and in the order of the events.

    Where the matrix is read more often than once, a block of postsynaptic neurons at a time is copied together and
    served to all rows while it lies in the cache: memory is then read once, however often a neuron spikes.

    Args:
        index: ``[events]`` the presynaptic neuron, rows one after the other.
        value: ``[events]`` its amplitude.
        offsets: ``[rows + 1]`` where the events of each row begin.
        weight: as in :func:`spike_product`.
    """
    by_pre = weight.detach().t()
    rows, (pre, post) = len(offsets) - 1, by_pre.shape
    out = torch.empty(rows, post)
    narrow = by_pre.dtype == torch.bfloat16
    table: Array = by_pre.view(torch.int16).numpy().view(np.uint16) if narrow else by_pre.numpy()
    kernel = _block if offsets[-1] >= 4 * pre else _stream
    share_range(partial(kernel, table, index, value, offsets, out.numpy()), post, _WIDTH)
    return out


def _event_driven(spikes: Tensor, weight: Tensor) -> bool:
    return (
        weight.numel() >= SMALLEST
        and spikes.device.type == "cpu"
        and spikes.dtype in (torch.float32, torch.bool)
        and weight.dtype in (torch.float32, torch.bfloat16)
        and weight.t().is_contiguous()
        and not (torch.is_grad_enabled() and (spikes.requires_grad or weight.requires_grad))
        and not torch.compiler.is_compiling()
        and not (weight.dtype == torch.bfloat16 and len(spikes) >= _MANY_ROWS and _multiplies_bfloat16())
    )


@cache
def _multiplies_bfloat16() -> bool:
    """Whether the CPU has matrix tiles of bfloat16 (Intel AMX): their dense product beats any list of events."""
    return bool(torch.cpu._is_amx_tile_supported())


@compiled()
def _count(spikes: NDArray[np.float32], offsets: NDArray[np.int64]) -> None:
    offsets[0] = 0
    for row in range(spikes.shape[0]):
        active = 0
        for neuron in range(spikes.shape[1]):
            active += spikes[row, neuron] != 0
        offsets[row + 1] = offsets[row] + active


@compiled()
def _collect(
    spikes: NDArray[np.float32], offsets: NDArray[np.int64], index: NDArray[np.int64], value: NDArray[np.float32]
) -> None:
    for row in range(spikes.shape[0]):
        event = offsets[row]
        for neuron in range(spikes.shape[1]):
            if spikes[row, neuron] != 0:
                index[event], value[event] = neuron, spikes[row, neuron]
                event += 1


def _wide(stored: float) -> float:
    """A stored weight as float32: compiled by its type, below."""
    raise NotImplementedError


@extending.overload(_wide, inline="always")
def _compile_wide(stored: np.float32) -> Callable[[np.float32], np.float32]:
    def upper_half_of_a_float(stored: np.float32) -> np.float32:
        return np.uint32(np.uint32(stored) << np.uint32(16)).view(np.float32)

    def as_it_is(stored: np.float32) -> np.float32:
        return stored

    return upper_half_of_a_float if isinstance(stored, types.Integer) else as_it_is


@numba.njit(inline="always")
def _sum_rows(
    packed: NDArray[np.float32],
    index: NDArray[np.int64],
    value: NDArray[np.float32],
    offsets: NDArray[np.int64],
    out: NDArray[np.float32],
    first: int,
    width: int,
) -> None:
    total = np.zeros(_WIDTH, np.float32)
    for row in range(out.shape[0]):
        total[:] = 0
        event, last = offsets[row], offsets[row + 1]
        while event + 4 <= last:  # four at a time, added one after the other: the sum stays in registers
            a, b, c, d = index[event], index[event + 1], index[event + 2], index[event + 3]
            va, vb, vc, vd = value[event], value[event + 1], value[event + 2], value[event + 3]
            for unit in range(_WIDTH):
                total[unit] = (
                    ((total[unit] + va * packed[a, unit]) + vb * packed[b, unit]) + vc * packed[c, unit]
                ) + vd * packed[d, unit]
            event += 4
        while event < last:
            a, va = index[event], value[event]
            for unit in range(_WIDTH):
                total[unit] += va * packed[a, unit]
            event += 1
        for unit in range(width):
            out[row, first + unit] = total[unit]


@compiled()
def _block(
    table: NDArray[np.float32],
    index: NDArray[np.int64],
    value: NDArray[np.float32],
    offsets: NDArray[np.int64],
    out: NDArray[np.float32],
    low: int,
    high: int,
) -> None:
    packed = np.zeros((_TOGETHER, table.shape[0], _WIDTH), np.float32)
    for stripe in range(low, high, _TOGETHER * _WIDTH):
        end = min(stripe + _TOGETHER * _WIDTH, high)
        for neuron in range(table.shape[0]):
            for block in range((end - stripe) // _WIDTH):
                for unit in range(_WIDTH):
                    packed[block, neuron, unit] = _wide(table[neuron, stripe + block * _WIDTH + unit])
            for unit in range(end - (end - stripe) % _WIDTH, end):
                packed[(end - stripe) // _WIDTH, neuron, (unit - stripe) % _WIDTH] = _wide(table[neuron, unit])
        for first in range(stripe, end, _WIDTH):
            block = (first - stripe) // _WIDTH
            _sum_rows(packed[block], index, value, offsets, out, first, min(_WIDTH, high - first))


@compiled()
def _stream(
    table: NDArray[np.float32],
    index: NDArray[np.int64],
    value: NDArray[np.float32],
    offsets: NDArray[np.int64],
    out: NDArray[np.float32],
    low: int,
    high: int,
) -> None:
    for row in range(out.shape[0]):
        out[row, low:high] = 0
        event, last = offsets[row], offsets[row + 1]
        while event + 4 <= last:
            a, b, c, d = index[event], index[event + 1], index[event + 2], index[event + 3]
            va, vb, vc, vd = value[event], value[event + 1], value[event + 2], value[event + 3]
            for unit in range(low, high):
                out[row, unit] = (
                    ((out[row, unit] + va * _wide(table[a, unit])) + vb * _wide(table[b, unit]))
                    + vc * _wide(table[c, unit])
                ) + vd * _wide(table[d, unit])
            event += 4
        while event < last:
            a, va = index[event], value[event]
            for unit in range(low, high):
                out[row, unit] += va * _wide(table[a, unit])
            event += 1
