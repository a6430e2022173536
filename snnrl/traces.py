"""Exponential traces: the only place where a trace decays.

A trace ``x`` follows ``tau dx/dt = -x`` and jumps by the incoming value, so over one step of length ``dt``

    x[t] = exp(-dt / tau) x[t-1] + s[t]

which is exact for input at the step's end (Morrison, Diesmann & Gerstner 2008, Biol. Cybern. 98:459, eq. 6).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from snnrl.errors import require

_LONGEST = 64
"""Steps that one matrix covers; its work grows with the square of them."""


def decay_factor(tau: float, dt: float = 1.0, setting: str = "tau") -> float:
    """The factor ``exp(-dt / tau)`` by which a trace shrinks in ``dt`` ms.

    Args:
        tau: time constant in ms, above 0.
        dt: length of a simulation step in ms, above 0 and at most ``tau``.
        setting: the name that an error message gives to ``tau``.

    Raises:
        ConfigError: a time constant or step that is not positive and finite, or a step longer than ``tau``.
    """
    require(math.isfinite(dt) and dt > 0, "dt", dt, "a positive number of ms")
    require(math.isfinite(tau) and tau >= dt, setting, tau, f"a number of ms that is at least dt ({dt})")
    return math.exp(-dt / tau)


def decay_trace(trace: Tensor, value: Tensor, decay: float | Tensor) -> Tensor:
    """One step of a trace: ``decay * trace + value``, shapes as given."""
    return trace * decay + value


def decay_kernel(steps: int, decay: float, like: Tensor) -> Tensor:
    """``decay ** t`` for ``t = 0 .. steps - 1``: the trace of one unit event at the first step. Shape ``[steps]``."""
    return _decays(steps, decay, like.device, like.dtype)[0].clone()


def scan_trace(values: Tensor, trace: Tensor, decay: float) -> Tensor:
    """A whole window of :func:`decay_trace` as products with the triangular matrix of decays.

    Args:
        values: ``[time, batch, ...]``, what arrives at each step.
        trace: ``[batch, ...]``, the trace before the window.
        decay: the factor of one step.

    Returns:
        ``[time, batch, ...]``, the trace after each step.
    """
    if len(values) == 1:
        return decay_trace(trace, values[0], decay).unsqueeze(0)
    flat, carry = values.flatten(1), trace.flatten()
    if len(flat) <= _LONGEST:
        return _scan_part(flat, carry, decay).view_as(values)
    scanned = []
    for part in flat.split(_LONGEST):
        scanned.append(_scan_part(part, carry, decay))
        carry = scanned[-1][-1]
    return torch.cat(scanned).view_as(values)


def scan_nearest_trace(values: Tensor, trace: Tensor, decay: float) -> Tensor:
    """A window of a trace that an event sets to its own value if it is lower: what is left of the nearest event.

    ``x[t] = max(decay x[t-1], s[t])`` for ``s >= 0``, so that events do not add up (Morrison, Diesmann & Gerstner 2008,
    Biol. Cybern. 98:459, sec. 4.1.2). Arguments and result are those of :func:`scan_trace`.
    """
    traces = []
    for value in values:
        trace = torch.maximum(value, trace * decay)
        traces.append(trace)
    return torch.stack(traces)


def _scan_part(values: Tensor, carry: Tensor, decay: float) -> Tensor:
    """:func:`scan_trace` of ``values`` ``[time, n]`` from the trace ``carry`` ``[n]``."""
    _, later, matrix = _decays(len(values), decay, values.device, values.dtype)
    return torch.addmm(torch.outer(later, carry), matrix, values)


@lru_cache(maxsize=64)
def _decays(steps: int, decay: float, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """``decay ** t`` and that times ``decay``, ``[steps]``; ``decay ** (t - s)`` for ``s <= t``, ``[steps, steps]``."""
    with torch.inference_mode(False), torch.no_grad():
        kernel = torch.pow(decay, torch.arange(steps, device=device, dtype=dtype))
        lag = torch.arange(steps, device=device)
        return kernel, kernel * decay, torch.tril(kernel[(lag[:, None] - lag[None, :]).clamp_min(0)])
