"""Pictures to blobs, and blobs to the input lines that spike: what is where, and at what offset from what else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled
from snnrl.types import Array

MOST_BLOBS = 128
"""Blobs of a picture that offsets are taken of; they are found row by row, and what is beyond is seen by its tiles."""
WORD = 8
"""Bytes that are compared with the background at once; frames have a multiple of so many columns."""
NEAR = 4
"""Tiles up to which offsets are told apart one by one; must be a power of two."""
TILE, PAIR, MOVE = 0, 1, 2
"""The three families of features."""


class BlobFeatures(NamedTuple):
    """Which features there are, and how many lines they are hashed to."""

    tile_rows: int
    """Rows of a tile."""
    tile_columns: int
    lines: int
    pairs: bool
    """Offsets between two blobs of a picture."""
    moves: bool
    """Offsets between a blob of the last picture and one of this."""


class Events(NamedTuple):
    """What spikes, and what is remembered."""

    row: Array
    """``[events]``, ascending."""
    line: Array
    """``[events]``, each line of a row once, the last of them the one that always spikes."""
    blobs: NDArray[np.int32]
    """``[batch, MOST_BLOBS, 3]``: kind + 1 (0 for no blob), row and column of each blob."""


def frame_blob_events(
    frames: NDArray[np.uint8],
    background: NDArray[np.uint8],
    before: NDArray[np.int32],
    gap: int,
    features: BlobFeatures,
) -> Events:
    """The lines that spike for grey frames; a blob's kind is its luminance.

    Args:
        frames: ``[batch, rows, columns]``, a multiple of ``WORD`` columns that lie side by side in memory.
        background: ``[rows, columns]``; pixels like it belong to no blob.
        before: the ``blobs`` of the last frame.
        gap: pixels of one luminance belong together if so many rows and columns apart at most; 1 for neighbours.
        features: what is made of the blobs.
    """
    words = frames.view(np.uint64), background.view(np.uint64)
    return Events(*_frame_events(frames, background, *words, before, gap, features))


def layer_blob_events(layers: NDArray[np.bool_], before: NDArray[np.int32], features: BlobFeatures) -> Events:
    """The lines that spike for boolean maps ``[batch, layers, rows, columns]``.

    Every cell that is set is a blob; its kind is its layer. For the other arguments see :func:`frame_blob_events`.
    """
    return Events(*_layer_events(layers, before, features))


@compiled()
def _frame_events(
    frames: NDArray[np.uint8],
    background: NDArray[np.uint8],
    words: NDArray[np.uint64],
    still: NDArray[np.uint64],
    before: NDArray[np.int32],
    gap: int,
    features: BlobFeatures,
) -> tuple[Array, Array, NDArray[np.int32]]:
    batch, rows, columns = frames.shape
    by_row, by_column = _grades(rows, features.tile_rows), _grades(columns, features.tile_columns)
    blobs = np.zeros_like(before)
    seen = np.zeros(features.lines, dtype=np.int32)
    most = _most(rows * columns, features)
    events = np.empty(2 * most, dtype=np.int64)
    ends = np.zeros(batch, dtype=np.int64)
    runs = np.empty((rows * columns, 5), dtype=np.int32)
    starts = np.empty(rows + 1, dtype=np.int32)
    boxes = np.empty((rows * columns, 4), dtype=np.int32)
    count = 0
    for b in range(batch):
        events = _with_room(events, count, most)
        found = _find_runs(frames[b], background, words[b], still, runs, starts)
        _join(runs, starts, gap)
        _list_blobs(runs[:found], boxes, blobs[b])
        for run in range(found):
            tile_row, kind = runs[run, 0] // features.tile_rows, runs[run, 3]
            for tile in range(runs[run, 1] // features.tile_columns, (runs[run, 2] - 1) // features.tile_columns + 1):
                line = _line(TILE, kind, 0, tile_row, tile, features.lines)
                if seen[line] != b + 1:
                    seen[line] = b + 1
                    events[count] = line
                    count += 1
        count = ends[b] = _offsets(b, before[b], blobs[b], by_row, by_column, seen, events, count, features)
    return _rows_of(ends), events[:count].copy(), blobs


@compiled()
def _layer_events(
    layers: NDArray[np.bool_], before: NDArray[np.int32], features: BlobFeatures
) -> tuple[Array, Array, NDArray[np.int32]]:
    batch, kinds, rows, columns = layers.shape
    by_row, by_column = _grades(rows, features.tile_rows), _grades(columns, features.tile_columns)
    blobs = np.zeros_like(before)
    seen = np.zeros(features.lines, dtype=np.int32)
    most = _most(kinds * rows * columns, features)
    events = np.empty(2 * most, dtype=np.int64)
    ends = np.zeros(batch, dtype=np.int64)
    count = 0
    for b in range(batch):
        events = _with_room(events, count, most)
        found = 0
        for kind in range(kinds):
            for y in range(rows):
                for x in range(columns):
                    if not layers[b, kind, y, x]:
                        continue
                    if found < MOST_BLOBS:
                        blobs[b, found, 0] = kind + 1
                        blobs[b, found, 1] = y
                        blobs[b, found, 2] = x
                        found += 1
                    line = _line(TILE, kind, 0, y // features.tile_rows, x // features.tile_columns, features.lines)
                    if seen[line] != b + 1:
                        seen[line] = b + 1
                        events[count] = line
                        count += 1
        count = ends[b] = _offsets(b, before[b], blobs[b], by_row, by_column, seen, events, count, features)
    return _rows_of(ends), events[:count].copy(), blobs


@compiled()
def _most(places: int, features: BlobFeatures) -> int:
    """The largest number of events of a picture."""
    return min(places + MOST_BLOBS * (MOST_BLOBS - 1) // 2 + MOST_BLOBS * MOST_BLOBS, features.lines) + 1


@compiled()
def _with_room(events: NDArray[np.int64], count: int, most: int) -> NDArray[np.int64]:
    """``events``, or a longer array that begins with their first ``count``, if there is no room for ``most`` more."""
    if count + most <= len(events):
        return events
    longer = np.empty(2 * len(events), dtype=np.int64)
    longer[:count] = events[:count]
    return longer


@compiled()
def _rows_of(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of each event, of the places at which rows end."""
    rows = np.empty(ends[-1], dtype=np.int64)
    first = 0
    for b in range(len(ends)):
        rows[first : ends[b]] = b
        first = ends[b]
    return rows


@compiled()
def _find_runs(
    frame: NDArray[np.uint8],
    background: NDArray[np.uint8],
    words: NDArray[np.uint64],
    still: NDArray[np.uint64],
    runs: NDArray[np.int32],
    starts: NDArray[np.int32],
) -> int:
    """Pixels of one luminance that lie side by side and differ from the background, as runs; returns their number.

    A run is ``(row, first column, one past the last, luminance, number of a run that it is joined to)``, at first its
    own; ``starts`` has the first run of each row.
    """
    count = 0
    for y in range(frame.shape[0]):
        starts[y] = count
        past = -1
        for word in range(words.shape[1]):
            if words[y, word] == still[y, word]:
                continue
            for x in range(word * WORD, (word + 1) * WORD):
                luminance = frame[y, x]
                if luminance == background[y, x]:
                    continue
                if past == x and runs[count - 1, 3] == luminance:
                    runs[count - 1, 2] = past = x + 1
                    continue
                runs[count, 0] = y
                runs[count, 1] = x
                runs[count, 2] = past = x + 1
                runs[count, 3] = luminance
                runs[count, 4] = count
                count += 1
    starts[frame.shape[0]] = count
    return count


@compiled()
def _root(runs: NDArray[np.int32], run: int) -> int:
    while runs[run, 4] != run:
        runs[run, 4] = runs[runs[run, 4], 4]
        run = runs[run, 4]
    return run


@compiled()
def _join(runs: NDArray[np.int32], starts: NDArray[np.int32], gap: int) -> None:
    """Join the runs of one luminance that are at most ``gap`` rows and columns apart."""
    for y in range(len(starts) - 1):
        for above in range(max(y - gap, 0), y + 1):
            nearest = starts[above]
            for run in range(starts[y], starts[y + 1]):
                while nearest < starts[above + 1] and runs[nearest, 2] - 1 + gap < runs[run, 1]:
                    nearest += 1
                end = run if above == y else starts[above + 1]
                for other in range(nearest, end):
                    if runs[other, 1] > runs[run, 2] - 1 + gap:
                        break
                    if runs[other, 3] != runs[run, 3]:
                        continue
                    one, two = _root(runs, run), _root(runs, other)
                    runs[max(one, two), 4] = min(one, two)


@compiled()
def _list_blobs(runs: NDArray[np.int32], boxes: NDArray[np.int32], blobs: NDArray[np.int32]) -> None:
    """Put the kind and the middle of the bounding box of each blob into ``blobs``, in the order of their first runs."""
    for run in range(len(runs)):
        y, first, last = runs[run, 0], runs[run, 1], runs[run, 2] - 1
        root = _root(runs, run)
        if root == run:
            boxes[root, 0] = y
            boxes[root, 2] = first
            boxes[root, 3] = last
        boxes[root, 1] = y
        boxes[root, 2] = min(boxes[root, 2], first)
        boxes[root, 3] = max(boxes[root, 3], last)
    found = 0
    for run in range(len(runs)):
        if runs[run, 4] == run and found < MOST_BLOBS:
            blobs[found, 0] = runs[run, 3] + 1
            blobs[found, 1] = (boxes[run, 0] + boxes[run, 1]) // 2
            blobs[found, 2] = (boxes[run, 2] + boxes[run, 3]) // 2
            found += 1


@compiled()
def _offsets(
    b: int,
    before: NDArray[np.int32],
    blobs: NDArray[np.int32],
    by_row: NDArray[np.int64],
    by_column: NDArray[np.int64],
    seen: NDArray[np.int32],
    events: NDArray[np.int64],
    count: int,
    features: BlobFeatures,
) -> int:
    """Add the lines of the offsets of all pairs, and the one that always spikes; returns the number of events."""
    for now in range(MOST_BLOBS):
        kind, y, x = blobs[now, 0], blobs[now, 1], blobs[now, 2]
        if kind == 0:
            break
        if features.pairs:
            for other in range(now):
                first, second = blobs[other, 0], kind
                down, right = y - blobs[other, 1], x - blobs[other, 2]
                if first > second or (first == second and (down < 0 or (down == 0 and right < 0))):
                    first, second, down, right = second, first, -down, -right
                line = _line(PAIR, first, second, by_row[down], by_column[right], features.lines)
                if seen[line] != b + 1:
                    seen[line] = b + 1
                    events[count] = line
                    count += 1
        if features.moves:
            for then in range(MOST_BLOBS):
                if before[then, 0] == 0:
                    break
                down, right = y - before[then, 1], x - before[then, 2]
                line = _line(MOVE, before[then, 0], kind, by_row[down], by_column[right], features.lines)
                if seen[line] != b + 1:
                    seen[line] = b + 1
                    events[count] = line
                    count += 1
    events[count] = features.lines
    return count + 1


@compiled()
def _grades(pixels: int, side: int) -> NDArray[np.int64]:
    """Offsets of less than ``pixels`` in tiles, rounded; beyond ``NEAR`` tiles in steps of about half an octave.

    A step each for 0, 1, 2, 3, 4, 5 or 6, 7 or 8, 9 to 12, 13 to 16, 17 to 24, ... tiles. Negative offsets lie at the
    end, where a negative index finds them.
    """
    grades = np.zeros(2 * pixels, dtype=np.int64)
    grade, past = NEAR, NEAR
    for offset in range(pixels):
        tiles = (2 * offset + side) // (2 * side)
        while past < tiles:
            grade += 1
            past += past // 2 if past & (past - 1) == 0 else past // 3
        grades[offset] = min(tiles, grade)
        grades[-offset] = -grades[offset]
    return grades


@compiled()
def _line(family: int, first: int, second: int, down: int, right: int, lines: int) -> np.int64:
    """The line of a feature: a hash of it in ``0 .. lines - 1``.

    The mixing is that of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA, "Fast splittable pseudorandom number
    generators"), which is the same on every machine.
    """
    key = np.uint64((((family * 512 + first) * 512 + second) * 4096 + down + 2048) * 4096 + right + 2048)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    key ^= key >> np.uint64(31)
    return np.int64(((key >> np.uint64(32)) * np.uint64(lines)) >> np.uint64(32))
