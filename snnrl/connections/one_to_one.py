"""Connections whose weights are no matrix: neuron to neuron, and all through their mean."""

from __future__ import annotations

from typing import ClassVar, Unpack

from torch import Tensor

from snnrl.connections.base import Connection, WeightSettings, add_to, as_dense, require_shape
from snnrl.errors import require
from snnrl.spikes import SparseSpikes


class OneToOne(Connection):
    """Each neuron drives its counterpart: weights ``[*shape]``.

    Args:
        shape: of both populations.
        **settings: see :class:`~snnrl.connections.base.WeightSettings`.

    Raises:
        ConfigError: sizes or settings out of range.
    """

    def __init__(self, shape: int | tuple[int, ...], **settings: Unpack[WeightSettings]) -> None:
        super().__init__()
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        require(min(sizes, default=0) > 0, "shape", sizes, "positive sizes")
        self._set_weight(sizes, settings)

    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = as_dense(spikes)
        require_shape(dense, tuple(self.weight.shape))
        return dense * self.weight.to(dense.dtype)

    def input_strength(self) -> Tensor:
        return self.weight.abs()

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        return add_to(out, (post * as_dense(pre)).sum(0))


class MeanField(Connection):
    """Every postsynaptic neuron sees the mean activity of the presynaptic population: weights ``[post]``.

    Args:
        pre: number of presynaptic neurons.
        post: number of postsynaptic neurons.
        **settings: see :class:`~snnrl.connections.base.WeightSettings`.

    Raises:
        ConfigError: sizes or settings out of range.
    """

    TAKES_FLAT: ClassVar[bool] = True

    def __init__(self, pre: int, post: int, **settings: Unpack[WeightSettings]) -> None:
        super().__init__()
        require(pre > 0, "pre", pre, "a positive number of neurons")
        require(post > 0, "post", post, "a positive number of neurons")
        self.pre_size = pre
        self._set_weight((post,), settings)

    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = as_dense(spikes)
        require_shape(dense, (self.pre_size,))
        return dense.mean(-1, keepdim=True) * self.weight.to(dense.dtype)

    def input_strength(self) -> Tensor:
        return self.weight.abs()

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        return add_to(out, (post * as_dense(pre).mean(-1, keepdim=True)).sum(0))
