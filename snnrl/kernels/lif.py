"""A leaky integrate-and-fire population over a window of steps, in one pass forward and one backward.

The definition is :class:`snnrl.neurons.LIF`, whose plain loop is the reference. Columns, the pairs of a row of the
batch and a neuron, are independent of each other; the loop takes a block of them through all steps while it lies in the
cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Protocol

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.kernels.plain import needs_torch, window_gradient
from snnrl.kernels.threads import share_range
from snnrl.kernels.window import LIFWindow
from snnrl.surrogate import Context

_BLOCK = 1024
"""Columns that go through the window together: their state and a step of input fit the first cache."""
_IN_PLACE = 128
"""Steps whose spikes are held apart before they take the place of their input."""


def lif_scan(
    current: Tensor, v: Tensor, refractory: Tensor, window: LIFWindow, *, reuse: bool = False
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Run a window of steps.

    Args:
        current: ``[time, columns]``.
        v: ``[columns]``, the potential before the window.
        refractory: ``[columns]``, steps for which each neuron still stays silent.
        window: the neuron.
        reuse: whether the memory of ``current`` may take the spikes.

    Returns:
        Spikes ``[time, columns]``, the potential and the refractory steps after the window; ``None`` where there is no
        kernel for the device, dtype or setting, so that the caller loops.
    """
    learning = torch.is_grad_enabled() and (current.requires_grad or v.requires_grad)
    if {current.dtype, v.dtype, refractory.dtype} != {torch.float32} or needs_torch() or current.numel() == 0:
        return None
    if learning and (window.surrogate < 0 or window.refractory_steps > 0):
        return None
    if current.device.type == "cuda":
        from snnrl.kernels import lif_triton

        if not lif_triton.available():
            return None
    elif current.device.type != "cpu":
        return None
    if learning:
        spikes, after, _ = _scan(current.contiguous(), v.contiguous(), window)
        return spikes, after, refractory
    reuse = reuse and current.is_contiguous()
    v, refractory, spikes = v.contiguous(), refractory.contiguous(), current
    for part in current.contiguous().split(_IN_PLACE if reuse else len(current)):
        fired, v, refractory, _ = _forward(part, v, refractory, window, keep=False)
        spikes = current if reuse else fired
        if reuse:
            part.copy_(fired)
    return spikes, v, refractory


def plain_numbers(current: Tensor, window: LIFWindow, start: float | None) -> list[np.float32] | None:
    """The numbers that loops over one kind of neuron take, or ``None`` where those loops cannot be used."""
    numbers = window.numbers
    if numbers is None or current.device.type != "cpu" or current.dtype != torch.float32 or needs_torch():
        return None
    return [*numbers, numbers[2] if start is None else np.float32(start)]


def _forward(
    current: Tensor, v: Tensor, refractory: Tensor, window: LIFWindow, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spikes, state after, and, if ``keep``, the potential of each step before the reset."""
    columns = window.columns(v)
    spikes = torch.empty_like(current)
    potential = torch.empty_like(current) if keep else current.new_empty((1, 1))
    after, silent = v.clone(), refractory.clone()
    if current.device.type == "cuda":
        from snnrl.kernels import lif_triton

        lif_triton.forward(current, columns, window.soft, window.refractory_steps, after, silent, spikes, potential)
        return spikes, after, silent, potential
    arrays = [tensor.detach().numpy() for tensor in (current, *columns, after, silent, spikes, potential)]
    scan = partial(_compile_scan(window.soft, window.refractory_steps, keep), *arrays)
    share_range(scan, current.shape[1], _BLOCK)
    return spikes, after, silent, potential


class _ScanContext(Context, Protocol):
    window: LIFWindow


class _Scan(torch.autograd.Function):
    """The reset passes no gradient (Zenke & Vogels 2021, Neural Comput. 33:899).

    The potential of each step is an output too, so that a second derivative finds the way from it to the inputs.
    """

    @staticmethod
    def forward(ctx: _ScanContext, current: Tensor, v: Tensor, window: LIFWindow) -> tuple[Tensor, Tensor, Tensor]:
        spikes, after, _, potential = _forward(current, v, torch.zeros_like(v), window, keep=True)
        ctx.save_for_backward(potential)
        ctx.window = window
        ctx.set_materialize_grads(False)
        return spikes, after, potential

    @staticmethod
    def backward(ctx: _ScanContext, *gradients: Tensor | None) -> tuple[Tensor, Tensor, None]:
        (potential,) = ctx.saved_tensors
        window = ctx.window
        to_spikes, to_after, to_potential = gradients
        decay, gain, _, threshold, _, _ = window.columns(potential[0])
        if torch.is_grad_enabled() or to_potential is not None:
            return *window_gradient(to_spikes, to_after, to_potential, potential - threshold, window), None
        to_spikes = torch.zeros_like(potential) if to_spikes is None else to_spikes.contiguous()
        carry = torch.zeros_like(potential[0]) if to_after is None else to_after.clone()
        to_current = torch.empty_like(potential)
        if potential.device.type == "cuda":
            from snnrl.kernels import lif_triton

            lif_triton.backward(
                to_spikes,
                potential,
                decay,
                gain,
                threshold,
                window.soft,
                window.surrogate,
                window.slope,
                carry,
                to_current,
            )
        else:
            arrays = [t.numpy() for t in (to_spikes, potential, decay, gain, threshold, carry, to_current)]
            loop: Callable[..., None] = _scan_back
            scan = partial(loop, *arrays, window.soft, window.surrogate, np.float32(window.slope))
            share_range(scan, potential.shape[1], _BLOCK)
        return to_current, carry, None


_scan: Callable[[Tensor, Tensor, LIFWindow], tuple[Tensor, Tensor, Tensor]] = _Scan.apply


@cache
def _compile_scan(soft: bool, silence: int, keep: bool) -> Callable[..., None]:
    """The loop for one kind of neuron: what it does not do costs nothing, and the rest becomes vector instructions."""
    zero, one, quiet = np.float32(0), np.float32(1), np.float32(silence)

    @compiled()
    def scan(
        current: NDArray[np.float32],
        decay: NDArray[np.float32],
        gain: NDArray[np.float32],
        rest: NDArray[np.float32],
        threshold: NDArray[np.float32],
        reset: NDArray[np.float32],
        drop: NDArray[np.float32],
        v: NDArray[np.float32],
        refractory: NDArray[np.float32],
        spikes: NDArray[np.float32],
        potential: NDArray[np.float32],
        low: int,
        high: int,
    ) -> None:
        for first in range(low, high, _BLOCK):
            last = min(first + _BLOCK, high)
            for step in range(current.shape[0]):
                for n in range(first, last):
                    charged = rest[n] + (v[n] - rest[n]) * decay[n] + gain[n] * current[step, n]
                    if silence > 0:
                        waiting = refractory[n]
                        charged = charged if waiting <= zero else v[n]
                        fired = (waiting <= zero) & (charged >= threshold[n])
                        refractory[n] = quiet if fired else max(waiting - one, zero)
                    else:
                        fired = charged >= threshold[n]
                    lowered = charged - drop[n] if soft else reset[n]
                    v[n] = lowered if fired else charged
                    spikes[step, n] = one if fired else zero
                    if keep:
                        potential[step, n] = charged

    return scan


@numba.njit(inline="always")
def spike_derivative(x: np.float32, shape: int, slope: np.float32) -> np.float32:
    """The derivative of the surrogate with the code ``shape``, at ``x`` above threshold; for compiled loops."""
    one, half = np.float32(1), np.float32(0.5)
    if shape == 0:
        scaled = np.float32(1.5707963267948966) * slope * x
        return half * slope / (one + scaled * scaled)
    if shape == 1:
        sigmoid: np.float32 = one / (one + np.exp(-slope * x))
        return slope * sigmoid * (one - sigmoid)
    if shape == 2:
        return slope * max(np.float32(0), one - slope * abs(x))
    below = one + slope * abs(x)
    return one / (below * below)


@compiled()
def _scan_back(
    to_spikes: NDArray[np.float32],
    potential: NDArray[np.float32],
    decay: NDArray[np.float32],
    gain: NDArray[np.float32],
    threshold: NDArray[np.float32],
    carry: NDArray[np.float32],
    to_current: NDArray[np.float32],
    soft: bool,
    shape: int,
    slope: np.float32,
    low: int,
    high: int,
) -> None:
    zero = np.float32(0)
    for first in range(low, high, _BLOCK):
        last = min(first + _BLOCK, high)
        for step in range(potential.shape[0] - 1, -1, -1):
            for n in range(first, last):
                x = potential[step, n] - threshold[n]
                past_reset = carry[n] if soft or x < zero else zero
                charged = to_spikes[step, n] * spike_derivative(x, shape, slope) + past_reset
                to_current[step, n] = charged * gain[n]
                carry[n] = charged * decay[n]
