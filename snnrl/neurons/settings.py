"""Settings of neurons: the values that they may have, and how one that a gradient trains stays among them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.errors import ConfigError, require
from snnrl.kernels.plain import needs_torch
from snnrl.surrogate import clamp

Value = float | Tensor
"""A setting: a number, or a tensor with one number for each neuron ``[*shape]``."""


class Limits(NamedTuple):
    """The values that a setting may have."""

    expected: str
    """What an error message calls them, with ``{low}`` and ``{high}`` for the ends."""
    low: Value = -math.inf
    high: Value = math.inf
    open: bool = False
    """Whether the two ends themselves are left out."""
    finite: bool = True
    """Whether infinity is left out."""

    def hold(self, values: Tensor) -> bool:
        """Whether all of ``values``, on the CPU in float64, are among them."""
        low, high = (torch.as_tensor(end, dtype=torch.float64, device="cpu") for end in (self.low, self.high))
        inside = (values > low) & (values < high) if self.open else (values >= low) & (values <= high)
        return bool((inside & torch.isfinite(values) if self.finite else inside).all())

    def words(self) -> str:
        """What an error message calls them."""
        return self.expected.format(low=_extreme(self.low, max), high=_extreme(self.high, min))

    def nearest(self, parameter: Tensor) -> Tensor:
        """A parameter where it is among them, else the nearest value that is; the gradient is kept out there."""
        low, high = (self.low, self.high) if not self.open else (_inner(self.low, 1), _inner(self.high, -1))
        if not isinstance(low, Tensor) and not isinstance(high, Tensor):
            if low == -math.inf and high == math.inf:
                return parameter
            known = parameter.dim() == 0 and parameter.device.type == "cpu" and not needs_torch()
            if known and low <= parameter.item() <= high:  # which needs no operation, and there no waiting either
                return parameter
        ends = [end if isinstance(end, Tensor) or math.isfinite(end) else None for end in (low, high)]
        return clamp(parameter, *ends)


FINITE = Limits("a finite number")
POTENTIAL = Limits("a finite potential")
POSITIVE_SHARE = Limits("in (0, 1]", low=math.nextafter(0, 1), high=1.0)


def above(low: Value, expected: str = "above {low}") -> Limits:
    """All finite numbers above ``low``."""
    return Limits(expected, low=low, open=True)


def below(high: Value, expected: str = "below {high}") -> Limits:
    """All finite numbers below ``high``."""
    return Limits(expected, high=high, open=True)


def at_least(low: float, expected: str = "at least {low}") -> Limits:
    """All finite numbers from ``low`` on."""
    return Limits(expected, low=low)


def larger(one: Value, other: Value) -> Value:
    """The larger of two settings, neuron by neuron."""
    if isinstance(one, Tensor):
        return torch.maximum(one, torch.as_tensor(other, dtype=one.dtype, device=one.device))
    return larger(other, one) if isinstance(other, Tensor) else max(one, other)


def number(name: str, value: object, limits: Limits, shape: tuple[int, ...] | None) -> Tensor:
    """A setting as float64 on the CPU, a number or ``[*shape]``.

    Args:
        name: of the setting.
        value: what was given.
        limits: what may be given.
        shape: that of the population; ``None`` where a setting is one for all.

    Raises:
        ConfigError: what is no number, not of that shape, or beyond the limits.
    """
    try:
        given = torch.as_tensor(value, dtype=torch.float64, device="cpu").detach()
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(f"{name}={value}: must be {limits.words()}") from None
    if shape is None:
        require(given.dim() == 0, name, list(given.shape), "one number")
    else:
        fits = given.dim() == 0 or given.shape == shape
        require(fits, name, list(given.shape), f"a number or of shape {shape}")
    if not limits.hold(given):
        raise ConfigError(f"{name}={value}: must be {limits.words()}")
    return given


def _extreme(value: Value, pick: Callable[[list[float]], float]) -> float:
    return float(pick(value.flatten().tolist())) if isinstance(value, Tensor) else value


def _inner(end: Value, side: int) -> Value:
    """A value by so much inside an end that float32 tells the two apart."""
    if isinstance(end, Tensor):
        return end + side * 1e-6 * end.abs().clamp_min(1)
    return end + side * 1e-6 * max(abs(end), 1.0) if math.isfinite(end) else end
