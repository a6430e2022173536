"""Small grey images to synchronous spikes of position-coded patches."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.encoders.adaptation import RateAdaptation
from snnrl.encoders.base import Encoder, FittedEncoder, Window, require_frames
from snnrl.errors import require
from snnrl.settings import register
from snnrl.spaces import Space, frame_view
from snnrl.spikes import SparseSpikes


class PatchState(NamedTuple):
    """Images need no memory."""


@register("patches")
class PatchEncoder(Encoder[PatchState]):
    """Grey images ``[batch, 1, height, width]`` (uint8) to sparse, synchronous spikes.

    Four pixels, the corners of a square, are each bright or dark; a neuron stands for one place of the square and one
    of the 15 ways in which any of them are bright, and spikes if the image shows it there (n-tuples: Bledsoe & Browning
    1959, Proc. Eastern Joint Computer Conf., 225). One neuron always spikes.

    Args:
        height: rows of an image.
        width: its columns.
        reach: side of the square, in pixels.
        threshold: value from which a pixel is bright, in 1 .. 255.
        target_rate: see :class:`~snnrl.encoders.adaptation.RateAdaptation`.

    Raises:
        ConfigError: a value outside the ranges above, or a square that does not fit into the image.
    """

    synchronous = True

    FIXED: ClassVar[tuple[str, ...]] = ("height", "width", "reach", "threshold")

    def __init__(
        self, height: int, width: int, *, reach: int = 2, threshold: int = 128, target_rate: float = 0.02
    ) -> None:
        super().__init__()
        fits = isinstance(reach, int) and 1 <= reach < min(height, width)
        require(fits, "reach", reach, f"an integer from 1 to {min(height, width) - 1}")
        bright = isinstance(threshold, int) and 1 <= threshold <= 255
        require(bright, "threshold", threshold, "an integer from 1 to 255")
        self.height, self.width, self.reach, self.threshold = height, width, reach, threshold
        self.places = (height - reach) * (width - reach)
        self.size = 15 * self.places + 1
        self.adaptation = RateAdaptation(self.size, target=target_rate)

    @classmethod
    def for_space(  # type: ignore[override]
        cls, space: Space, window: Window, *, reach: int = 2, threshold: int = 128, target_rate: float = 0.02
    ) -> FittedEncoder:
        """For pictures as grey images.

        Args:
            space: pictures of uint8.
            window: of which synchronous spikes are the first instant.
            reach: see the class, as for the next two.
            threshold: of a bright pixel.
            target_rate: of the adaptation.

        Raises:
            ConfigError: another space, or a setting out of range.
        """
        view = frame_view(space)
        return FittedEncoder(view, cls(*view.shape[1:], reach=reach, threshold=threshold, target_rate=target_rate))

    def init_state(self, batch: int) -> PatchState:
        return PatchState()

    def forward(self, observation: Tensor, state: PatchState) -> tuple[SparseSpikes, PatchState]:
        require_frames(observation, self.height, self.width)
        row, index = self._events(observation[:, 0])
        if self.training:
            self.adaptation.observe(index, len(observation))
        return SparseSpikes(
            row, index, self.adaptation(index).to(self.spike_dtype), (len(observation),), self.size
        ), state

    def _events(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and neurons ``[events]`` of what images ``[batch, height, width]`` show."""
        bright = (images >= self.threshold).to(torch.uint8)
        upper, lower = bright[:, : -self.reach], bright[:, self.reach :]
        beside = upper | (lower << 1)
        pattern = (beside[:, :, : -self.reach] | (beside[:, :, self.reach :] << 2)).flatten(1)
        shown = torch.cat([pattern, torch.ones_like(pattern[:, :1])], dim=1)
        row, place = shown.nonzero(as_tuple=True)
        return row, 15 * place + shown[row, place].long() - 1
