"""What synapses earn from the sparse coincidences of the last windows, on the CPU.

:class:`snnrl.plasticity.TruncatedThreeFactor` is the reference, which these loops follow addition by addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.kernels.outer import require_within


class Recent(NamedTuple):
    """The coincidences of a window, whose rows are its steps and, within each, those of the batch."""

    row: Tensor
    """``[events]`` int64."""
    neuron: Tensor
    """``[events]`` int64, the presynaptic neuron."""
    value: Tensor
    """``[events]``."""
    post: Tensor
    """``[rows, width]``."""
    earned: Tensor
    """``[rows]``, by what they are multiplied."""
    counted: Tensor
    """``[rows]``, what each of them is in the number of coincidences."""


def add_recent(out: Tensor, windows: Sequence[Recent], *, averaged: bool) -> None:
    """Add what all windows earn to ``out``, one after the other and in place.

    Args:
        out: ``[pre, width]``, contiguous.
        windows: the newest last; events of that one have not been seen before and are checked.
        averaged: divide what each synapse earns by the number of its coincidences, if that is above 1.

    Raises:
        IndexError: an event of the newest window beyond ``out`` or ``post``; nothing is written then.
    """
    newest = windows[-1]
    require_within(newest.row, len(newest.post))
    require_within(newest.neuron, len(out))
    target: NDArray[np.float32] = out.numpy()
    given = [tuple(part.contiguous().numpy() for part in window) for window in windows]
    for row, index, value, post, earned, _ in given:
        _add(target, row, index, value, post, earned)
    if averaged:
        number = np.zeros_like(target)
        for row, index, value, post, _, counted in (*given[-2::-1], given[-1]):  # in their order, as the reference
            _count(number, row, index, value, post, counted)
        for row, index, _, post, _, _ in given:
            _divide(target, number, row, index, post)


@compiled()
def _active(post: NDArray[np.float32], first: NDArray[np.int64], past: NDArray[np.int64]) -> None:
    """Between which units each row of ``post`` is not silent: with a choice as a gate most are."""
    rows, width = post.shape
    for source in range(rows):
        first[source], past[source] = 0, 0
        for unit in range(width):
            if post[source, unit] != 0:
                first[source] = unit if past[source] == 0 else first[source]
                past[source] = unit + 1


@compiled()
def _add(
    out: NDArray[np.float32],
    row: NDArray[np.int64],
    index: NDArray[np.int64],
    value: NDArray[np.float32],
    post: NDArray[np.float32],
    earned: NDArray[np.float32],
) -> None:
    first, past = np.empty(len(post), np.int64), np.empty(len(post), np.int64)
    _active(post, first, past)
    for event in range(len(row)):
        source, neuron, amplitude = row[event], index[event], value[event]
        share = earned[source]
        for unit in range(first[source], past[source]):
            out[neuron, unit] += amplitude * (post[source, unit] * share)


@compiled()
def _count(
    number: NDArray[np.float32],
    row: NDArray[np.int64],
    index: NDArray[np.int64],
    value: NDArray[np.float32],
    post: NDArray[np.float32],
    counted: NDArray[np.float32],
) -> None:
    first, past = np.empty(len(post), np.int64), np.empty(len(post), np.int64)
    _active(post, first, past)
    for event in range(len(row)):
        source, neuron = row[event], index[event]
        if value[event] == 0:
            continue
        for unit in range(first[source], past[source]):
            if post[source, unit] != 0:
                number[neuron, unit] += counted[source]


@compiled()
def _divide(
    out: NDArray[np.float32],
    number: NDArray[np.float32],
    row: NDArray[np.int64],
    index: NDArray[np.int64],
    post: NDArray[np.float32],
) -> None:
    """Divide what has been added, each synapse once; after it its ``number`` is 1."""
    first, past = np.empty(len(post), np.int64), np.empty(len(post), np.int64)
    _active(post, first, past)
    for event in range(len(row)):
        source, neuron = row[event], index[event]
        for unit in range(first[source], past[source]):
            if number[neuron, unit] > 1:
                out[neuron, unit] /= number[neuron, unit]
                number[neuron, unit] = 1
