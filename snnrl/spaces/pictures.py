"""Pictures in all the layouts that environments have, as channels first."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.spaces.leaves import Space

LEAST_SIDE = 36
"""Pixels along each side below which there is nothing for the convolutions of Mnih et al. (2015) to look at."""
_COLOURS = (1, 3, 4)
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue in a luminance (ITU-R BT.601)."""


class Pictures:
    """A Box of pictures, uint8 from 0 to 255, with its channels moved to the front.

    Layouts are ``(height, width)``, ``(channels, height, width)``, ``(height, width, channels)`` (the channels are the
    fewest, as in stable-baselines3), and stacks of the last two, whose newest picture comes last.

    Args:
        space: of one observation.

    Attributes:
        channels: of all pictures of an observation.
        colours: channels of the newest picture: 3 for red, green and blue, else 1.
        height: rows.
        width: columns.
    """

    def __init__(self, space: spaces.Box) -> None:
        shape, self._stacked = space.shape, len(space.shape) == 4
        inner = shape[1:] if self._stacked else shape
        self._flat = len(inner) == 2
        if self._flat:
            inner = (1, *inner)
        self._last = int(np.argmin(inner)) != 0
        self.height, self.width = inner[:2] if self._last else inner[1:]
        colours = inner[2] if self._last else inner[0]
        self.channels = colours * (shape[0] if self._stacked else 1)
        self.colours = 3 if colours == 3 or (self._stacked and colours == 4) else 1
        self._picture = colours

    @staticmethod
    def suits(space: Space) -> bool:
        """Whether a space is one of pictures that are large enough for convolutions."""
        if not (isinstance(space, spaces.Box) and space.dtype == np.uint8 and 2 <= len(space.shape) <= 4):
            return False
        if min(space.shape) == 0 or space.low.any() or not (space.high == 255).all():
            return False
        pictures = Pictures(space)
        known = len(space.shape) < 4 or pictures._picture in _COLOURS
        return known and min(pictures.height, pictures.width) >= LEAST_SIDE

    @property
    def space(self) -> spaces.Box:
        """Of one observation, channels first."""
        return spaces.Box(0, 255, (self.channels, self.height, self.width), np.uint8)

    def __call__(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Observations ``[batch, *shape]`` as ``[batch, channels, height, width]``."""
        moved = np.moveaxis(batch, -1, -3) if self._last else batch
        return np.ascontiguousarray(moved).reshape(len(batch), self.channels, self.height, self.width)

    def grey(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The luminance of the newest pictures, ``[batch, 1, height, width]``, of ``[batch, *shape]``."""
        newest = self(batch)[:, -self._picture :] if self.colours == 3 else self(batch)[:, -1:]
        if self.colours == 1:
            return np.ascontiguousarray(newest)
        mixed = np.einsum("c,bchw->bhw", _GREY, newest[:, :3].astype(np.float32))
        return np.asarray(np.rint(mixed), np.uint8)[:, None]
