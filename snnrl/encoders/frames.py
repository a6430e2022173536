"""Frames to synchronous, position-coded spikes: what is where, and which way it moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from snnrl.encoders.adaptation import RateAdaptation
from snnrl.encoders.base import Encoder, FittedEncoder, Window, interval, require_frames, require_rows
from snnrl.errors import require
from snnrl.kernels import frame_events
from snnrl.kernels.frames import FrameGeometry
from snnrl.settings import is_whole, register
from snnrl.spaces import Space, frame_view
from snnrl.spikes import SparseSpikes

COLUMNS = 16
"""Frames have a multiple of so many."""
MOTION_REACH = 8
"""Rows that an object may cross between two observations and still be seen as moving."""


class FrameState(NamedTuple):
    """State of :class:`FrameEncoder`."""

    columns: Tensor
    """``[batch, rows, width / 4]`` uint8: the channel bits of the last frame, from which motion is seen."""
    centre: Tensor
    """``[batch]`` int64: the last known column of the agent's own avatar."""


@register("frames")
class FrameEncoder(Encoder[FrameState]):
    """Grey frames ``[batch, 1, height, width]`` (uint8) to sparse, synchronous, position-coded spikes.

    Every pixel is put into a channel by its luminance; two more channels hold what has come up moving up or down (an ON
    event with the same luminance just below or above it in the last frame). A neuron stands for one channel
    in one tile of the screen and spikes if any pixel of its tile is in its channel (position-coded features:
    Liang, Machado, Talvitie & Bowling 2016, AAMAS, "Basic" features). Where the recipe says how the agent's own avatar
    looks, a second map has its columns counted from that figure, so that "a shot falls two tiles to my left" is one
    neuron. One neuron always spikes.

    Args:
        height: rows of a frame.
        width: columns of a frame, a multiple of 16.
        rows: first and one past the last row to look at.
        luminances: the luminance of each channel, at most 6. ``None`` cuts what is not black into 6 equal bands.
        self_luminance: luminance of the agent's own avatar, one of ``luminances``; ``None`` for no second map.
        self_rows: first and one past the last row in which that figure is looked for.
        tile: rows and columns of a tile; the width must be 4.
        target_rate: see :class:`~snnrl.encoders.adaptation.RateAdaptation`.

    Raises:
        ConfigError: a value outside the ranges above.
    """

    synchronous = True
    shares_rows = True

    FIXED: ClassVar[tuple[str, ...]] = ("height", "width", "rows", "self_rows")

    def __init__(
        self,
        height: int,
        width: int,
        *,
        rows: Sequence[int] | None = None,
        luminances: Sequence[int] | None = None,
        self_luminance: int | None = None,
        self_rows: Sequence[int] | None = None,
        tile: Sequence[int] = (8, 4),
        target_rate: float = 0.02,
    ) -> None:
        super().__init__()
        self.top, self.bottom = interval("rows", rows, height)
        self_top, self_bottom = interval("self_rows", self_rows, height)
        self_top, self_bottom = max(self_top, self.top), min(self_bottom, self.bottom)
        seen = f"an interval that meets rows ({self.top} to {self.bottom})"
        require(self_top < self_bottom, "self_rows", self_rows, seen)
        self.self_rows = slice(self_top - self.top, self_bottom - self.top)
        require(len(tile) == 2 and tile[1] == 4 and is_whole(tile[0], 1), "tile", list(tile), "[rows, 4]")
        self.tile_rows = tile[0]
        require(width % 16 == 0, "width", width, "a multiple of 16 columns")
        self.height, self.width = height, width
        self.rows = -(-(self.bottom - self.top) // self.tile_rows) * self.tile_rows

        bands = [(42 * band + 1, 42 * band + 42) for band in range(6)]
        self.bands = bands if luminances is None else [(level, level) for level in luminances]
        self.colours = len(self.bands)
        require(
            0 < self.colours <= 6 and all(0 <= low <= high <= 255 for low, high in self.bands),
            "luminances",
            luminances,
            "1 to 6 numbers in 0 .. 255",
        )
        self.self_bit = 0
        if self_luminance is not None:
            require(
                luminances is not None and self_luminance in luminances,
                "self_luminance",
                self_luminance,
                "one of luminances",
            )
            self.self_bit = 1 << list(luminances or ()).index(self_luminance)

        self.channels = self.colours + 2
        self.tiles = (self.rows // self.tile_rows) * (width // 4) * (3 if self.self_bit else 1)
        self.size = self.channels * self.tiles + 1
        table = torch.zeros(256, dtype=torch.uint8)
        for channel, (low, high) in enumerate(self.bands):
            table[low : high + 1] |= 1 << channel
        self._geometry = FrameGeometry(
            self.rows,
            width,
            self.tile_rows,
            self.colours,
            MOTION_REACH,
            self.self_bit,
            self.self_rows.start,
            self.self_rows.stop,
        )
        self.register_buffer("_table", table, persistent=False)
        self.register_buffer("_bits", torch.arange(self.channels, dtype=torch.uint8), persistent=False)
        self.register_buffer("_around", torch.arange(2 * width), persistent=False)
        self.adaptation = RateAdaptation(self.size, target=target_rate)

    @classmethod
    def for_space(  # type: ignore[override]
        cls,
        space: Space,
        window: Window,
        *,
        rows: Sequence[int] | None = None,
        luminances: Sequence[int] | None = None,
        self_luminance: int | None = None,
        self_rows: Sequence[int] | None = None,
        tile: Sequence[int] = (8, 4),
        target_rate: float = 0.02,
    ) -> FittedEncoder:
        """For pictures as grey frames.

        Args:
            space: pictures of uint8.
            window: of which synchronous spikes are the first instant.
            rows: see the class, as for all that follow.
            luminances: of the channels.
            self_luminance: of the agent's own avatar.
            self_rows: where it is looked for.
            tile: rows and columns.
            target_rate: of the adaptation.

        Raises:
            ConfigError: another space, or a setting out of range.
        """
        view = frame_view(space, COLUMNS)
        made = cls(
            *view.shape[1:],
            rows=rows,
            luminances=luminances,
            self_luminance=self_luminance,
            self_rows=self_rows,
            tile=tile,
            target_rate=target_rate,
        )
        return FittedEncoder(view, made)

    def init_state(self, batch: int) -> FrameState:
        bits = self.get_buffer("_bits")
        return FrameState(
            bits.new_zeros((batch, self.rows, self.width // 4)),
            torch.full((batch,), self.width // 2, device=bits.device, dtype=torch.int64),
        )

    def _classify(self, frame: Tensor) -> Tensor:
        """Channel bits ``[batch, rows, width]`` of the frame's luminances, below its last row padded with none."""
        seen = frame[:, 0, self.top : self.bottom]
        bits = self.get_buffer("_table")[seen.long()]
        return functional.pad(bits, (0, 0, 0, self.rows - seen.shape[1]))

    def _motion(self, now: Tensor, before: Tensor) -> Tensor:
        """The two motion bits of each place that has come up with its like just above or just below before.

        ``now`` and ``before`` are channel bits ``[batch, rows, columns]``; so is the result.
        """
        above, below = before, before
        reach = 1
        while reach < min(MOTION_REACH, now.shape[1]):
            above = above | functional.pad(above[:, :-reach], (0, 0, reach, 0))
            below = below | functional.pad(below[:, reach:], (0, 0, 0, reach))
            reach *= 2
        above = functional.pad(above[:, :-1], (0, 0, 1, 0))
        below = functional.pad(below[:, 1:], (0, 0, 0, 1))
        onset = now & ~before
        fell, rose = (onset & above).clamp_max_(1), (onset & below).clamp_max_(1)
        return ((fell & (1 - rose)) << self.colours) | ((rose & (1 - fell)) << (self.colours + 1))

    def _locate(self, bits: Tensor, last: Tensor) -> Tensor:
        """Column of the agent's own avatar ``[batch]``, the last known where it is not seen."""
        figure = bits[:, self.self_rows] & self.self_bit
        profile = figure.amax(1).clamp_max_(1)
        extent = profile.sum(1)
        column = (profile * torch.arange(self.width, device=bits.device)).sum(1) // extent.clamp_min(1)
        return torch.where(extent > 0, column, last)

    def forward(self, observation: Tensor, state: FrameState) -> tuple[SparseSpikes, FrameState]:
        require_frames(observation, self.height, self.width)
        require_rows(state.centre, len(observation))
        batch, ranks = len(observation), self.sharing
        shown, before, last = ranks.taken(observation, *state)
        if observation.device.type == "cpu":
            seen = shown[:, 0, self.top : self.bottom]
            row, index, columns, centre = frame_events(seen, self.get_buffer("_table"), before, last, self._geometry)
        else:
            row, index, columns, centre = self.plain_events(shown, FrameState(before, last))
        row, index = ranks.events(row, index, batch)
        if self.training:
            self.adaptation.observe(index, batch)
        spikes = SparseSpikes(row, index, self.adaptation(index).to(self.spike_dtype), (batch,), self.size)
        return spikes, FrameState(ranks.placed(columns, batch), ranks.placed(centre, batch))

    def plain_events(self, observation: Tensor, state: FrameState) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Rows and neurons of the events ``[events]``, and the new state: what :func:`frame_events` does, in torch."""
        pixels = self._classify(observation)
        batch = pixels.shape[0]
        columns = _or_columns(pixels)
        motion = _or_rows(self._motion(columns, state.columns), self.tile_rows)
        tiles = [_or_rows(columns, self.tile_rows) | motion]
        centre = state.centre
        if self.self_bit:
            centre = self._locate(pixels, centre)
            bands = _or_rows(pixels, self.tile_rows) | motion.repeat_interleave(4, dim=2)
            beside = functional.pad(bands, (self.width, self.width))
            around = centre[:, None, None] + self.get_buffer("_around")
            tiles.append(_or_columns(beside.gather(2, around.expand(-1, bands.shape[1], -1))))
        tile_bits = torch.cat([part.flatten(1) for part in tiles], dim=1)

        set_bits = (tile_bits[..., None] >> self.get_buffer("_bits")) & 1
        row, tile, channel = set_bits.nonzero(as_tuple=True)
        always = torch.arange(batch, device=row.device)
        rows = torch.cat([row, always])
        index = torch.cat([channel * self.tiles + tile, torch.full_like(always, self.size - 1)])
        order = torch.sort(rows, stable=True).indices
        return rows[order], index[order], columns, centre


def _or_rows(bits: Tensor, tile_rows: int) -> Tensor:
    """``[batch, rows, columns]`` uint8 to ``[batch, rows / tile_rows, columns]``: the union over each tile's rows."""
    words = bits.contiguous().view(torch.int32)
    words = words.view(len(words), words.shape[1] // tile_rows, tile_rows, words.shape[2])
    while words.shape[2] > 1:
        half = words.shape[2] // 2
        paired = words[:, :, :half] | words[:, :, half : 2 * half]
        words = paired if words.shape[2] % 2 == 0 else torch.cat([paired, words[:, :, -1:]], dim=2)
    return words[:, :, 0].contiguous().view(torch.uint8)


def _or_columns(bits: Tensor) -> Tensor:
    """``[batch, rows, width]`` uint8 to ``[batch, rows, width / 4]``: the union over four columns."""
    words = bits.contiguous().view(torch.int32)
    words = words | (words >> 16)
    return (words | (words >> 8)).to(torch.uint8)
