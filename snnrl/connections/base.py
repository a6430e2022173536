"""What every connection offers: spikes to current, the Hebbian product, and one door to the weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, TypedDict

import torch
from torch import Tensor, nn

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.spikes import SparseSpikes


class Projection(nn.Module, ABC):
    """Carries spikes of one population to another; without weights unless it is a :class:`Connection`.

    Spikes are numbers or bools.

    Attributes:
        TAKES_FLAT: whether a population of more than one dimension is flattened for it.
    """

    TAKES_FLAT: ClassVar[bool] = False

    @abstractmethod
    def forward(self, spikes: Tensor | SparseSpikes) -> Tensor:
        """Synaptic current ``[..., *post_shape]`` of spikes ``[..., *pre_shape]``; at least one leading dimension."""


class WeightSettings(TypedDict, total=False):
    """What every connection can be told about its weights.

    - ``weight``: the initial weights; else they are drawn from a normal distribution.
    - ``weight_mean``, ``weight_std``: of that distribution; 0 unless given.
    - ``bounds``: lowest and highest weight.
    - ``mask``: 0 where there is no synapse, else 1; a shape that broadcasts to the weight's.
    - ``signs``: Dale's law: +1 for weights that stay at or above 0, -1 for those that stay at or below; a shape that
      broadcasts to the weight's, ``[pre]`` for a dense connection.
    - ``norm``: to what the absolute weights of every postsynaptic neuron (or kernel) are scaled to sum up, after each
      change.
    - ``dtype``: of the weights, ``torch.float32`` unless given; ``torch.bfloat16`` halves the memory.
    - ``trainable``: whether a gradient trains the weights; ``False`` unless given.
    - ``generator``: where the initial weights are drawn from; ``None`` is torch's global generator.
    """

    weight: Tensor
    weight_mean: float
    weight_std: float
    bounds: tuple[float, float]
    mask: Tensor
    signs: Tensor
    norm: float
    dtype: torch.dtype
    trainable: bool
    generator: torch.Generator | None


class Connection(Projection):
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
    mask: Tensor | None
    signs: Tensor | None
    norm: float | None

    def _set_weight(self, shape: tuple[int, ...], settings: WeightSettings, *, by_pre: bool = False) -> None:
        """Make the weights and what constrains them.

        Args:
            shape: of the weights.
            settings: see :class:`WeightSettings`.
            by_pre: lay a matrix out by presynaptic neuron.

        Raises:
            ConfigError: a setting that does not fit.
        """
        known = WeightSettings.__annotations__
        for key in settings:
            if key not in known:
                raise ConfigError(f"{key}: there is no such setting; {did_you_mean(key, known)}")
        low, high = self.bounds = settings.get("bounds", (-math.inf, math.inf))
        pair = "a pair (lowest, highest) with lowest below highest"
        require(not math.isnan(low) and low < high, "bounds", self.bounds, pair)
        generator, given = settings.get("generator"), settings.get("weight")
        for name in ("weight_mean", "weight_std"):
            value = float(settings.get(name, 0.0))  # type: ignore[arg-type]
            require(math.isfinite(value), name, value, "finite")
        if given is None:
            drawn = torch.randn(shape[::-1] if by_pre else shape, generator=generator)
            weight = drawn.mul_(settings.get("weight_std", 0.0)).add_(settings.get("weight_mean", 0.0))
        else:
            require(given.shape == shape, "weight", list(given.shape), f"of shape {list(shape)}")
            require(bool(torch.isfinite(given).all()), "weight", "not finite", "finite in every entry")
            weight = (given.t() if by_pre else given).detach().clone().contiguous()
        dtype = settings.get("dtype", weight.dtype)
        require(dtype.is_floating_point, "dtype", dtype, "a floating-point type; give weight and dtype in one")
        weight = weight.to(dtype)
        weight = weight.t() if by_pre else weight
        self._set_constraint("mask", settings.get("mask"), shape, (0, 1))
        self._set_constraint("signs", settings.get("signs"), shape, (-1, 1))
        self.norm = settings.get("norm")
        require(self.norm is None or 0 < self.norm < math.inf, "norm", self.norm, "a positive sum of absolute weights")
        self.weight = nn.Parameter(weight, requires_grad=settings.get("trainable", False))
        self._constrain_()

    def _set_constraint(
        self, name: str, value: Tensor | None, shape: tuple[int, ...], allowed: tuple[int, int]
    ) -> None:
        if value is not None:
            lacking = len(shape) - value.dim()
            fits = lacking >= 0 and all(a in (1, b) for a, b in zip((1,) * lacking + value.shape, shape, strict=True))
            require(fits, name, list(value.shape), f"of a shape that broadcasts to {list(shape)}")
            low, high = allowed
            require(bool(((value == low) | (value == high)).all()), name, value, f"{low} or {high} in every entry")
            value = value.to(torch.float32)
        self.register_buffer(name, value, persistent=False)

    @torch.no_grad()
    def _constrain_(self) -> None:
        """Bounds, Dale's law, mask and norm, in this order; bounds hold whatever the norm asks for."""
        weight = self.weight
        weight.clamp_(*self.bounds)
        if self.signs is not None:
            weight.mul_((weight * self.signs >= 0).to(weight.dtype))
        if self.mask is not None:
            weight.mul_(self.mask)
        if self.norm is not None:
            strength = self.input_strength()
            tiny = torch.finfo(weight.dtype).tiny
            weight.mul_(torch.where(strength > tiny, self.norm / strength.clamp_min(tiny), 1.0).to(weight.dtype))
            weight.clamp_(*self.bounds)

    def input_strength(self) -> Tensor:
        """The sum of each postsynaptic neuron's or kernel's absolute weights; broadcasts to the weight's shape."""
        return self.weight.abs().sum(tuple(range(1, self.weight.dim())), keepdim=True)

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
        return self.weight.new_zeros(
            (batch, *self.weight.shape), dtype=torch.promote_types(self.weight.dtype, torch.float32)
        )

    def sum_rows(self, eligibility: Tensor, factor: Tensor) -> Tensor:
        """The sum over rows of ``factor`` ``[batch]`` times ``eligibility`` ``[batch, *weight.shape]``."""
        return (factor @ eligibility.flatten(1)).view_as(self.weight)

    @torch.no_grad()
    def apply_(self, delta: Tensor) -> None:
        """Add ``delta`` to the weights and hold them to what was set: the one door to the weights."""
        self.weight.add_(delta)
        self._constrain_()


def add_to(out: Tensor | None, product: Tensor) -> Tensor:
    """``product``, or ``out`` with it added in place."""
    return product if out is None else out.add_(product)


def as_dense(spikes: Tensor | SparseSpikes) -> Tensor:
    """Spikes as a tensor."""
    dense = spikes if isinstance(spikes, Tensor) else spikes.dense()
    return dense.to(torch.get_default_dtype()) if dense.dtype == torch.bool else dense


def require_shape(spikes: Tensor, shape: tuple[int, ...], what: str = "spikes") -> None:
    """Raise :class:`~snnrl.errors.ConfigError` unless ``spikes`` ends in ``shape``."""
    fits = spikes.dim() > len(shape) and tuple(spikes.shape[-len(shape) :]) == shape
    require(fits, what, list(spikes.shape), f"of shape [..., {', '.join(map(str, shape))}]")
