"""Convolutional connection."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl.connections.base import Connection
from snnrl.errors import require
from snnrl.spikes import SparseSpikes


class Conv2d(Connection):
    """Two-dimensional convolution with shared weights ``[post_channels, pre_channels, kernel, kernel]``.

    Args:
        pre_channels: channels of the presynaptic population ``[pre_channels, height, width]``.
        post_channels: channels of the postsynaptic population.
        kernel_size: side of the square kernel.
        stride: step between receptive fields.
        padding: zeros around the presynaptic population.
        weight_mean: mean of the initial weights.
        weight_std: standard deviation of the initial weights.
        bounds: lowest and highest weight.
        generator: where the initial weights are drawn from; ``None`` is torch's global generator.

    Raises:
        ConfigError: sizes or bounds out of range.
    """

    def __init__(
        self,
        pre_channels: int,
        post_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        weight_mean: float = 0.0,
        weight_std: float = 0.0,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("pre_channels", pre_channels), ("post_channels", post_channels)):
            require(size > 0, name, size, "a positive number of channels")
        require(kernel_size > 0, "kernel_size", kernel_size, "positive")
        require(stride > 0, "stride", stride, "positive")
        require(padding >= 0, "padding", padding, "at least 0")
        self._set_bounds(bounds)
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        shape = (post_channels, pre_channels, kernel_size, kernel_size)
        initial = weight_mean + weight_std * torch.randn(shape, generator=generator)
        self.weight = nn.Parameter(initial.clamp_(*bounds), requires_grad=False)

    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = spikes if isinstance(spikes, Tensor) else spikes.dense()
        leading = dense.shape[:-3]
        current = functional.conv2d(dense.flatten(0, -4), self.weight, stride=self.stride, padding=self.padding)
        return current.view(*leading, *current.shape[1:])

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        dense = pre if isinstance(pre, Tensor) else pre.dense()
        events, batch = post.shape[:2]
        fields = functional.unfold(dense.flatten(0, 1), self.kernel_size, padding=self.padding, stride=self.stride)
        product = torch.einsum(
            "ebol,ebkl->bok", post.flatten(3), fields.view(events, batch, *fields.shape[1:])
        ).reshape(batch, *self.weight.shape)
        return product if out is None else out.add_(product)
