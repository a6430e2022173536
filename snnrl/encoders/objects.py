"""Frames to synchronous spikes: what is where and which way it moves, on the screen and around the avatar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.devices import moved
from snnrl.encoders.adaptation import RateAdaptation
from snnrl.encoders.base import FittedEncoder, HostEncoder, Window, interval, require_frames, require_rows
from snnrl.encoders.scene_calibration import calibrate_scene
from snnrl.errors import require
from snnrl.kernels.objects import BLOCK, MOST_OBJECTS, Avatar, Layout, object_events
from snnrl.settings import register
from snnrl.spaces import Space, frame_view
from snnrl.spikes import SparseSpikes

CHANNELS = 7
"""Six luminances, and one for whatever else differs from the background."""


MOST_PIXELS = 100_000
"""Of larger frames every second pixel is seen, or every third, and so on."""


class ObjectState(NamedTuple):
    """State of :class:`ObjectEncoder`."""

    objects: Tensor
    """``[batch, objects, 4]`` int32: channel, row, column and area of what the last frame showed."""
    centre: Tensor
    """``[batch, 2]`` int64: the last known row and column of the agent's own avatar."""


@register("objects")
class ObjectEncoder(HostEncoder[ObjectState]):
    """Grey frames ``[batch, 1, height, width]`` (uint8) to sparse, synchronous, position-coded spikes.

    What differs from the background is put into channels by its luminance and grouped into objects; an object that has
    an equal nearby in the last frame has a direction, one of eight. A neuron stands for one channel in one tile of the
    screen ("Basic" features: Liang, Machado, Talvitie & Bowling 2016, AAMAS), or for one channel or direction in one
    tile of maps, a fine and a coarse one, whose rows or columns are counted from the agent's own avatar, so that
    "something falls two tiles to my left" is one neuron. One neuron always spikes.

    Nothing of this is told to the encoder: background, luminances and avatar come from :meth:`calibrate`, given what
    random play has shown, and are kept for life. Until then every luminance band is a channel and nothing is oneself.

    Args:
        height: rows of a frame.
        width: columns of a frame, a multiple of 16.
        rows: first and one past the last row to look at; ``None`` for all.
        target_rate: see :class:`~snnrl.encoders.adaptation.RateAdaptation`.

    Raises:
        ConfigError: a value outside the ranges above.
    """

    synchronous = True
    shares_rows = True

    background: Tensor
    table: Tensor
    avatar: Tensor

    FIXED: ClassVar[tuple[str, ...]] = ("height", "width")

    def __init__(
        self, height: int, width: int, *, rows: Sequence[int] | None = None, target_rate: float = 0.02
    ) -> None:
        super().__init__()
        first, past = interval("rows", rows, height)
        require(width % BLOCK == 0, "width", width, f"a multiple of {BLOCK} columns")
        self.height, self.width, self.top, self.bottom = height, width, first, past
        self.layout = Layout(-(-(past - first) // BLOCK) * BLOCK, width, CHANNELS)
        self.size = self.layout.size
        self.register_buffer("background", torch.zeros((past - first, width), dtype=torch.uint8))
        self.register_buffer("table", (torch.arange(256) * (CHANNELS - 1) // 256).to(torch.uint8))
        self.register_buffer("avatar", torch.tensor(Avatar(-1, 0, 0, 0, 0, False, True), dtype=torch.int64))
        self.register_buffer("_calibrated", torch.zeros((), dtype=torch.bool))
        self.adaptation = RateAdaptation(self.size, target=target_rate)

    @classmethod
    def for_space(  # type: ignore[override]
        cls, space: Space, window: Window, *, rows: Sequence[int] | None = None, target_rate: float = 0.02
    ) -> FittedEncoder:
        """For pictures; of large ones every second pixel is seen, or every third, unless ``rows`` counts them.

        Args:
            space: pictures of uint8.
            window: of which synchronous spikes are the first instant.
            rows: see the class, as for the next.
            target_rate: of the adaptation.

        Raises:
            ConfigError: another space, or a setting out of range.
        """
        view = frame_view(space, BLOCK, MOST_PIXELS if rows is None else math.inf)
        return FittedEncoder(view, cls(*view.shape[1:], rows=rows, target_rate=target_rate))

    @property
    def calibrated(self) -> bool:
        """Whether :meth:`calibrate` has been called in this encoder's life."""
        return bool(self.get_buffer("_calibrated"))

    def calibrate(self, observations: NDArray[np.uint8], actions: NDArray[np.int64], joined: NDArray[np.bool_]) -> None:
        """Learn what the screen shows, as ``calibrate_scene`` finds it.

        Args:
            observations: frames ``[time, batch, 1, height, width]``.
            actions: ``[time - 1, batch]``, what was done between two frames.
            joined: ``[time - 1, batch]``, whether the two frames are of one episode.
        """
        scene = calibrate_scene(observations[:, :, 0, self.top : self.bottom], actions, joined, CHANNELS)
        self.background.copy_(torch.from_numpy(scene.background))
        self.table.copy_(torch.from_numpy(scene.table))
        avatar = scene.avatar if scene.avatar.luminance >= 0 else scene.avatar._replace(moves_columns=True)
        self.avatar.copy_(torch.tensor(avatar))
        self.get_buffer("_calibrated").fill_(True)

    def init_state(self, batch: int) -> ObjectState:
        return ObjectState(
            torch.zeros((batch, MOST_OBJECTS, 4), dtype=torch.int32),
            torch.tensor([self.layout.rows // 2, self.width // 2]).expand(batch, -1),
        )

    def forward(self, observation: Tensor, state: ObjectState) -> tuple[SparseSpikes, ObjectState]:
        require_frames(observation, self.height, self.width)
        require_rows(state.objects, len(observation))
        batch, ranks = len(observation), self.sharing
        seen, before, last = ranks.taken(observation, *state)
        luminance, top, bottom, left, right, moves_rows, moves_columns = self.avatar.tolist()
        found = object_events(
            seen[:, 0, self.top : self.bottom].cpu().numpy(),
            self.background.numpy(),
            self.table.numpy(),
            before.numpy(),
            last.numpy(),
            self.layout,
            Avatar(luminance, top, bottom, left, right, bool(moves_rows), bool(moves_columns)),
        )
        own_row, own_index, objects, centre = map(torch.from_numpy, found)
        row, index = (moved(each, self.device) for each in ranks.events(own_row, own_index, batch))
        if self.training:
            self.adaptation.observe(index, batch)
        spikes = SparseSpikes(row, index, self.adaptation(index).to(self.spike_dtype), (batch,), self.size)
        return spikes, ObjectState(ranks.placed(objects, batch), ranks.placed(centre, batch))
