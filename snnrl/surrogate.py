"""Spike functions: a step in the forward pass, and a smooth stand-in for its derivative in the backward pass.

The step has no useful derivative; training by gradient replaces it by that of a smooth function of the distance to
the threshold (Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36:51).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from snnrl.errors import ConfigError, did_you_mean, require


@dataclass(frozen=True)
class Surrogate(ABC):
    """A spike function of ``x``, the membrane potential above threshold, in units of potential.

    Attributes:
        slope: steepness, in 1 / potential; the higher, the narrower the range that learns.
    """

    slope: float = 2.0
    code: ClassVar[int]

    def __post_init__(self) -> None:
        require(math.isfinite(self.slope) and self.slope > 0, "slope", self.slope, "a positive number")

    def __call__(self, x: Tensor) -> Tensor:
        """1 where ``x >= 0``, else 0; differentiable by :meth:`derivative`. Any shape."""
        if torch.is_grad_enabled() and x.requires_grad and not tracing():
            return _step(x, self)
        return (x >= 0).to(x.dtype)

    @property
    def kernel_code(self) -> int:
        """The number by which compiled kernels know the shape; -1 for one that they do not know."""
        return int(vars(type(self)).get("code", -1))

    @abstractmethod
    def smooth(self, x: Tensor) -> Tensor:
        """The smooth function, up to a constant."""

    @abstractmethod
    def derivative(self, x: Tensor) -> Tensor:
        """The derivative of :meth:`smooth`."""


class ArcTan(Surrogate):
    """``arctan(pi slope x / 2) / pi`` (Fang et al. 2021, ICCV, "Incorporating learnable membrane time constants")."""

    code = 0

    def smooth(self, x: Tensor) -> Tensor:
        return torch.atan(math.pi / 2 * self.slope * x) / math.pi

    def derivative(self, x: Tensor) -> Tensor:
        return self.slope / 2 / (1 + (math.pi / 2 * self.slope * x).square())


class Sigmoid(Surrogate):
    """``1 / (1 + exp(-slope x))``, the firing probability of an escape-noise neuron."""

    code = 1

    def smooth(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.slope * x)

    def derivative(self, x: Tensor) -> Tensor:
        half = torch.sigmoid(self.slope * x)
        return self.slope * half * (1 - half)


class Triangle(Surrogate):
    """Derivative ``slope max(0, 1 - slope |x|)`` (Bellec et al. 2018, NeurIPS, "Long short-term memory and ...")."""

    code = 2

    def smooth(self, x: Tensor) -> Tensor:
        y = (self.slope * x).clamp(-1, 1)
        return y - y * y.abs() / 2

    def derivative(self, x: Tensor) -> Tensor:
        return self.slope * (1 - self.slope * x.abs()).clamp_min(0)


class FastSigmoid(Surrogate):
    """``x / (1 + slope |x|)``, known as SuperSpike (Zenke & Ganguli 2018, Neural Comput. 30:1514)."""

    code = 3

    def smooth(self, x: Tensor) -> Tensor:
        return x / (1 + self.slope * x.abs())

    def derivative(self, x: Tensor) -> Tensor:
        return 1 / (1 + self.slope * x.abs()).square()


SURROGATES: dict[str, type[Surrogate]] = {
    "atan": ArcTan,
    "fast_sigmoid": FastSigmoid,
    "sigmoid": Sigmoid,
    "triangle": Triangle,
}
"""The shapes by name."""


def make_surrogate(surrogate: Surrogate | str | None) -> Surrogate | None:
    """A surrogate from its name, or as it is.

    Raises:
        ConfigError: a name that is not in :data:`SURROGATES`.

    >>> make_surrogate("atan")
    ArcTan(slope=2.0)
    """
    if surrogate is None or isinstance(surrogate, Surrogate):
        return surrogate
    if not isinstance(surrogate, str):
        raise ConfigError(f"surrogate={surrogate}: must be a Surrogate or one of {', '.join(SURROGATES)}")
    if surrogate not in SURROGATES:
        raise ConfigError(f"surrogate={surrogate}: {did_you_mean(surrogate, SURROGATES)}")
    return SURROGATES[surrogate]()


def tracing() -> bool:
    """Whether ``torch.jit.trace`` records operations, which sees no gradient of our own and takes no check."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def clamp(parameter: Tensor, low: Tensor | float | None, high: Tensor | float | None) -> Tensor:
    """``parameter`` of any shape, kept between ``low`` and ``high``, of which ``None`` is no end.

    Beyond an end ``torch.clamp`` has the gradient 0, so that a parameter stays there for ever; here it has the gradient
    that leads back, and 0 only for what would lead further out.
    """
    return _clamp(parameter, low, high)


class Context(Protocol):
    """Where an autograd function keeps what its backward pass needs: torch's own, as far as it is used here."""

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep tensors, which are then :attr:`saved_tensors`."""

    def set_materialize_grads(self, value: bool) -> None:
        """Whether gradients of outputs that nothing depends on are zeros, else ``None``."""


class _StepContext(Context, Protocol):
    surrogate: Surrogate


class _Step(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, surrogate: Surrogate) -> Tensor:
        return (x >= 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: _StepContext, inputs: tuple[Tensor, Surrogate], output: Tensor) -> None:
        x, ctx.surrogate = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: _StepContext, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradients[0] * ctx.surrogate.derivative(x), None


_step: Callable[[Tensor, Surrogate], Tensor] = _Step.apply

_End = Tensor | float | None


class _ClampContext(Context, Protocol):
    ends: tuple[_End, _End]


class _Clamp(torch.autograd.Function):
    """A clamp whose gradient is held back only where a step along it would lead further out."""

    generate_vmap_rule = True

    @staticmethod
    def forward(parameter: Tensor, low: _End, high: _End) -> Tensor:
        within = parameter if low is None else parameter.clamp(min=low)
        return within if high is None else within.clamp(max=high)

    @staticmethod
    def setup_context(ctx: _ClampContext, inputs: tuple[Tensor, _End, _End], output: Tensor) -> None:
        parameter, ctx.ends = inputs[0], inputs[1:]
        ctx.save_for_backward(parameter)

    @staticmethod
    def backward(ctx: _ClampContext, *gradients: Tensor) -> tuple[Tensor, None, None]:
        ((parameter,), (low, high), gradient) = ctx.saved_tensors, ctx.ends, gradients[0]
        if low is not None:
            gradient = gradient.masked_fill((parameter < low) & (gradient > 0), 0.0)
        if high is not None:
            gradient = gradient.masked_fill((parameter > high) & (gradient < 0), 0.0)
        return gradient, None, None


_clamp: Callable[[Tensor, _End, _End], Tensor] = _Clamp.apply
