"""Images as latencies of neurons that see contrast."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl.errors import require

SIZE = 7
"""Pixels across a receptive field."""


class ContrastLatency(nn.Module):
    """On- and off-centre neurons, one each at every pixel, which fire the sooner the stronger the contrast.

    The image is filtered by the difference of two Gaussians (Kheradpisheh, Ganjtabesh, Thorpe & Masquelier 2018, Neural
    Networks 99:56, sec. 2.1). With ``c`` the contrast as a share of the image's highest, a neuron above ``least`` fires
    at the step ``floor((1 - c) sim_steps)``; the others do not.

    Args:
        sim_steps: length of the window, from 1 to 255.
        least: contrast below which a neuron stays silent, in (0, 1).
        centre: standard deviation of the inner Gaussian in pixels.
        surround: of the outer one.

    Raises:
        ConfigError: a value out of range.
    """

    filters: Tensor

    def __init__(self, *, sim_steps: int = 15, least: float = 0.05, centre: float = 1.0, surround: float = 2.0) -> None:
        super().__init__()
        require(1 <= sim_steps <= 255, "sim_steps", sim_steps, "from 1 to 255")
        require(0 < least < 1, "least", least, "above 0 and below 1")
        require(0 < centre < surround, "centre", centre, f"above 0 and below surround ({surround})")
        self.sim_steps, self.least = sim_steps, least
        difference = _gaussian(centre) - _gaussian(surround)
        difference -= difference.mean()
        self.register_buffer("filters", torch.stack([difference, -difference])[:, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Latencies uint8 ``[batch, 2, height, width]`` of images uint8 ``[batch, channels, height, width]``.

        Channels are averaged; ``sim_steps`` stands for no spike.
        """
        grey = images.to(self.filters.dtype).mean(1, keepdim=True) / 255
        contrast = functional.conv2d(grey, self.filters, padding=SIZE // 2).clamp_min(0)
        highest = contrast.amax((1, 2, 3), keepdim=True)
        share = contrast / highest.clamp_min(1e-3)
        step = ((1 - share) * self.sim_steps).floor().clamp(0, self.sim_steps - 1)
        return torch.where(share > self.least, step, float(self.sim_steps)).to(torch.uint8)


def _gaussian(deviation: float) -> Tensor:
    offset = torch.arange(SIZE) - SIZE // 2
    square = offset[:, None].square() + offset.square()
    return torch.exp(-square / (2 * deviation**2)) / (2 * math.pi * deviation**2)
