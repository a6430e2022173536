"""Convolutional connections: one kernel for all places."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Unpack

import torch
from torch import Tensor
from torch.nn import functional

from snnrl.connections.base import Connection, add_to, new_memory
from snnrl.connections.fields import Fields, Size, at_least
from snnrl.connections.weights import WeightSettings
from snnrl.errors import require
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.types import Setting


class Conv(Connection):
    """Convolution with shared weights ``[post_channels, pre_channels, *kernel]``.

    Presynaptic spikes are ``[..., pre_channels, *space]``. The Hebbian product sums over all places.

    Args:
        pre_channels: channels of the presynaptic population.
        post_channels: channels of the postsynaptic population.
        kernel_size: extent of the kernel, a number or one for each dimension.
        stride: step between receptive fields.
        padding: zeros around the presynaptic population.
        **settings: see :class:`~snnrl.connections.weights.WeightSettings`.

    Raises:
        ConfigError: sizes or settings out of range.
    """

    DIMENSIONS: ClassVar[int]
    _convolve: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        pre_channels: int,
        post_channels: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Size = 0,
        **settings: Unpack[WeightSettings],
    ) -> None:
        super().__init__()
        for name, size in (("pre_channels", pre_channels), ("post_channels", post_channels)):
            require(at_least(1, size), name, size, "a positive number of channels")
        self.fields = Fields.of(self.DIMENSIONS, kernel_size, stride, padding)
        self._set_weight((post_channels, pre_channels, *self.fields.kernel), settings)

    @classmethod
    def between(cls, pre: tuple[int, ...], post: tuple[int, ...]) -> dict[str, Setting]:
        return {"pre_channels": pre[0], "post_channels": post[0]}

    @new_memory
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = self.as_dense(spikes)
        fits = dense.dim() > self.DIMENSIONS + 1 and dense.shape[-self.DIMENSIONS - 1] == self.weight.shape[1]
        require(fits, "spikes", list(dense.shape), f"of shape [..., {self.weight.shape[1]}, *space]")
        self.fields.out_shape(tuple(dense.shape[-self.DIMENSIONS :]))
        flat = dense.flatten(0, -self.DIMENSIONS - 2)
        convolve = type(self)._convolve
        current = convolve(flat, self.weight.to(flat.dtype), stride=self.fields.stride, padding=self.fields.padding)
        return current.view(*dense.shape[: -self.DIMENSIONS - 1], *current.shape[1:])

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        post, dense = self._factors(post, pre)
        events, batch = post.shape[:2]
        fields = self.fields.unfold(dense.flatten(0, 1))
        product = torch.einsum("ebol,ebkl->bok", post.flatten(3), fields.view(events, batch, *fields.shape[1:]))
        return add_to(out, product.reshape(batch, *self.weight.shape))


@register("conv1d")
class Conv1d(Conv):
    """Convolution along a line, with kernels ``[post_channels, pre_channels, length]``; see :class:`Conv`."""

    DIMENSIONS = 1
    _convolve = functional.conv1d


@register("conv2d")
class Conv2d(Conv):
    """Convolution on a plane, with kernels ``[post_channels, pre_channels, height, width]``; see :class:`Conv`."""

    DIMENSIONS = 2
    _convolve = functional.conv2d


@register("conv3d")
class Conv3d(Conv):
    """Convolution in a volume, kernels ``[post_channels, pre_channels, depth, height, width]``; see :class:`Conv`."""

    DIMENSIONS = 3
    _convolve = functional.conv3d
