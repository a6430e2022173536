"""Locally connected populations: receptive fields as in a convolution, with weights of their own at every place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import ClassVar, Unpack

import torch
from torch import Tensor

from snnrl.connections.base import Connection, add_to, new_memory, require_shape
from snnrl.connections.fields import Fields, Size, at_least
from snnrl.connections.weights import WeightSettings
from snnrl.errors import require
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.types import Setting


class Local(Connection):
    """Weights ``[post_channels, places, pre_channels * kernel volume]``: a convolution that shares nothing.

    Presynaptic spikes are ``[..., pre_channels, *space]``, currents ``[..., post_channels, *out_space]``.

    Args:
        space: extent of the presynaptic population, one number for each dimension.
        pre_channels: channels of the presynaptic population.
        post_channels: channels of the postsynaptic population.
        kernel_size: extent of a receptive field, a number or one for each dimension.
        stride: step between receptive fields.
        padding: zeros around the presynaptic population.
        **settings: see :class:`~snnrl.connections.weights.WeightSettings`.

    Raises:
        ConfigError: sizes or settings out of range.
    """

    DIMENSIONS: ClassVar[int]

    def __init__(
        self,
        space: Size,
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
        extent = tuple(space) if isinstance(space, Iterable) else (space,)
        require(len(extent) == self.DIMENSIONS, "space", space, f"of {self.DIMENSIONS} dimensions")
        require(at_least(1, *extent), "space", space, "positive sizes")
        self.fields = Fields.of(self.DIMENSIONS, kernel_size, stride, padding)
        self.pre_shape, self.out_space = (pre_channels, *extent), self.fields.out_shape(extent)
        places = math.prod(self.out_space)
        self._set_weight((post_channels, places, pre_channels * self.fields.volume), settings)

    @classmethod
    def between(cls, pre: tuple[int, ...], post: tuple[int, ...]) -> dict[str, Setting]:
        return {"space": pre[1:], "pre_channels": pre[0], "post_channels": post[0]}

    @new_memory
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = self.as_dense(spikes)
        require_shape(dense, self.pre_shape)
        fields = self.fields.unfold(dense.flatten(0, -self.DIMENSIONS - 2))
        current = torch.einsum("rkl,olk->rol", fields, self.weight.to(fields.dtype))
        return current.reshape(*dense.shape[: -self.DIMENSIONS - 1], -1, *self.out_space)

    def input_strength(self) -> Tensor:
        return self.weight.abs().sum(2, keepdim=True)

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        post, dense = self._factors(post, pre)
        events, batch = post.shape[:2]
        fields = self.fields.unfold(dense.flatten(0, 1))
        product = torch.einsum("ebol,ebkl->bolk", post.flatten(3), fields.view(events, batch, *fields.shape[1:]))
        return add_to(out, product)


@register("local1d")
class Local1d(Local):
    """Receptive fields along a line; see :class:`Local`."""

    DIMENSIONS = 1


@register("local2d")
class Local2d(Local):
    """Receptive fields on a plane; see :class:`Local`."""

    DIMENSIONS = 2


@register("local3d")
class Local3d(Local):
    """Receptive fields in a volume; see :class:`Local`."""

    DIMENSIONS = 3
