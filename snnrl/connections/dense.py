"""All-to-all connection."""

from __future__ import annotations

import math
from typing import ClassVar, Unpack

import torch
from torch import Tensor
from torch.nn import functional

from snnrl.connections.base import Connection, new_memory, require_shape, require_size
from snnrl.connections.fields import at_least
from snnrl.connections.weights import WeightSettings, as_tensor
from snnrl.errors import require
from snnrl.kernels import add_outer_events, add_rows, spike_product
from snnrl.settings import register
from snnrl.spikes import SparseSpikes, as_dtype
from snnrl.types import Setting


@register("dense")
class Dense(Connection):
    """All-to-all connection with weights ``[post, pre]``.

    Takes dense spikes or :class:`~snnrl.spikes.SparseSpikes`; the two agree to rounding.

    Args:
        pre: number of presynaptic neurons.
        post: number of postsynaptic neurons.
        by_pre: whether weights lie in memory by presynaptic neuron, so that the synapses of a neuron that spikes are
            one contiguous read; else by postsynaptic neuron, for rules that change all synapses of a few of those.
        **settings: see :class:`~snnrl.connections.weights.WeightSettings`.

    Raises:
        ConfigError: sizes or settings out of range.
    """

    TAKES_FLAT: ClassVar[bool] = True

    def __init__(self, pre: int, post: int, *, by_pre: bool = True, **settings: Unpack[WeightSettings]) -> None:
        super().__init__()
        require(at_least(1, pre), "pre", pre, "a positive number of neurons")
        require(at_least(1, post), "post", post, "a positive number of neurons")
        self._set_weight((post, pre), settings, by_pre=by_pre)

    @new_memory
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        weight = self.weight
        if isinstance(spikes, SparseSpikes):
            require_size(spikes, weight.shape[1])
            value = spikes.to(self._cast_of(spikes.value)).value
            current = functional.embedding_bag(
                spikes.index, weight.t(), spikes.offsets, mode="sum", per_sample_weights=value.to(weight.dtype)
            )
            return current.view(*spikes.rows, -1).to(value.dtype)
        bits = isinstance(spikes, Tensor) and spikes.dtype == torch.bool and self.compute_dtype == torch.float32
        dense = spikes if bits else self.as_dense(spikes)
        require_shape(dense, (weight.shape[1],))
        return spike_product(dense.flatten(0, -2), weight).view(*dense.shape[:-1], -1)

    def new_eligibility(self, batch: int) -> Tensor:
        post, pre = self.weight.shape
        return self.weight.new_zeros((batch, pre, post), dtype=self.compute_dtype).transpose(1, 2)

    def sum_rows(self, eligibility: Tensor, factor: Tensor) -> Tensor:
        by_pre = eligibility.transpose(1, 2)
        return (as_dtype(factor, by_pre.dtype, "factor") @ by_pre.flatten(1)).view(by_pre.shape[1:]).t()

    def at_synapses(self, post: Tensor, pre_shape: tuple[int, ...]) -> Tensor:
        return post.unsqueeze(-1)

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        out = self.new_eligibility(post.shape[1]) if out is None else out
        by_pre, post = out.transpose(1, 2), as_dtype(post, out.dtype, "post")
        if isinstance(pre, Tensor):
            by_pre.baddbmm_(as_dtype(pre, out.dtype, "pre").permute(1, 2, 0), post.transpose(0, 1))
        else:
            self._add_events(by_pre, post.reshape(-1, by_pre.shape[2]), pre.to(out.dtype))
        return out

    @staticmethod
    def _add_events(by_pre: Tensor, post: Tensor, pre: SparseSpikes) -> None:
        """Add each event's outer product to ``by_pre`` ``[batch, pre, post]``."""
        if by_pre.device.type == "cpu" and by_pre.is_contiguous():
            add_outer_events(by_pre, pre.row, pre.index, pre.value, post)
            return
        batch, size, width = by_pre.shape
        synapses = by_pre.reshape(batch * size, width)
        at = (pre.row % batch) * size + pre.index
        add_rows(synapses, at, post.index_select(0, pre.row) * pre.value[:, None])
        if synapses.data_ptr() != by_pre.data_ptr():
            by_pre.copy_(synapses.view_as(by_pre))


@register("lateral")
class Lateral(Dense):
    """All-to-all connection of a population with itself, without self-connections.

    Args:
        size: number of neurons.
        **settings: see :class:`~snnrl.connections.weights.WeightSettings`; a ``mask`` is applied on top.

    Raises:
        ConfigError: sizes or settings out of range.
    """

    def __init__(self, size: int, **settings: Unpack[WeightSettings]) -> None:
        require(at_least(1, size), "size", size, "a positive number of neurons")
        super().__init__(size, size, **settings)

    @classmethod
    def between(cls, pre: tuple[int, ...], post: tuple[int, ...]) -> dict[str, Setting]:
        return {"size": math.prod(pre)}

    def _set_constraint(self, name: str, value: object, shape: tuple[int, ...]) -> None:
        if name == "mask":
            given = torch.ones(()) if value is None else as_tensor(name, value)
            fits = given.dim() <= 2 and set(given.shape) <= {1, shape[0]}
            require(fits, "mask", list(given.shape), f"of a shape that broadcasts to {list(shape)}")
            value = (1 - torch.eye(shape[0], device=given.device)) * given
        super()._set_constraint(name, value, shape)
