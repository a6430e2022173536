"""Frames to the neurons that spike, in one pass over the pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.types import Array


class FrameGeometry(NamedTuple):
    """What a :class:`~snnrl.encoders.frames.FrameEncoder` looks at; rows are those of its cut."""

    rows: int
    """Rows of the cut, a multiple of ``tile_rows``."""
    width: int
    tile_rows: int
    colours: int
    reach: int
    """Rows that an object may cross and still be seen as moving."""
    self_bit: int
    """Channel bit of the agent's own avatar; 0 for none, and then no second map."""
    self_top: int
    self_bottom: int


def frame_events(
    seen: Tensor, table: Tensor, before: Tensor, centre: Tensor, geometry: FrameGeometry
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The events of a batch of frames; CPU tensors.

    Args:
        seen: uint8 ``[batch, visible rows, width]``, the part of the frames that is looked at.
        table: uint8 ``[256]``, the channel bits of each luminance.
        before: uint8 ``[batch, rows, width / 4]``, the channel bits of the last frame.
        centre: int64 ``[batch]``, last known column of the agent's own avatar.
        geometry: what is looked at.

    Returns:
        Event rows and neurons (int64 ``[events]``, sorted by row), the new ``before`` and the new ``centre``.
    """
    pixels = seen.numpy()
    parts = _events(pixels, pixels.view(np.uint32), table.numpy(), before.numpy(), centre.numpy(), *geometry)
    row, index, columns, centres = (torch.from_numpy(part) for part in parts)
    return row, index, columns, centres


@compiled()
def _events(
    seen: NDArray[np.uint8],
    words: NDArray[np.uint32],
    table: NDArray[np.uint8],
    before: NDArray[np.uint8],
    centre: NDArray[np.int64],
    rows: int,
    width: int,
    tile_rows: int,
    colours: int,
    reach: int,
    self_bit: int,
    self_top: int,
    self_bottom: int,
) -> tuple[Array, Array, Array, Array]:
    batch, visible = seen.shape[0], seen.shape[1]
    narrow, bands_high = width // 4, rows // tile_rows
    maps = 3 if self_bit else 1
    tiles = bands_high * narrow * maps
    columns = np.zeros((batch, rows, narrow), dtype=np.uint8)
    centres = centre.copy()
    tile_bits = np.zeros((batch, tiles), dtype=np.uint8)
    bands = np.empty((bands_high, width), dtype=np.uint8)
    profile = np.empty(width, dtype=np.uint8)
    fell_bit, rose_bit = np.uint8(1 << colours), np.uint8(1 << (colours + 1))
    black_is_nothing = table[0] == 0
    for b in range(batch):
        bands[:] = 0
        profile[:] = 0
        for y in range(visible):
            band = y // tile_rows
            own = self_top <= y < self_bottom
            for c in range(narrow):
                if black_is_nothing and words[b, y, c] == 0:
                    continue
                union = np.uint8(0)
                for x in range(4 * c, 4 * c + 4):
                    bits = table[seen[b, y, x]]
                    union |= bits
                    bands[band, x] |= bits
                    if own:
                        profile[x] |= bits
                columns[b, y, c] = union
                tile_bits[b, band * narrow + c] |= union
        for y in range(rows):
            band = y // tile_rows
            for c in range(narrow):
                onset = columns[b, y, c] & ~before[b, y, c]
                if onset == 0:
                    continue
                above = below = np.uint8(0)
                for step in range(1, reach + 1):
                    if y - step >= 0:
                        above |= before[b, y - step, c]
                    if y + step < rows:
                        below |= before[b, y + step, c]
                fell, rose = (onset & above) != 0, (onset & below) != 0
                if fell != rose:
                    motion = fell_bit if fell else rose_bit
                    tile_bits[b, band * narrow + c] |= motion
                    for x in range(4 * c, 4 * c + 4):
                        bands[band, x] |= motion
        if self_bit:
            extent = total = 0
            for x in range(width):
                if profile[x] & self_bit:
                    extent += 1
                    total += x
            if extent > 0:
                centres[b] = total // extent
            for band in range(bands_high):
                base = bands_high * narrow + band * 2 * narrow
                for x in range(width):
                    around = x + width - centres[b]
                    if bands[band, x] and 0 <= around < 2 * width:
                        tile_bits[b, base + around // 4] |= bands[band, x]
    row, index = _list(tile_bits, colours + 2)
    return row, index, columns, centres


@compiled()
def _list(tile_bits: NDArray[np.uint8], channels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and neurons of the set bits, by row, tile and channel; the last of a row is the one that always fires."""
    batch, tiles = tile_bits.shape
    count = batch
    for b in range(batch):
        for tile in range(tiles):
            bits = tile_bits[b, tile]
            while bits:
                count += 1
                bits &= bits - np.uint8(1)
    row = np.empty(count, dtype=np.int64)
    index = np.empty(count, dtype=np.int64)
    event = 0
    for b in range(batch):
        for tile in range(tiles):
            bits = tile_bits[b, tile]
            if bits:
                for channel in range(channels):
                    if (bits >> channel) & 1:
                        row[event] = b
                        index[event] = channel * tiles + tile
                        event += 1
        row[event] = b
        index[event] = channels * tiles
        event += 1
    return row, index
