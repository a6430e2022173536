"""The features of the blob encoder as they are defined, blob by blob, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from snnrl.encoders import BlobEncoder
from snnrl.kernels.blobs import MOST_BLOBS

Blob = tuple[int, int, int]
"""Kind, row and column."""
WORD = 2**64 - 1


def line(family: int, first: int, second: int, down: int, right: int, lines: int) -> int:
    key = (((family * 512 + first) * 512 + second) * 4096 + down + 2048) * 4096 + right + 2048
    key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    key = (key ^ (key >> 27)) * 0x94D049BB133111EB & WORD
    key ^= key >> 31
    return (key >> 32) * lines >> 32


def grade(pixels: int, side: int) -> int:
    """Tiles, each by itself up to four, and then two to an octave."""
    tiles = (2 * abs(pixels) + side) // (2 * side)
    ends = [1, 2, 3, 4, *(end for octave in range(3, 12) for end in (3 * 2 ** (octave - 2), 2**octave))]
    grade = 0 if tiles == 0 else 1 + next(number for number, end in enumerate(ends) if tiles <= end)
    return grade if pixels > 0 else -grade


def blobs_of(frame: NDArray[np.uint8], background: NDArray[np.uint8], gap: int = 1) -> list[Blob]:
    """Groups of pixels of one luminance that are at most ``gap`` apart, in the order of their first pixels."""
    left = [tuple(map(int, pixel)) for pixel in np.argwhere(frame != background)]
    found = []
    while left:
        group = [left.pop(0)]
        for y, x in group:
            near = [p for p in left if max(abs(p[0] - y), abs(p[1] - x)) <= gap and frame[p] == frame[y, x]]
            group += near
            left = [pixel for pixel in left if pixel not in near]
        rows, columns = zip(*group, strict=True)
        middle = (min(rows) + max(rows)) // 2, (min(columns) + max(columns)) // 2
        found.append((int(frame[group[0]]), *middle))
    return found


def lines_of(
    tiles: set[tuple[int, int, int]],
    blobs: Sequence[Blob],
    before: Sequence[Blob],
    code: BlobEncoder,
) -> set[int]:
    """The lines of what is where, of offsets within a picture and over time, and the one that always spikes."""
    rows, columns, lines, pairs, moves = code.features
    found = {lines} | {line(0, kind, 0, row // rows, column // columns, lines) for kind, row, column in tiles}
    blobs, before = blobs[:MOST_BLOBS], before[:MOST_BLOBS]

    def offset(family: int, one: Blob, other: Blob) -> int:
        down, right = grade(other[1] - one[1], rows), grade(other[2] - one[2], columns)
        return line(family, one[0] + 1, other[0] + 1, down, right, lines)

    if pairs:
        found |= {offset(1, *sorted((one, other))) for number, one in enumerate(blobs) for other in blobs[:number]}
    if moves:
        found |= {offset(2, then, now) for then in before for now in blobs}
    return found


def spiking(code: BlobEncoder, *episode: NDArray[Any]) -> list[set[int]]:
    """The lines that spike for each picture of an episode, of which none spikes twice."""
    state, out = code.init_state(1), []
    for picture in episode:
        spikes, state = code(torch.as_tensor(picture if code.layers else picture[None])[None], state)
        assert len(set(spikes.index.tolist())) == len(spikes.index)
        out.append(set(spikes.index.tolist()))
    return out
