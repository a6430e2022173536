"""Eligibility of presynaptic neurons that spiked lately, in place of one at every synapse; on the CPU.

:class:`snnrl.plasticity.ThreeFactor` with a dense eligibility is the reference, which these loops follow addition by
addition.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.kernels.outer import require_within
from snnrl.kernels.rows import fill

BLOCK = 16
"""Rows of the batch that lie in memory together: so many are there twice for a moment, as they are updated."""


class Events(NamedTuple):
    """Spikes of the steps of a window, and of the rows of the batch in each of them."""

    row: Tensor
    """``[events]`` int64, step by step."""
    begins: Tensor
    """``[steps * batch]`` int64: where each row's events begin."""
    neuron: Tensor
    """``[events]`` int64."""
    value: Tensor
    """``[events]``."""
    neurons: int
    """How many there are."""


class EligibleRows(NamedTuple):
    """The eligibility of some rows of the batch, one after the other; of all neurons that are not listed it is 0."""

    begins: Tensor
    """``[rows + 1]`` int64: where each row's neurons begin, and the last ones end."""
    neuron: Tensor
    """``[listed]`` int32, presynaptic neurons, each once in a row."""
    left: Tensor
    """``[listed]``: what is left of the newest coincidence."""
    eligibility: Tensor
    """``[listed, post]``: of the neuron's synapses."""


def no_rows(batch: int, width: int, dtype: torch.dtype) -> tuple[EligibleRows, ...]:
    """The eligibility of ``batch`` rows before any spike, for ``width`` postsynaptic neurons."""
    counts = [min(BLOCK, batch - first) for first in range(0, batch, BLOCK)]
    return tuple(
        EligibleRows(
            torch.zeros(count + 1, dtype=torch.int64),
            torch.empty(0, dtype=torch.int32),
            torch.empty(0, dtype=dtype),
            torch.empty((0, width), dtype=dtype),
        )
        for count in counts
    )


def advance(
    blocks: tuple[EligibleRows, ...], pre: Events, post: Tensor, reach: Tensor, waiting: Tensor, through: Tensor
) -> tuple[Tensor, tuple[EligibleRows, ...]]:
    """What eligibility earns in a window, and the eligibility after it.

    A neuron is listed no longer when less is left of its newest coincidence than a rounding error of it.

    Args:
        blocks: before the window.
        pre: what the presynaptic neurons fired.
        post: ``[steps, batch, post]``, by which they are multiplied.
        reach: ``[steps, batch]``: what is left of each step's coincidences after the window, no less of later ones.
        waiting: ``[batch]``: by what eligibility is multiplied in what is earned.
        through: ``[batch]``: what is left of it after the window.

    Returns:
        The sum over rows ``[pre, post]`` of ``waiting`` times eligibility, and the eligibility after the window.

    Raises:
        IndexError: an event beyond the rows of ``post`` or the neurons.
    """
    require_within(pre.row, len(pre.begins))
    require_within(pre.neuron, pre.neurons)
    earned = post.new_zeros((pre.neurons, post.shape[2]))
    begins = torch.cat([pre.begins, torch.tensor([len(pre.row)])])
    parts = begins, pre.neuron, pre.value, post * reach.unsqueeze(2), reach, waiting, through
    window = _Window(*(part.contiguous().numpy() for part in parts))
    least, first, after = float(torch.finfo(post.dtype).eps) / 2, 0, []
    for block in blocks:
        old = _Rows(*(part.numpy() for part in block))
        places = _count(first, old, window, least, pre.neurons)
        made = [part.new_empty((int(places[-1]), *part.shape[1:])) for part in block[1:]]
        new = EligibleRows(torch.from_numpy(places), *made)
        _advance(first, old, window, least, _Rows(*(part.numpy() for part in new)), earned.numpy())
        after.append(new)
        first += len(block.begins) - 1
    return earned, tuple(after)


def as_dense(blocks: tuple[EligibleRows, ...], out: Tensor) -> Tensor:
    """Write the eligibility into ``out`` ``[batch, pre, post]``, in which all is 0."""
    first = 0
    for block in blocks:
        counts = block.begins.diff()
        row = torch.repeat_interleave(torch.arange(first, first + len(counts)), counts).to(out.device)
        out[row, block.neuron.long().to(out.device)] = block.eligibility.to(out)
        first += len(counts)
    return out


class _Rows(NamedTuple):
    """:class:`EligibleRows` as arrays."""

    begins: NDArray[np.int64]
    neuron: NDArray[np.int32]
    left: NDArray[np.float32]
    eligibility: NDArray[np.float32]


class _Window(NamedTuple):
    """What happened in a window; see :func:`advance`."""

    events: NDArray[np.int64]
    """``[steps * batch + 1]``: where the spikes of each step and row begin, and the last ones end."""
    neuron: NDArray[np.int64]
    value: NDArray[np.float32]
    post: NDArray[np.float32]
    """``[steps, batch, post]``, times ``reach``."""
    reach: NDArray[np.float32]
    waiting: NDArray[np.float32]
    through: NDArray[np.float32]


@compiled()
def _count(first: int, old: _Rows, window: _Window, least: float, size: int) -> NDArray[np.int64]:
    """Where each row's neurons will begin after the window; the rows are those of the batch from ``first`` on."""
    (steps, batch), seen = window.reach.shape, np.empty(size, np.int32)
    fill(seen, -1)
    after = np.empty_like(old.begins)
    after[0] = 0
    for row in range(len(after) - 1):
        own, count = first + row, 0
        for step in range(steps):
            if window.reach[step, own] < least:
                continue
            for event in range(window.events[step * batch + own], window.events[step * batch + own + 1]):
                neuron = window.neuron[event]
                count += seen[neuron] != row
                seen[neuron] = row
        for place in range(old.begins[row], old.begins[row + 1]):
            count += old.left[place] * window.through[own] >= least and seen[old.neuron[place]] != row
        after[row + 1] = after[row] + count
    return after


@compiled()
def _advance(first: int, old: _Rows, window: _Window, least: float, new: _Rows, earned: NDArray[np.float32]) -> None:
    (steps, batch), (size, width) = window.reach.shape, earned.shape
    places = np.empty(size, np.int64)
    fill(places, -1)
    for row in range(len(old.begins) - 1):
        own = first + row
        gain, kept = window.waiting[own], window.through[own]
        begin = at = new.begins[row]
        for place in range(old.begins[row], old.begins[row + 1]):
            neuron, before = old.neuron[place], old.eligibility[place]
            change = earned[neuron]
            if gain != 0:
                for unit in range(width):
                    change[unit] += gain * before[unit]
            rest = old.left[place] * kept
            if rest >= least:
                new.neuron[at], new.left[at], places[neuron] = neuron, rest, at
                now = new.eligibility[at]
                for unit in range(width):
                    now[unit] = kept * before[unit]
                at += 1
        for step in range(steps):
            factor, rest = window.post[step, own], window.reach[step, own]
            if rest < least:
                continue
            for event in range(window.events[step * batch + own], window.events[step * batch + own + 1]):
                neuron, amplitude = window.neuron[event], window.value[event]
                place = places[neuron]
                if place < begin:
                    place = at
                    places[neuron], new.neuron[at] = at, neuron
                    fill(new.eligibility[at], 0)
                    at += 1
                new.left[place] = rest
                now = new.eligibility[place]
                for unit in range(width):
                    now[unit] += amplitude * factor[unit]
