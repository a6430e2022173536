"""Weights that are held to what was set, whoever changes them: a rule, an optimiser, a loaded file."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Self, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from snnrl.connections.descent import hold_after_steps
from snnrl.connections.narrow import narrowed, widened
from snnrl.errors import ConfigError, require, shown
from snnrl.settings import refuse_unknown
from snnrl.types import Saved, Setting

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
"""Of weights."""


class WeightSettings(TypedDict, total=False):
    """What every connection can be told about its weights.

    - ``weight``: the initial weights; else they are drawn from a normal distribution.
    - ``weight_mean``, ``weight_std``: of that distribution; 0 unless given.
    - ``bounds``: lowest and highest weight of a synapse; what is no synapse is 0 whatever they are.
    - ``mask``: 0 where there is no synapse, else 1; a shape that broadcasts to the weight's.
    - ``signs``: Dale's law: +1 for weights that stay at or above 0, -1 for those that stay at or below; a shape that
      broadcasts to the weight's, ``[pre]`` for a dense connection. Where ``bounds`` leave no weight of the sign, there
      is no synapse.
    - ``norm``: to what the absolute weights of every postsynaptic neuron (or kernel) are scaled to sum up, after each
      change, as far as ``bounds`` let them.
    - ``dtype``: of the weights, torch's default unless given; ``torch.bfloat16`` halves the memory that is read. What
      rules add to it is summed in float32, for which the lower halves of weights that have learned are kept too.
      An optimiser of torch does not, and steps of less than about 1/512 of a weight are rounded away.
    - ``trainable``: whether a gradient trains the weights; ``False`` unless given. Those of a dense connection are not
      contiguous, as ``torch.nn.utils.parameters_to_vector`` and ``torch.optim.LBFGS`` ask for.
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


class Weights(nn.Module):
    """The weights of a connection, and what constrains them.

    Constraints hold after :meth:`apply_`, after every step of an optimiser of torch, and after any other change in
    place of weights that are trained, as soon as they are read through the connection or its ``state_dict``: gradient
    descent is projected onto what was set. Weights that are loaded are held to bounds, signs and mask; a norm they were
    saved with, and scaling to it once more would change the last bits of a run that goes on.

    ``bounds``, ``mask``, ``signs`` and ``norm`` may be assigned later: they are checked and hold at once; those
    of :class:`~snnrl.connections.Sparse` then in the order of its weights.

    Attributes:
        bounds: lowest and highest weight.
    """

    PASSED_ON: ClassVar[tuple[str, ...]] = tuple(WeightSettings.__annotations__)

    bounds: tuple[float, float]
    mask: Tensor | None
    signs: Tensor | None
    norm: float | None
    lower_half: Tensor | None
    _held: int | None

    @property
    def weight(self) -> nn.Parameter:
        """The synaptic weights; ``[post, pre]`` for a dense connection."""
        weight = self._parameters.get("weight")
        if weight is None:
            return self._made_weight()
        if weight.requires_grad and isinstance(weight, nn.Parameter) and not torch.compiler.is_compiling():
            self._catch_up(weight)
        return weight

    @weight.setter
    def weight(self, value: Tensor) -> None:
        self.__dict__["weight"] = value  # torch sets parameters itself; this is a tensor that is made of others

    @weight.deleter
    def weight(self) -> None:
        del self.__dict__["weight"]

    def __setattr__(self, name: str, value: Setting) -> None:
        constrains = name in ("bounds", "mask", "signs", "norm") and "_held" in self.__dict__
        if not constrains:
            super().__setattr__(name, value)
            return
        self._set_constraint(name, value, tuple(self.weight.shape))
        weight = self.weight
        if weight.dtype == torch.bfloat16:
            with torch.no_grad():
                self._apply_wide_(weight, weight.new_zeros(()))
        else:
            self.constrain_()

    def _made_weight(self) -> nn.Parameter:
        made: nn.Parameter | None = self.__dict__.get("weight")
        if made is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute 'weight'")
        return made

    def _catch_up(self, weight: nn.Parameter) -> None:
        """Hold weights that a gradient trains to what was set, if they were changed since."""
        if self._is_constrained():
            hold_after_steps(self)
            if self._held not in (None, _version(weight)):
                self.constrain_()

    @property
    def compute_dtype(self) -> torch.dtype:
        """What the weights are multiplied and changed in: their own dtype, or float32 if that is wider."""
        return torch.promote_types(self.weight.dtype, torch.float32)

    def _set_weight(self, shape: tuple[int, ...], settings: WeightSettings, *, by_pre: bool = False) -> None:
        """Make the weights and what constrains them.

        Args:
            shape: of the weights.
            settings: see :class:`WeightSettings`.
            by_pre: lay a matrix out by presynaptic neuron.

        Raises:
            ConfigError: a setting that does not fit.
        """
        refuse_unknown(type(self), {**settings}, WeightSettings.__annotations__)
        self._set_constraint("bounds", settings.get("bounds", (-math.inf, math.inf)), shape)
        generator, given = settings.get("generator"), settings.get("weight")
        mean, std = settings.get("weight_mean", 0.0), settings.get("weight_std", 0.0)
        require(_within(mean, -math.inf, math.inf), "weight_mean", mean, "a finite number")
        require(_within(std, -math.inf, math.inf) and std >= 0, "weight_std", std, "a finite number of at least 0")
        trainable = settings.get("trainable", False)
        require(isinstance(trainable, bool), "trainable", trainable, "True or False")
        if given is None:
            drawn = torch.randn(shape[::-1] if by_pre else shape, generator=generator)
            weight = drawn.mul_(float(std)).add_(float(mean))
        else:
            given = as_tensor("weight", given)
            require(given.shape == shape, "weight", list(given.shape), f"of shape {list(shape)}")
            require(bool(torch.isfinite(given).all()), "weight", "not finite", "finite in every entry")
            weight = (given.t() if by_pre else given).detach().clone().contiguous()
        dtype = settings.get("dtype", weight.dtype)
        require(isinstance(dtype, torch.dtype), "dtype", dtype, "a dtype of torch")
        require(dtype.is_floating_point, "dtype", dtype, "a floating-point type; give weight and dtype in one")
        require(dtype in DTYPES, "dtype", dtype, f"one of {', '.join(map(str, DTYPES))}")
        weight = weight.to(dtype)
        weight = weight.t() if by_pre else weight
        for name in ("mask", "signs", "norm"):
            self._set_constraint(name, settings.get(name), shape)
        self.register_parameter("weight", nn.Parameter(weight, requires_grad=trainable))
        self.register_buffer("lower_half", None)
        self.constrain_()

    def _set_constraint(self, name: str, value: Setting, shape: tuple[int, ...]) -> None:
        """Keep one of what constrains the weights of this shape.

        Raises:
            ConfigError: it does not fit.
        """
        if name == "bounds":
            self.__dict__[name] = _pair(value)
        elif name == "norm":
            fits = value is None or _within(value, 0.0, math.inf)
            require(fits, name, value, "a positive sum of absolute weights")
            self.__dict__[name] = value
        else:
            allowed = (0, 1) if name == "mask" else (-1, 1)
            made = self._parameters.get("weight")
            kept = None if value is None else _pattern(name, value, shape, allowed)
            self.register_buffer(name, kept if made is None or kept is None else kept.to(made.device), persistent=False)

    def _is_constrained(self) -> bool:
        bounded = self.bounds != (-math.inf, math.inf)
        return bounded or self.norm is not None or self.mask is not None or self.signs is not None

    @torch.no_grad()
    def constrain_(self) -> None:
        """Hold the weights to bounds, Dale's law, mask and norm; all hold whatever the norm asks for."""
        self.__dict__["_held"] = None  # as an assignment does, but for the time that a module takes over one
        self._limit_()
        if self.norm is not None:
            self.weight.mul_(_rescaling(self.norm, self.input_strength()))
            self._limit_(scaled=True)
        self.__dict__["_held"] = _version(self.weight)

    def _limit_(self, *, scaled: bool = False) -> None:
        """Bounds, Dale's law and mask, in this order.

        Of weights that were ``scaled`` since, those that are 0 or of one sign still are: bounds alone can be broken,
        and the others only by bounds that move a 0.
        """
        weight = self.weight
        low, high = self.bounds
        if low > -math.inf or high < math.inf:
            weight.clamp_(low, high)
        if scaled and low <= 0 <= high:
            return
        if self.signs is not None:
            weight.mul_((weight * self.signs >= 0).to(weight.dtype))
        if self.mask is not None:
            weight.mul_(self.mask)

    def input_strength(self) -> Tensor:
        """The sum of each postsynaptic neuron's or kernel's absolute weights; broadcasts to the weight's shape."""
        size = self.weight if self.bounds[0] >= 0 else self.weight.abs()
        return size.sum(tuple(range(1, size.dim())), keepdim=True)

    @torch.no_grad()
    def apply_(self, delta: Tensor, rows: Tensor | None = None) -> None:
        """Add ``delta`` to the weights and hold them to what was set: the one door to the weights.

        Args:
            delta: ``[*weight.shape]``; with ``rows`` ``[len(rows), *weight.shape[1:]]``.
            rows: int64, each once: postsynaptic neurons or kernels, the first dimension of the weights, that change.
                The others are neither read nor written; ``None`` for all.

        Raises:
            ConfigError: weights in float16, of which small changes would be lost.
        """
        weight = self.weight
        if rows is not None and (weight.dtype == torch.bfloat16 or not self._has_rows()):
            delta, rows = torch.zeros_like(weight, dtype=delta.dtype).index_copy_(0, rows, delta), None
        if weight.dtype == torch.bfloat16:
            self._apply_wide_(weight, delta)
            return
        require(weight.dtype != torch.float16, "dtype", weight.dtype, "torch.bfloat16, float32 or float64 for a rule")
        if rows is None:
            weight.add_(delta)
            self.constrain_()
        else:
            self._apply_rows_(weight, delta, rows)

    def _has_rows(self) -> bool:
        """Whether what constrains a weight looks at the weights of its own row alone."""
        return type(self).input_strength is Weights.input_strength and self.mask is None and self.signs is None

    def _apply_rows_(self, weight: nn.Parameter, delta: Tensor, rows: Tensor) -> None:
        low, high = self.bounds
        bounded = low > -math.inf or high < math.inf
        part = weight[rows].add_(delta)
        if bounded:
            part.clamp_(low, high)
        if self.norm is not None:
            strength = (part if low >= 0 else part.abs()).sum(tuple(range(1, part.dim())), keepdim=True)
            numbers = torch.finfo(part.dtype)
            part.mul_(self.norm / strength.clamp_min_(max(numbers.tiny, self.norm / numbers.max)))
            if high < math.inf or (low > -math.inf and low != 0):
                part.clamp_(low, high)
        weight[rows] = part
        self.__dict__["_held"] = _version(weight)

    def _apply_wide_(self, narrow: nn.Parameter, delta: Tensor) -> None:
        """Change the float32 numbers of which the weights in bfloat16 are the upper halves."""
        lower = self.lower_half if self._held == _version(narrow) else None
        self._parameters["weight"] = nn.Parameter(widened(narrow, lower).add_(delta), requires_grad=False)
        try:
            self.constrain_()
            self.lower_half = narrowed(self.weight, narrow)
        finally:
            self._parameters["weight"] = narrow
        self._held = _version(narrow)

    @torch.no_grad()
    def _take_wide_(self, wide: Tensor | None) -> None:
        """Weights that are wider than bfloat16 need no lower halves; ``wide`` has them in."""
        if wide is not None:
            self.weight.copy_(wide)
        self.lower_half = None

    def _save_to_state_dict(self, destination: Saved, prefix: str, keep_vars: bool) -> None:
        self.weight  # noqa: B018  held before it is saved
        super()._save_to_state_dict(destination, prefix, keep_vars)

    @torch.no_grad()
    def _load_from_state_dict(self, state_dict: Saved, prefix: str, *rest: object) -> None:
        if prefix + "weight" not in state_dict or "weight" not in self._parameters:
            super()._load_from_state_dict(state_dict, prefix, *rest)
            return
        lower = state_dict.get(prefix + "lower_half")
        self.lower_half = None if lower is None else torch.zeros_like(self.weight, dtype=torch.int16)
        self._held = None
        super()._load_from_state_dict(state_dict, prefix, *rest)
        if self.weight.dtype != torch.bfloat16:
            saved = state_dict[prefix + "weight"]
            same = saved.dtype == torch.bfloat16 and saved.shape == self.weight.shape
            self._take_wide_(widened(saved, lower) if same and lower is not None else None)
        self._limit_()
        self._held = _version(self.weight)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        narrow = self.weight  # held before it is moved
        current = self.lower_half is not None and self._held == _version(narrow)
        wide = widened(narrow, self.lower_half) if current and narrow.dtype == torch.bfloat16 else None
        self._held = None
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.weight.dtype != torch.bfloat16:
            self._take_wide_(wide)
        self._held = _version(self.weight)
        return self

    def __getstate__(self) -> Saved:
        self.weight  # noqa: B018  held before it is copied
        return self.__dict__.copy()

    def __setstate__(self, state: Saved) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._held = None
        self._held = _version(self.weight)


def _rescaling(norm: float, strength: Tensor) -> Tensor:
    """The factor by which weights of each ``strength`` come to sum up to ``norm``; 1 where there are none."""
    tiny = torch.finfo(strength.dtype).tiny
    return torch.where(strength > tiny, norm / strength.clamp_min(tiny), 1.0)


def _version(weight: Tensor) -> int:
    """How often the tensor was changed in place."""
    return 0 if weight.is_inference() else weight._version


def _within(value: Setting, low: float, high: float) -> bool:
    """Whether it is a number between the two, both of them left out."""
    single = isinstance(value, Tensor) and value.dim() == 0 and not value.is_complex()
    return (single or isinstance(value, int | float | np.number)) and low < float(value) < high


def _pattern(name: str, value: Setting, shape: tuple[int, ...], allowed: tuple[int, int]) -> Tensor:
    """A mask or signs for weights of this shape, float32."""
    pattern = as_tensor(name, value)
    lacking = len(shape) - pattern.dim()
    fits = lacking >= 0 and all(a in (1, b) for a, b in zip((1,) * lacking + pattern.shape, shape, strict=True))
    require(fits, name, list(pattern.shape), f"of a shape that broadcasts to {list(shape)}")
    low, high = allowed
    require(bool(((pattern == low) | (pattern == high)).all()), name, value, f"{low} or {high} in every entry")
    return pattern.to(torch.float32)


def as_tensor(name: str, value: Setting) -> Tensor:
    """What was given as a tensor.

    Raises:
        ConfigError: it is no tensor, and cannot be made one.
    """
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(f"{name}={shown(value)}: must be a tensor of numbers") from None


def _pair(bounds: Setting) -> tuple[float, float]:
    expected = "a pair (lowest, highest) with lowest below highest"
    try:
        low, high = bounds
        fits = not math.isnan(low) and low < high
    except (TypeError, ValueError):
        fits = False
    require(fits, "bounds", bounds, expected)
    return low, high
