"""Connection of which few synapses exist."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor
from torch.nn import functional

from snnrl.connections.base import Connection, WeightSettings, add_to, as_dense, require_shape
from snnrl.errors import require
from snnrl.spikes import SparseSpikes


class Sparse(Connection):
    """The synapses that exist, in compressed rows (CSR): weights ``[synapses]``, sorted by postsynaptic neuron.

    Args:
        pre: number of presynaptic neurons.
        post: number of postsynaptic neurons.
        index: ``[2, synapses]`` int64, the postsynaptic and the presynaptic neuron of each synapse; no pair twice, on
            any device. The connection is made where a given ``weight`` is, else on the CPU, as every other.
        **settings: see :class:`~snnrl.connections.base.WeightSettings`; ``weight`` follows the order of ``index``.

    Raises:
        ConfigError: sizes, indices or settings out of range.
    """

    TAKES_FLAT: ClassVar[bool] = True
    post_index: Tensor
    pre_index: Tensor
    offsets: Tensor

    def __init__(self, pre: int, post: int, index: Tensor, **settings: Unpack[WeightSettings]) -> None:
        super().__init__()
        require(pre > 0, "pre", pre, "a positive number of neurons")
        require(post > 0, "post", post, "a positive number of neurons")
        fits = index.dim() == 2 and index.shape[0] == 2 and index.shape[1] > 0
        require(fits, "index", list(index.shape), "of shape [2, synapses] with at least one synapse")
        index = index.to(settings["weight"].device if "weight" in settings else "cpu")
        within = bool(((index >= 0) & (index < index.new_tensor([[post], [pre]]))).all())
        require(within, "index", f"up to {index.amax(1).tolist()}", f"within [{post}, {pre}] neurons")
        order = torch.argsort(index[0] * pre + index[1])
        place = (index[0] * pre + index[1])[order]
        require(bool((place[1:] != place[:-1]).all()), "index", "a pair twice", "a pair of neurons at most once")
        self.pre_size, self.post_size = pre, post
        self.register_buffer("post_index", index[0][order].clone())
        self.register_buffer("pre_index", index[1][order].clone())
        counts = torch.bincount(self.post_index, minlength=post)
        self.register_buffer("offsets", torch.cumsum(counts, 0) - counts)
        for name in ("weight", "mask", "signs"):
            self._sort(settings, name, order)
        self._set_weight((len(order),), settings)

    @staticmethod
    def _sort(settings: Any, name: str, order: Tensor) -> None:
        if name in settings and settings[name].shape == order.shape:
            settings[name] = settings[name][order]

    @classmethod
    def random(
        cls, pre: int, post: int, density: float, *, generator: torch.Generator | None = None, **settings: Any
    ) -> Sparse:
        """Each pair of neurons is connected with probability ``density``.

        Raises:
            ConfigError: a density that is not in (0, 1], or no synapse at all.
        """
        require(0 < density <= 1, "density", density, "in (0, 1]")
        index = (torch.rand(post, pre, generator=generator) < density).nonzero().t()
        return cls(pre, post, index, generator=generator, **settings)

    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        dense = as_dense(spikes)
        require_shape(dense, (self.pre_size,))
        table = dense.flatten(0, -2).t().contiguous()
        current = functional.embedding_bag(
            self.pre_index, table, self.offsets, mode="sum", per_sample_weights=self.weight.to(table.dtype)
        )
        return current.t().reshape(*dense.shape[:-1], self.post_size)

    def input_strength(self) -> Tensor:
        strength = self.weight.abs()
        return strength.new_zeros(self.post_size).index_add(0, self.post_index, strength)[self.post_index]

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        product = self.new_eligibility(post.shape[1])
        for now, before in zip(post, as_dense(pre), strict=True):
            product += now[:, self.post_index] * before[:, self.pre_index]
        return add_to(out, product)
