"""Connection of which few synapses exist."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, Unpack

import torch
from torch import Tensor

from snnrl.connections.base import Connection, add_to, new_memory, require_shape, require_size
from snnrl.connections.fields import at_least
from snnrl.connections.synapses import AT_ONCE, random_pairs
from snnrl.connections.weights import WeightSettings
from snnrl.errors import ConfigError, require
from snnrl.kernels import add_rows
from snnrl.kernels.plain import needs_torch
from snnrl.kernels.synapse_sums import sum_synapses, sum_synapses_twice
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.types import Setting

_OF_SYNAPSES: tuple[Literal["weight", "mask", "signs"], ...] = ("weight", "mask", "signs")


@register("sparse")
class Sparse(Connection):
    """The synapses that exist, in compressed rows (CSR): weights ``[synapses]``, sorted by postsynaptic neuron.

    Args:
        pre: number of presynaptic neurons.
        post: number of postsynaptic neurons.
        index: ``[2, synapses]`` int64, the postsynaptic and the presynaptic neuron of each synapse; no pair twice, on
            any device. The connection is made where a given ``weight`` is, else on the CPU, as every other.
        **settings: see :class:`~snnrl.connections.weights.WeightSettings`; ``weight`` follows the order of ``index``.

    Raises:
        ConfigError: sizes, indices or settings out of range.
    """

    TAKES_FLAT: ClassVar[bool] = True
    post_index: Tensor
    pre_index: Tensor
    offsets: Tensor

    def __new__(cls, *args: Setting, **settings: Setting) -> Self:
        if "density" in settings:
            density = settings["density"]
            raise ConfigError(f"density={density}: must be given to Sparse.random, which draws the synapses")
        return super().__new__(cls, *args, **settings)

    def __init__(self, pre: int, post: int, index: Tensor, **settings: Unpack[WeightSettings]) -> None:
        super().__init__()
        if "weight" in settings:
            settings["weight"] = torch.as_tensor(settings["weight"])
        require(at_least(1, pre), "pre", pre, "a positive number of neurons")
        require(at_least(1, post), "post", post, "a positive number of neurons")
        index = torch.as_tensor(index)
        fits = index.dim() == 2 and index.shape[0] == 2 and index.shape[1] > 0
        require(fits, "index", list(index.shape), "of shape [2, synapses] with at least one synapse")
        whole = not index.is_floating_point() and not index.is_complex() and index.dtype != torch.bool
        require(whole, "index", index.dtype, "integers, the neurons' numbers")
        index = index.long().to(settings["weight"].device if "weight" in settings else "cpu")
        lowest, highest = index.amin(1).tolist(), index.amax(1).tolist()
        within = min(lowest) >= 0 and highest[0] < post and highest[1] < pre
        require(within, "index", f"up to {highest}", f"within [{post}, {pre}] neurons")
        place = index[0] * pre + index[1]
        order = torch.argsort(place)
        place = place[order]
        require(bool((place[1:] != place[:-1]).all()), "index", "a pair twice", "a pair of neurons at most once")
        del place
        self.pre_size, self.post_size = pre, post
        self.register_buffer("post_index", index[0][order])
        self.register_buffer("pre_index", index[1][order])
        counts = torch.bincount(self.post_index, minlength=post)
        self.register_buffer("offsets", torch.cumsum(counts, 0) - counts)
        for name in _OF_SYNAPSES:
            self._sort(settings, name, order)
        self._set_weight((len(order),), settings)

    @staticmethod
    def _sort(settings: WeightSettings, name: Literal["weight", "mask", "signs"], order: Tensor) -> None:
        if name in settings:
            given = torch.as_tensor(settings[name])
            settings[name] = given[order] if given.shape == order.shape else given

    @classmethod
    def random(
        cls, pre: int, post: int, density: float, *, generator: torch.Generator | None = None, **settings: Setting
    ) -> Sparse:
        """Each pair of neurons is connected with probability ``density``.

        Memory goes by the synapses that there are; time by all pairs, or by the synapses where pairs are very many.

        Raises:
            ConfigError: a size or density out of range, or no synapse at all.
        """
        require(at_least(1, pre), "pre", pre, "a positive number of neurons")
        require(at_least(1, post), "post", post, "a positive number of neurons")
        require(0 < density <= 1, "density", density, "in (0, 1]")
        place = random_pairs(pre * post, density, generator)
        return cls(pre, post, torch.stack([place // pre, place % pre]), generator=generator, **settings)

    @new_memory
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        if isinstance(spikes, SparseSpikes):
            require_size(spikes, self.pre_size)
            rows = max(1, max(AT_ONCE, len(self.pre_index), len(spikes.index)) // self.pre_size)
            currents = [self._transmit(part.dense()) for part in spikes.split_rows(rows)]
            return torch.cat(currents).view(*spikes.rows, self.post_size)
        require_shape(spikes, (self.pre_size,))
        return self._transmit(spikes.flatten(0, -2)).view(*spikes.shape[:-1], self.post_size)

    def _transmit(self, spikes: Tensor) -> Tensor:
        """The currents ``[rows, post]`` of spikes ``[rows, pre]``."""
        table = self.as_dense(spikes).t().contiguous()
        weight = self.weight.to(table.dtype)
        synapses = self.post_index, self.pre_index, self.offsets
        led = torch.is_grad_enabled() and (table.requires_grad or weight.requires_grad) and not needs_torch()
        return (sum_synapses_twice(table, weight, *synapses) if led else sum_synapses(table, weight, *synapses)).t()

    def input_strength(self) -> Tensor:
        strength = self.weight.abs()
        total = strength.new_zeros(self.post_size)
        add_rows(total, self.post_index, strength)
        return total[self.post_index]

    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        product = self.new_eligibility(post.shape[1])
        events = pre.split_rows(post.shape[1]) if isinstance(pre, SparseSpikes) else pre
        for after, before in zip(post, events, strict=True):
            now, dense = self._factors(after, before)
            product += now[:, self.post_index] * dense[:, self.pre_index]
        return add_to(out, product)
