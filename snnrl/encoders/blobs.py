"""Pictures to synchronous spikes: blobs, and how far from each other they are, in a picture and over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.devices import moved
from snnrl.encoders.adaptation import RateAdaptation
from snnrl.encoders.base import (
    FittedEncoder,
    HostEncoder,
    Window,
    interval,
    require_count,
    require_frames,
    require_rows,
)
from snnrl.encoders.objects import MOST_PIXELS
from snnrl.encoders.scene_calibration import scenery
from snnrl.errors import ConfigError, require
from snnrl.kernels.blobs import MOST_BLOBS, WORD, BlobFeatures, Events, frame_blob_events, layer_blob_events
from snnrl.settings import is_whole, register
from snnrl.spaces import Space, frame_view, layer_view, suits_layers
from snnrl.spikes import SparseSpikes
from snnrl.types import Array

COLUMNS = 16
"""Frames have a multiple of so many."""
MOST_LINES = 2**24


class BlobState(NamedTuple):
    """State of :class:`BlobEncoder`."""

    blobs: Tensor
    """``[batch, blobs, 3]`` int32: kind + 1, row and column of what the last picture showed; kind 0 for none."""


@register("blobs")
class BlobEncoder(HostEncoder[BlobState]):
    """Pictures to sparse, synchronous spikes of hashed features, the Blob-PROST features of Liang et al. (2016).

    A blob of a grey frame ``[batch, 1, height, width]`` (uint8) is a connected region of one luminance that differs
    from the background; its kind is that luminance, its place the middle of its bounding box. In boolean maps
    ``[batch, layers, height, width]`` every cell that is set is a blob, and its kind is its layer. There are three
    families of binary features:

    - which kind there is in which tile of the picture;
    - ``pairs``: the offset in tiles between any two blobs of a picture, with their kinds;
    - ``moves``: the offset between a blob of the last picture and one of this, with their kinds.

    Each feature that is present is hashed to one of ``lines`` input lines, which then spikes once; another line always
    spikes. No game is known to the encoder: the background is what stood still in what :meth:`calibrate` was
    shown, kept for life; until then it is black.

    Source: Liang, Machado, Talvitie & Bowling 2016, AAMAS, "State of the art control of Atari games using shallow
    reinforcement learning" (arXiv 1512.01563), sections 3 to 5. Other than there, a tile shows every pixel of a blob,
    offsets are rounded from pixels and do not hang on where a tile begins, and features are hashed.

    Args:
        height: rows of a picture.
        width: its columns, for frames a multiple of 16.
        layers: how many boolean maps; 0 for a grey frame.
        rows: first and one past the last row to look at; ``None`` for all.
        tile: rows and columns of a tile; ``None`` is ``[8, 4]`` for frames and ``[1, 1]`` for maps.
        gap: pixels of one luminance are one blob if at most so many rows and columns apart; 1 for neighbours.
        lines: how many input lines features are hashed to, from 1 to 2^24; ``None`` is 2^16 for frames and 2^14 for
            maps, which have fewer offsets.
        pairs: whether there are offsets within a picture.
        moves: whether there are offsets over time.
        target_rate: see :class:`~snnrl.encoders.adaptation.RateAdaptation`.

    Raises:
        ConfigError: a value outside the ranges above.
    """

    synchronous = True
    shares_rows = True

    background: Tensor

    FIXED: ClassVar[tuple[str, ...]] = ("height", "width", "layers", "gap")

    def __init__(
        self,
        height: int,
        width: int,
        layers: int = 0,
        *,
        rows: Sequence[int] | None = None,
        tile: Sequence[int] | None = None,
        gap: int = 1,
        lines: int | None = None,
        pairs: bool = True,
        moves: bool = True,
        target_rate: float = 0.02,
    ) -> None:
        super().__init__()
        first, past = interval("rows", rows, height)
        require(layers > 0 or width % WORD == 0, "width", width, f"a multiple of {WORD} columns")
        sides = ((1, 1) if layers else (8, 4)) if tile is None else tuple(tile)
        require(len(sides) == 2 and all(is_whole(side, 1) for side in sides), "tile", tile, "[rows, columns] from 1")
        lines = (2**14 if layers else 2**16) if lines is None else lines
        require(is_whole(lines, 1) and lines <= MOST_LINES, "lines", lines, f"an integer from 1 to {MOST_LINES}")
        self.gap = require_count("gap", gap, "an integer of at least 1")
        self.height, self.width, self.layers = height, width, layers
        self.top, self.bottom = first, past
        self.features = BlobFeatures(sides[0], sides[1], lines, pairs, moves)
        self.size = lines + 1
        seen = torch.zeros((0 if layers else past - first, width), dtype=torch.uint8)
        self.register_buffer("background", seen)
        self.register_buffer("_calibrated", torch.tensor(layers > 0))
        self.adaptation = RateAdaptation(self.size, target=target_rate)

    @classmethod
    def for_space(  # type: ignore[override]
        cls,
        space: Space,
        window: Window,
        *,
        rows: Sequence[int] | None = None,
        tile: Sequence[int] | None = None,
        gap: int = 1,
        lines: int | None = None,
        pairs: bool = True,
        moves: bool = True,
        target_rate: float = 0.02,
    ) -> FittedEncoder:
        """For boolean maps as in MinAtar, and pictures as grey frames, of large ones every second pixel, or third.

        Args:
            space: boolean maps ``(height, width, layers)``, or pictures of uint8.
            window: of which synchronous spikes are the first instant.
            rows: see the class, as for all that follow.
            tile: rows and columns.
            gap: within a blob.
            lines: that features are hashed to.
            pairs: offsets within a picture.
            moves: offsets over time.
            target_rate: of the adaptation.

        Raises:
            ConfigError: another space, or a setting out of range.
        """
        maps = suits_layers(space)
        view = layer_view(space) if maps else frame_view(space, COLUMNS, MOST_PIXELS)
        layers, height, width = view.shape
        made = cls(
            height,
            width,
            layers if maps else 0,
            rows=rows,
            tile=tile,
            gap=gap,
            lines=lines,
            pairs=pairs,
            moves=moves,
            target_rate=target_rate,
        )
        return FittedEncoder(view, made)

    @property
    def calibrated(self) -> bool:
        """Whether the background is known; boolean maps have none."""
        return bool(self.get_buffer("_calibrated"))

    def calibrate(self, observations: Array, actions: NDArray[np.int64], joined: NDArray[np.bool_]) -> None:
        """Learn the background, see :func:`~snnrl.encoders.scene_calibration.scenery`, and how often each line spikes.

        Were all lines taken for rare at first, those that always spike would drown the others when learning begins.

        Args:
            observations: frames, uint8 ``[time, batch, 1, height, width]``.
            actions: ``[time - 1, batch]``, of no use here.
            joined: ``[time - 1, batch]``, whether a frame and the next are of one episode.
        """
        background = scenery(observations[:, :, 0, self.top : self.bottom].reshape(-1, *self.background.shape))
        self.background.copy_(torch.from_numpy(background))
        self.get_buffer("_calibrated").fill_(True)
        batch = observations.shape[1]
        blobs = self.init_state(batch).blobs.numpy()
        goes_on = np.concatenate([np.zeros((1, batch), dtype=np.bool_), joined])
        for frames, before in zip(observations[:, :, :, self.top : self.bottom], goes_on, strict=True):
            _, line, blobs = self._events(frames, blobs * before[:, None, None])
            self.adaptation.observe(moved(torch.from_numpy(line), self.device), batch)

    def init_state(self, batch: int) -> BlobState:
        return BlobState(torch.zeros((batch, MOST_BLOBS, 3), dtype=torch.int32))

    def forward(self, observation: Tensor, state: BlobState) -> tuple[SparseSpikes, BlobState]:
        self._require_pictures(observation)
        require_rows(state.blobs, len(observation))
        batch, ranks = len(observation), self.sharing
        seen, before = ranks.taken(observation, state.blobs)
        found = self._events(seen[:, :, self.top : self.bottom].cpu().numpy(), before.numpy())
        own_row, own_index, blobs = map(torch.from_numpy, found)
        row, index = (moved(each, self.device) for each in ranks.events(own_row, own_index, batch))
        if self.training:
            self.adaptation.observe(index, batch)
        spikes = SparseSpikes(row, index, self.adaptation(index).to(self.spike_dtype), (batch,), self.size)
        return spikes, BlobState(ranks.placed(blobs, batch))

    def _events(self, seen: Array, before: NDArray[np.int32]) -> Events:
        """What spikes for pictures, of which only the rows that are looked at, after the blobs of those before."""
        if self.layers:
            return layer_blob_events(seen, before, self.features)
        return frame_blob_events(seen[:, 0], self.background.numpy(), before, self.gap, self.features)

    def _require_pictures(self, observation: Tensor) -> None:
        if not self.layers:
            require_frames(observation, self.height, self.width)
            return
        shape = tuple(observation.shape)
        expected = (self.layers, self.height, self.width)
        if observation.dtype != torch.bool or shape[1:] != expected:
            raise ConfigError(
                f"observation={observation.dtype} {shape}: must be bool (n, {', '.join(map(str, expected))})"
            )
