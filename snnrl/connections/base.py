"""What every connection offers: spikes to current, the Hebbian product, and one door to the weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

import torch
from torch import Tensor, nn

from snnrl.connections.weights import Weights
from snnrl.errors import require
from snnrl.settings import FixedSettings, KnownSettings
from snnrl.spikes import SparseSpikes, as_dtype
from snnrl.types import Setting

Forward = TypeVar("Forward", bound=Callable[..., Tensor])


def new_memory(forward: Forward) -> Forward:
    """Mark a ``forward`` whose currents lie in memory that nobody else holds, so that spikes may take their place."""
    vars(forward)["new_memory"] = True
    return forward


def gives_new_memory(projection: nn.Module) -> bool:
    """Whether it is known that nobody else holds the currents of ``projection``: its ``forward`` is so marked.

    A mark is not inherited by a ``forward`` that overrides another, and hooks may keep what they see.
    """
    return getattr(projection.forward, "new_memory", False) and not projection._forward_hooks


class Projection(KnownSettings, FixedSettings, nn.Module, ABC):
    """Carries spikes of one population to another; without weights unless it is a :class:`Connection`.

    Spikes are numbers of any real dtype, or bools. What it returns may be what it was given, or a tensor that it keeps:
    nothing is written to it.

    Sizes and whatever else holds for good cannot be assigned later; what constrains weights can.

    Attributes:
        TAKES_FLAT: whether a population of more than one dimension is flattened for it.
    """

    TAKES_FLAT: ClassVar[bool] = False

    if TYPE_CHECKING:

        def __call__(self, spikes: Tensor | SparseSpikes) -> Tensor:
            """:meth:`forward`, which torch calls."""

    @classmethod
    def between(cls, pre: tuple[int, ...], post: tuple[int, ...]) -> dict[str, Setting]:
        """The sizes that the constructor takes for a connection between populations of these shapes.

        By default ``pre`` and ``post``, the numbers of neurons.
        """
        return {"pre": math.prod(pre), "post": math.prod(post)}

    @abstractmethod
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        """Synaptic current ``[..., *post_shape]`` of spikes ``[..., *pre_shape]``; at least one leading dimension."""


class Connection(Weights, Projection):
    """A connection that is linear in its weights.

    For such a connection the Hebbian product of ``post`` and ``pre`` is the vector-Jacobian product of its forward
    pass with respect to the weights. Every plasticity rule is written over :meth:`hebbian` alone and so never asks
    which kind of connection it works on.

    Spikes and factors of the Hebbian product may have any real dtype.
    """

    def as_dense(self, spikes: Tensor | SparseSpikes) -> Tensor:
        """Spikes as a tensor that the weights can be multiplied by: the door at which they are cast, once.

        Raises:
            ConfigError: spikes that are no real numbers.
        """
        dense = spikes.dense() if isinstance(spikes, SparseSpikes) else spikes
        return as_dtype(dense, self._cast_of(dense))

    def _cast_of(self, spikes: Tensor) -> torch.dtype:
        """The dtype that spikes get: what is in the dtype of the weights keeps it, all else gets the wider one."""
        same = isinstance(spikes, Tensor) and spikes.dtype == self.weight.dtype
        return spikes.dtype if same else self.compute_dtype

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
        return self.weight.new_zeros((batch, *self.weight.shape), dtype=self.compute_dtype)

    def sum_rows(self, eligibility: Tensor, factor: Tensor) -> Tensor:
        """The sum over rows of ``factor`` ``[batch]`` times ``eligibility`` ``[batch, *weight.shape]``."""
        return (as_dtype(factor, eligibility.dtype, "factor") @ eligibility.flatten(1)).view_as(self.weight)

    def at_synapses(self, post: Tensor, pre_shape: tuple[int, ...]) -> Tensor:
        """Numbers of postsynaptic neurons ``[batch, *post_shape]`` at each of their synapses.

        Returns:
            What broadcasts to ``[batch, *weight.shape]``; of a weight that several synapses share, their sum.
        """
        ones = post.new_ones((1, 1, *pre_shape)).expand(1, len(post), *pre_shape)
        return self.hebbian(post.unsqueeze(0), ones)

    def _factors(self, post: Tensor, pre: Tensor | SparseSpikes) -> tuple[Tensor, Tensor]:
        """The two factors of :meth:`hebbian` as tensors in :attr:`compute_dtype`."""
        dense = pre if isinstance(pre, Tensor) else pre.dense()
        return as_dtype(post, self.compute_dtype, "post"), as_dtype(dense, self.compute_dtype, "pre")


def add_to(out: Tensor | None, product: Tensor) -> Tensor:
    """``product``, or ``out`` with it added in place."""
    return product if out is None else out.add_(product)


def as_dense(spikes: Tensor | SparseSpikes) -> Tensor:
    """Spikes as a tensor of floating-point numbers, for what has no weights."""
    dense = spikes if isinstance(spikes, Tensor) else spikes.dense()
    return dense if dense.is_floating_point() else as_dtype(dense, torch.get_default_dtype())


def require_size(spikes: SparseSpikes, size: int) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` unless ``spikes`` are those of ``size`` neurons."""
    if spikes.size != size:
        require(False, "spikes", list(spikes.shape), f"of shape [..., {size}]")


def require_shape(spikes: Tensor, shape: tuple[int, ...], what: str = "spikes") -> None:
    """Raise :class:`~snnrl.errors.ConfigError` unless ``spikes`` ends in ``shape``."""
    fits = spikes.dim() > len(shape) and tuple(spikes.shape[-len(shape) :]) == shape
    require(fits, what, list(spikes.shape), f"of shape [..., {', '.join(map(str, shape))}]")
