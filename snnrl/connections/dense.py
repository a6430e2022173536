"""All-to-all connection."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl.connections.base import Connection
from snnrl.errors import require
from snnrl.kernels import add_outer_events
from snnrl.spikes import SparseSpikes


class Dense(Connection):
    """All-to-all connection with weights ``[post, pre]``, drawn from a normal distribution.

    Takes dense spikes or :class:`~snnrl.spikes.SparseSpikes`; the two agree to rounding. The weights lie in memory
    by presynaptic neuron, so that the synapses of a neuron that spikes are one contiguous read.

    Args:
        pre: number of presynaptic neurons.
        post: number of postsynaptic neurons.
        weight_mean: mean of the initial weights.
        weight_std: standard deviation of the initial weights.
        bounds: lowest and highest weight.
        generator: where the initial weights are drawn from; ``None`` is torch's global generator.

    Raises:
        ConfigError: sizes or bounds out of range.
    """

    def __init__(
        self,
        pre: int,
        post: int,
        *,
        weight_mean: float = 0.0,
        weight_std: float = 0.0,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require(pre > 0, "pre", pre, "a positive number of neurons")
        require(post > 0, "post", post, "a positive number of neurons")
        self._set_bounds(bounds)
        initial = weight_mean + weight_std * torch.randn(pre, post, generator=generator)
        self.weight = nn.Parameter(initial.clamp_(*bounds).t(), requires_grad=False)

    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        if isinstance(spikes, Tensor):
            return functional.linear(spikes, self.weight)
        current = functional.embedding_bag(
            spikes.index, self.weight.t(), spikes.offsets, mode="sum", per_sample_weights=spikes.value
        )
        return current.view(*spikes.rows, -1)

    def new_eligibility(self, batch: int) -> Tensor:
        post, pre = self.weight.shape
        return self.weight.new_zeros((batch, pre, post)).transpose(1, 2)

    def sum_rows(self, eligibility: Tensor, factor: Tensor) -> Tensor:
        by_pre = eligibility.transpose(1, 2)
        return (factor @ by_pre.flatten(1)).view(by_pre.shape[1:]).t()

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        out = self.new_eligibility(post.shape[1]) if out is None else out
        by_pre = out.transpose(1, 2)
        if isinstance(pre, Tensor):
            by_pre.baddbmm_(pre.permute(1, 2, 0), post.transpose(0, 1))
        else:
            self._add_events(by_pre, post.reshape(-1, by_pre.shape[2]), pre)
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
        synapses.index_add_(0, at, post.index_select(0, pre.row) * pre.value[:, None])
        if synapses.data_ptr() != by_pre.data_ptr():
            by_pre.copy_(synapses.view_as(by_pre))
