"""What every connection offers: spikes to current, the Hebbian product, and one door to the weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.spikes import SparseSpikes


class Connection(nn.Module, ABC):
    """A connection that is linear in its weights.

    For such a connection the Hebbian product of ``post`` and ``pre`` is the vector-Jacobian product of its forward
    pass with respect to the weights. Every plasticity rule is written over :meth:`hebbian` alone and so never asks
    which kind of connection it works on.

    Attributes:
        weight: the synaptic weights; ``[post, pre]`` for a dense connection.
        bounds: lowest and highest weight, held by :meth:`apply_`.
    """

    weight: nn.Parameter
    bounds: tuple[float, float]

    def _set_bounds(self, bounds: tuple[float, float]) -> None:
        low, high = bounds
        require(
            not math.isnan(low) and low < high, "bounds", bounds, "a pair (lowest, highest) with lowest below highest"
        )
        self.bounds = (low, high)

    @abstractmethod
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        """Synaptic current ``[..., *post_shape]`` of spikes ``[..., *pre_shape]``."""

    @abstractmethod
    def hebbian(self, post: Tensor, pre: Tensor | SparseSpikes, out: Tensor | None = None) -> Tensor:
        """The sum over events of the outer products of postsynaptic and presynaptic activity, a row of the batch each.

        Args:
            post: ``[events, batch, *post_shape]``.
            pre: ``[events, batch, *pre_shape]``.
            out: ``[batch, *weight.shape]`` to which the product is added in place, or ``None`` for a new tensor.

        Returns:
            ``[batch, *weight.shape]``.
        """

    def new_eligibility(self, batch: int) -> Tensor:
        """Zeros ``[batch, *weight.shape]`` in the memory layout that :meth:`hebbian` writes fastest."""
        return self.weight.new_zeros((batch, *self.weight.shape))

    def sum_rows(self, eligibility: Tensor, factor: Tensor) -> Tensor:
        """The sum over rows of ``factor`` ``[batch]`` times ``eligibility`` ``[batch, *weight.shape]``."""
        return (factor @ eligibility.flatten(1)).view_as(self.weight)

    @torch.no_grad()
    def apply_(self, delta: Tensor) -> None:
        """Add ``delta`` to the weights and hold them within :attr:`bounds`: the one door to the weights."""
        self.weight.add_(delta).clamp_(*self.bounds)
