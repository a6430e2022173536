"""Scenes to the neurons that spike: what is where on the screen and around the agent's avatar, and how it moves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled
from snnrl.types import Array

DIRECTIONS = 8
"""Signs of a displacement ``(rows, columns)``, without standing still."""
MOST_OBJECTS = 96
"""Objects of a frame that are remembered for the next; what is beyond is seen without its motion."""
LARGEST_OBJECT = 400
"""Pixels of the largest object whose motion is seen."""
FARTHEST = 24
"""Rows plus columns that an object may have moved since the last frame."""
LEAST_MOVE = 3
"""Rows plus columns that an object must have moved to have a direction; what drifts slowly has none."""
STEEPEST = 5
"""Ratio of the sides of a displacement beyond which the shorter one is taken for jitter."""
BAND, CELL = 8, 4
"""Long and short side of a tile in pixels."""
BLOCK = 16
"""Side of a coarse tile of the map around the avatar."""


class Layout(NamedTuple):
    """Geometry of the maps; rows are those of the cut."""

    rows: int
    """A multiple of ``BLOCK``."""
    width: int
    """A multiple of ``BLOCK``."""
    channels: int
    """Luminance channels, the last of them for any other luminance that differs from the background."""

    @property
    def tiles(self) -> int:
        """Tiles of the map of the screen; the fine map around the avatar has twice as many."""
        return (self.rows // BAND) * (self.width // CELL)

    @property
    def blocks(self) -> int:
        """Tiles of the coarse map around the avatar."""
        return 2 * (self.rows // BLOCK) * (self.width // BLOCK)

    @property
    def size(self) -> int:
        """Number of neurons: the map of the screen, both maps around the avatar, and one that always spikes."""
        return self.tiles * self.channels + (2 * self.tiles + self.blocks) * (self.channels + DIRECTIONS) + 1


class Avatar(NamedTuple):
    """Where the agent's own avatar is looked for; rows are those of the cut."""

    luminance: int
    """-1 for no avatar."""
    top: int
    bottom: int
    left: int
    right: int
    moves_rows: bool
    """Whether the map around the avatar moves with its row."""
    moves_columns: bool
    """Whether it moves with its column."""


def object_events(
    frames: NDArray[np.uint8],
    background: NDArray[np.uint8],
    table: NDArray[np.uint8],
    objects: NDArray[np.int32],
    centre: NDArray[np.int64],
    layout: Layout,
    avatar: Avatar,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """The events of a batch of frames.

    Args:
        frames: ``[batch, visible rows, width]``; missing rows are like the background.
        background: ``[visible rows, width]``.
        table: ``[256]``, the channel of each luminance.
        objects: ``[batch, MOST_OBJECTS, 4]``, channel, row, column and area of the last frame's; area 0 for none.
        centre: ``[batch, 2]``, last known row and column of the avatar.
        layout: geometry of the maps.
        avatar: how the agent's own avatar is found.

    Returns:
        Event rows and neurons (``[events]``, sorted by row), the new ``objects`` and the new ``centre``.
    """
    bits, objects, centre = _see(frames, background, table, objects, centre, layout, avatar)
    row, index = _list(bits, layout.tiles, layout.channels)
    return row, index, objects, centre


@compiled()
def _root(parent: NDArray[np.int32], label: int) -> int:
    while parent[label] != label:
        parent[label] = parent[parent[label]]
        label = parent[label]
    return label


@compiled()
def _see(
    frames: NDArray[np.uint8],
    background: NDArray[np.uint8],
    table: NDArray[np.uint8],
    before: NDArray[np.int32],
    centre: NDArray[np.int64],
    layout: Layout,
    avatar: Avatar,
) -> tuple[NDArray[np.uint16], NDArray[np.int32], NDArray[np.int64]]:
    """Channel bits of each tile ``[batch, tiles of all maps]``, the frame's objects, and the avatar's place."""
    batch, visible, width = frames.shape
    rows = layout[0]
    tiles = (rows // BAND) * (width // CELL)
    bits = np.zeros((batch, 3 * tiles + 2 * (rows // BLOCK) * (width // BLOCK)), dtype=np.uint16)
    after = np.zeros_like(before)
    centres = centre.copy()
    labels = np.zeros((visible, width), dtype=np.int32)
    parent = np.empty(visible * width + 1, dtype=np.int32)
    channel = np.empty(visible * width + 1, dtype=np.uint8)
    sums = np.empty((visible * width + 1, 3), dtype=np.int64)
    motion = np.empty(visible * width + 1, dtype=np.uint16)
    for b in range(batch):
        _locate(frames[b], background, avatar, centres[b])
        count = _label(frames[b], background, table, labels, parent, channel, sums)
        _follow(count, parent, channel, sums, layout[2], before[b], after[b], motion)
        _mark(labels, parent, channel, motion, centres[b], layout, avatar, bits[b])
    return bits, after, centres


@compiled()
def _locate(frame: NDArray[np.uint8], background: NDArray[np.uint8], avatar: Avatar, centre: NDArray[np.int64]) -> None:
    """Put the avatar's mean row and column into ``centre``, which stays where nothing of it is seen."""
    luminance, top, bottom, left, right, _, _ = avatar
    found = total_row = total_column = 0
    for y in range(top, min(bottom, frame.shape[0])):
        for x in range(left, right):
            if frame[y, x] == luminance and background[y, x] != luminance:
                found += 1
                total_row += y
                total_column += x
    if found > 0:
        centre[0] = total_row // found
        centre[1] = total_column // found


@compiled()
def _label(
    frame: NDArray[np.uint8],
    background: NDArray[np.uint8],
    table: NDArray[np.uint8],
    labels: NDArray[np.int32],
    parent: NDArray[np.int32],
    channel: NDArray[np.uint8],
    sums: NDArray[np.int64],
) -> int:
    """Group what differs from the background into objects: neighbours, also over corners, of one channel.

    Fills ``labels`` (0 for the background), and for each label its ``parent`` (itself for an object), ``channel`` and
    ``sums`` of pixels, rows and columns; returns the number of labels.
    """
    count = 0
    for y in range(frame.shape[0]):
        for x in range(frame.shape[1]):
            labels[y, x] = 0
            pixel = frame[y, x]
            if pixel == background[y, x]:
                continue
            kind = table[pixel]
            label = 0
            for step in range(4):
                near_y = y if step == 0 else y - 1
                near_x = x - 1 if step == 0 else x + step - 2
                if near_y < 0 or near_x < 0 or near_x >= frame.shape[1]:
                    continue
                other = labels[near_y, near_x]
                if other == 0 or channel[other] != kind:
                    continue
                other = _root(parent, other)
                if label == 0:
                    label = other
                elif other != label:
                    if other < label:
                        label, other = other, label
                    parent[other] = label
                    sums[label] += sums[other]
            if label == 0:
                count += 1
                label = count
                parent[label] = label
                channel[label] = kind
                sums[label] = 0
            labels[y, x] = label
            sums[label, 0] += 1
            sums[label, 1] += y
            sums[label, 2] += x
    return count


@compiled()
def _follow(
    count: int,
    parent: NDArray[np.int32],
    channel: NDArray[np.uint8],
    sums: NDArray[np.int64],
    channels: int,
    before: NDArray[np.int32],
    after: NDArray[np.int32],
    motion: NDArray[np.uint16],
) -> None:
    """Find where each object comes from among those of the last frame: its direction's bit goes into ``motion``."""
    kept = 0
    for label in range(1, count + 1):
        motion[label] = 0
        area = sums[label, 0]
        if parent[label] != label or area > LARGEST_OBJECT:
            continue
        y, x = sums[label, 1] // area, sums[label, 2] // area
        nearest = FARTHEST + 1
        from_y = from_x = 0
        for other in range(MOST_OBJECTS):
            if before[other, 3] == 0:
                break
            alike = area <= 3 * before[other, 3] and before[other, 3] <= 3 * area
            if before[other, 0] != channel[label] or not alike:
                continue
            distance = abs(y - before[other, 1]) + abs(x - before[other, 2])
            if distance < nearest:
                nearest = distance
                from_y, from_x = before[other, 1], before[other, 2]
        if LEAST_MOVE <= nearest <= FARTHEST:
            direction = _direction(y - from_y, x - from_x)
            if direction != 4:
                motion[label] = np.uint16(1 << (channels + direction - (direction > 4)))
        if kept < MOST_OBJECTS:
            after[kept, 0] = channel[label]
            after[kept, 1] = y
            after[kept, 2] = x
            after[kept, 3] = area
            kept += 1


@compiled()
def _direction(down: int, to_right: int) -> int:
    """Place in a square of three by three that a displacement points to; 4 is its middle."""
    direction = 4
    if STEEPEST * abs(down) >= abs(to_right):
        direction += 3 if down > 0 else -3 if down < 0 else 0
    if STEEPEST * abs(to_right) >= abs(down):
        direction += 1 if to_right > 0 else -1 if to_right < 0 else 0
    return direction


@compiled()
def _mark(
    labels: NDArray[np.int32],
    parent: NDArray[np.int32],
    channel: NDArray[np.uint8],
    motion: NDArray[np.uint16],
    centre: NDArray[np.int64],
    layout: Layout,
    avatar: Avatar,
    bits: NDArray[np.uint16],
) -> None:
    """Set the bits of the tiles in which there is something, on the screen and around the avatar."""
    rows, width, _ = layout
    moves_rows, moves_columns = avatar[5], avatar[6]
    tall = moves_rows and not moves_columns
    across = width // CELL
    tiles = (rows // BAND) * across
    blocks_across = (width if tall else 2 * width) // BLOCK
    high, wide = (2 * rows, width) if tall else (rows, 2 * width)
    shift_row = shift_column = 0
    if moves_rows:
        shift_row = (rows if tall else rows // 2) - centre[0]
    if not tall:
        shift_column = width - centre[1] if moves_columns else width // 2
    for y in range(labels.shape[0]):
        for x in range(width):
            label = labels[y, x]
            if label == 0:
                continue
            label = _root(parent, label)
            seen = np.uint16(1 << channel[label])
            bits[(y // BAND) * across + x // CELL] |= seen
            seen |= motion[label]
            around_y, around_x = y + shift_row, x + shift_column
            if around_y < 0 or around_x < 0 or around_y >= high or around_x >= wide:
                continue
            if tall:
                fine = (around_y // CELL) * (width // BAND) + around_x // BAND
            else:
                fine = (around_y // BAND) * 2 * across + around_x // CELL
            bits[tiles + fine] |= seen
            bits[3 * tiles + (around_y // BLOCK) * blocks_across + around_x // BLOCK] |= seen


@compiled()
def _list(bits: NDArray[np.uint16], tiles: int, channels: int) -> tuple[Array, Array]:
    """Rows and neurons of the set bits, by row and tile; the last of a row is the one that always fires."""
    batch, everywhere = bits.shape
    count = batch
    for b in range(batch):
        for tile in range(everywhere):
            left = bits[b, tile]
            while left:
                count += 1
                left &= left - np.uint16(1)
    row = np.empty(count, dtype=np.int64)
    index = np.empty(count, dtype=np.int64)
    event = 0
    richer = channels + DIRECTIONS
    last = tiles * channels + (everywhere - tiles) * richer
    for b in range(batch):
        for tile in range(everywhere):
            left = bits[b, tile]
            if not left:
                continue
            base = tile * channels if tile < tiles else tiles * channels + (tile - tiles) * richer
            for bit in range(richer):
                if (left >> bit) & 1:
                    row[event] = b
                    index[event] = base + bit
                    event += 1
        row[event] = b
        index[event] = last
        event += 1
    return row, index
