"""Place cells on the CPU, a part of :mod:`~snnrl.kernels.decision`.

:class:`snnrl.encoders.PopulationEncoder` is the reference.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled

_LAST = np.float32(1 - 1e-6)
"""The highest phase that is left after a window."""


@compiled()
def _tune(
    place: np.float32,
    centres: NDArray[np.float32],
    first: np.int64,
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
def cell_rates(
    place: NDArray[np.float32],
    centres: NDArray[np.float32],
    lines: NDArray[np.int64],
    grids: NDArray[np.int64],
    spread: np.float32,
    group_rate: np.float32,
    tuned: NDArray[np.float32],
    rate: NDArray[np.float32],
) -> None:
    """Spikes of each cell in a step, ``rate`` ``[size]``, at one place ``[dims]``; ``tuned`` is memory."""
    dims, cell, first = len(place), 0, np.int64(0)  # of one type from the start, or numba compiles _tune twice
    for cells in lines:
        for dim in range(dims):
            _tune(place[dim], centres, first, cells, spread, tuned[dim])
            for at in range(cells):
                rate[cell + at] = tuned[dim, at] * group_rate
            cell += cells
        first += cells
    for side in grids:
        for dim in range(dims):
            _tune(place[dim], centres, first, side, spread, tuned[dim])
        first += side
        for one in range(dims):
            for other in range(one + 1, dims):
                for at in range(side):
                    for across in range(side):
                        rate[cell + across] = tuned[one, at] * tuned[other, across] * group_rate
                    cell += side


@compiled()
def fire_row(
    phase: NDArray[np.float32],
    rate: NDArray[np.float32],
    reached: NDArray[np.int32],
    spikes: NDArray[np.float32],
    row: int,
    after: NDArray[np.float32],
) -> None:
    """Spikes ``[steps, batch, size]`` of a row from its phases, which may be ``after``, those after the window."""
    size, steps = len(phase), len(spikes)
    for at in range(size):
        reached[at] = 0
    for step in range(steps):
        time, out = np.float32(step + 1), spikes[step, row]
        for at in range(size):
            now = np.int32(phase[at] + rate[at] * time)
            out[at] = min(now - reached[at], 1)
            reached[at] = now
    for at in range(size):
        left = phase[at] + rate[at] * np.float32(steps) - np.float32(reached[at])
        after[at] = min(max(left, np.float32(0)), _LAST)
