"""Connections whose weights are no matrix: neuron to neuron, and all through their mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Unpack

from torch import Tensor

from snnrl.connections.base import Connection, add_to, new_memory, require_shape, require_size
from snnrl.connections.fields import at_least
from snnrl.connections.weights import WeightSettings
from snnrl.errors import require
from snnrl.kernels import add_rows
from snnrl.settings import register
from snnrl.spikes import SparseSpikes, as_dtype
from snnrl.types import Setting


@register("one_to_one")
class OneToOne(Connection):
    """Each neuron drives its counterpart: weights ``[*shape]``.

    Args:
        shape: of both populations.
        **settings: see :class:`~snnrl.connections.weights.WeightSettings`.

    Raises:
        ConfigError: sizes or settings out of range.
    """

    def __init__(self, shape: int | tuple[int, ...], **settings: Unpack[WeightSettings]) -> None:
        super().__init__()
        sizes = tuple(shape) if isinstance(shape, Iterable) else (shape,)
        require(bool(sizes) and at_least(1, *sizes), "shape", sizes, "positive sizes")
        self._set_weight(sizes, settings)

    @classmethod
    def between(cls, pre: tuple[int, ...], post: tuple[int, ...]) -> dict[str, Setting]:
        return {"shape": pre}

    @new_memory
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = self.as_dense(spikes)
        require_shape(dense, tuple(self.weight.shape))
        return dense * self.weight.to(dense.dtype)

    def input_strength(self) -> Tensor:
        return self.weight.abs()

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        post, dense = self._factors(post, pre)
        return add_to(out, (post * dense).sum(0))


@register("mean_field")
class MeanField(Connection):
    """Every postsynaptic neuron sees the mean activity of the presynaptic population: weights ``[post]``.

    Args:
        pre: number of presynaptic neurons.
        post: number of postsynaptic neurons.
        **settings: see :class:`~snnrl.connections.weights.WeightSettings`.

    Raises:
        ConfigError: sizes or settings out of range.
    """

    TAKES_FLAT: ClassVar[bool] = True

    def __init__(self, pre: int, post: int, **settings: Unpack[WeightSettings]) -> None:
        super().__init__()
        require(at_least(1, pre), "pre", pre, "a positive number of neurons")
        require(at_least(1, post), "post", post, "a positive number of neurons")
        self.pre_size = pre
        self._set_weight((post,), settings)

    @new_memory
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        mean = self._mean(spikes)
        return mean * self.weight.to(mean.dtype)

    def input_strength(self) -> Tensor:
        return self.weight.abs()

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        post, mean = as_dtype(post, self.compute_dtype, "post"), self._mean(pre)
        return add_to(out, (post * as_dtype(mean, post.dtype, "pre")).sum(0))

    def _mean(self, spikes: Tensor | SparseSpikes) -> Tensor:
        """The share of the presynaptic population that fires ``[..., 1]``."""
        if isinstance(spikes, SparseSpikes):
            require_size(spikes, self.pre_size)
            value = spikes.to(self._cast_of(spikes.value)).value
            total = value.new_zeros(spikes.row_count)
            add_rows(total, spikes.row, value)
            return total.view(*spikes.rows, 1) / self.pre_size
        require_shape(spikes, (self.pre_size,))
        return self.as_dense(spikes).mean(-1, keepdim=True)
