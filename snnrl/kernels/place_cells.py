"""Place cells on the CPU: activities of groups of cells, and their regular spikes over a window, in one pass."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled

_LAST = np.float32(1 - 1e-6)
"""The highest phase that is left after a window."""


def place_cell_spikes(
    place: Tensor,
    phase: Tensor,
    centres: Tensor,
    lines: tuple[int, ...],
    grids: tuple[int, ...],
    width: float,
    rate: float,
    steps: int,
) -> tuple[Tensor, Tensor]:
    """Spikes ``[steps, batch, size]`` of a window, and the phase after it.

    Its reference is :class:`~snnrl.encoders.PopulationEncoder`, to which it is equal but for the rounding of a rate.

    Args:
        place: ``[batch, dims]`` in [-1, 1], float32 on the CPU.
        phase: ``[batch, size]`` before the window, likewise.
        centres: of the cells of each group along one dimension, those of ``lines`` and then of ``grids``.
        lines: cells of each one-dimensional group.
        grids: cells along each side of each two-dimensional group.
        width: standard deviation of a tuning curve in units of the cells' spacing.
        rate: summed rate of a group in spikes for each step.
        steps: length of the window.
    """
    batch, size = phase.shape
    spikes, after = torch.empty(steps, batch, size), torch.empty(batch, size)
    fire_cells(
        place.contiguous().numpy(),
        phase.contiguous().numpy(),
        centres.numpy(),
        np.array(lines, np.int64),
        np.array(grids, np.int64),
        np.float32(2 * width),
        np.float32(rate),
        spikes.numpy(),
        after.numpy(),
    )
    return spikes, after


@compiled()
def _tune(
    place: np.float32,
    centres: NDArray[np.float32],
    first: int,
    cells: int,
    spread: np.float32,
    out: NDArray[np.float32],
) -> None:
    """Activities of ``cells`` cells on a line, which sum to 1."""
    scale, half = np.float32(cells - 1) / spread, np.float32(-0.5)
    most, total = np.float32(-np.inf), np.float32(0)
    for cell in range(cells):
        distance = (place - centres[first + cell]) * scale
        out[cell] = half * (distance * distance)
        most = max(most, out[cell])
    for cell in range(cells):
        out[cell] = math.exp(out[cell] - most)
        total += out[cell]
    for cell in range(cells):
        out[cell] /= total


@compiled()
def fire_cells(
    place: NDArray[np.float32],
    phase: NDArray[np.float32],
    centres: NDArray[np.float32],
    lines: NDArray[np.int64],
    grids: NDArray[np.int64],
    spread: np.float32,
    group_rate: np.float32,
    spikes: NDArray[np.float32],
    after: NDArray[np.float32],
) -> None:
    """:func:`place_cell_spikes`; ``spread`` is twice the width, ``after`` may be ``phase``."""
    (batch, dims), size, steps = place.shape, phase.shape[1], spikes.shape[0]
    widest = 1
    for cells in lines:
        widest = max(widest, cells)
    for side in grids:
        widest = max(widest, side)
    tuned = np.empty((dims, widest), np.float32)
    rate, reached = np.empty(size, np.float32), np.empty(size, np.int32)
    for row in range(batch):
        cell, first = 0, 0
        for cells in lines:
            for dim in range(dims):
                _tune(place[row, dim], centres, first, cells, spread, tuned[dim])
                for at in range(cells):
                    rate[cell + at] = tuned[dim, at] * group_rate
                cell += cells
            first += cells
        for side in grids:
            for dim in range(dims):
                _tune(place[row, dim], centres, first, side, spread, tuned[dim])
            first += side
            for one in range(dims):
                for other in range(one + 1, dims):
                    for at in range(side):
                        for across in range(side):
                            rate[cell + across] = tuned[one, at] * tuned[other, across] * group_rate
                        cell += side
        began = phase[row]
        for at in range(size):
            reached[at] = 0
        for step in range(steps):
            time, out = np.float32(step + 1), spikes[step, row]
            for at in range(size):
                now = np.int32(began[at] + rate[at] * time)
                out[at] = min(now - reached[at], 1)
                reached[at] = now
        for at in range(size):
            left = began[at] + rate[at] * np.float32(steps) - np.float32(reached[at])
            after[row, at] = min(max(left, np.float32(0)), _LAST)
