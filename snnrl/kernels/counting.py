"""How often leaky integrate-and-fire neurons spike in a window, and how that depends on their currents.

The count is all that a readout without leak needs. Its gradient reaches every spike of a neuron alike, so what each
step's current does to the count can be found before the gradient is known: while the potentials of a block of columns
are still in the cache, and, if one current stays on for the whole window, in the same loop that integrates them. The
definition is the sum over time of :class:`snnrl.neurons.LIF`'s spikes, which is the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled
from snnrl.kernels.lif import plain_numbers, spike_derivative
from snnrl.kernels.plain import window_gradient
from snnrl.kernels.threads import share_range
from snnrl.kernels.trains import train_of
from snnrl.kernels.window import LIFWindow
from snnrl.surrogate import Context

_BLOCK = 256
"""Columns that go through the window together, forward and back."""


def count_spikes(
    current: Tensor,
    steps: int,
    window: LIFWindow,
    start: float | None = None,
    *,
    reuse: bool = False,
    again: Callable[[], Tensor] | None = None,
) -> Tensor | None:
    """Spikes of each column in a window that starts anew; differentiable by the surrogate gradient.

    Args:
        current: ``[steps, columns]``, or ``[1, columns]`` for a current that stays on.
        steps: length of the window.
        window: the neuron, all of its settings numbers and without refractory period.
        start: the potential before the first step; ``None`` is rest.
        reuse: whether the memory of a current that does not stay on may be written to.
        again: gives the current once more where it was; without it there is then no second derivative.

    Returns:
        ``[columns]``; ``None`` where there is no kernel for the device, dtype or setting, so that the caller scans.
    """
    numbers = plain_numbers(current, window, start)
    if numbers is None:
        return None
    again = again if reuse and len(current) > 1 else lambda: current
    return _count(current, steps, window, numbers, reuse, again)


_Again = Callable[[], Tensor] | None


class _CountContext(Context, Protocol):
    window: LIFWindow
    trains: Callable[[], tuple[Tensor, Tensor]] | None


class _Count(torch.autograd.Function):
    """The reset passes no gradient, as in :func:`snnrl.kernels.lif_scan`."""

    @staticmethod
    def forward(
        ctx: _CountContext,
        current: Tensor,
        steps: int,
        window: LIFWindow,
        numbers: list[np.float32],
        reuse: bool,
        again: _Again,
    ) -> Tensor:
        current = current.contiguous()
        count = torch.empty_like(current[0])
        steady = len(current) == 1
        effect = current if reuse and not steady else torch.empty_like(current)
        loop = (_compile_steady if steady else _compile_varying)(window.soft, window.surrogate)
        arrays = current.detach().numpy(), count.numpy(), effect.detach().numpy()
        share_range(partial(loop, *arrays, steps, *numbers), current.shape[1], _BLOCK)
        ctx.save_for_backward(effect.detach())
        ctx.window, ctx.trains = window, None if again is None else lambda: train_of(again(), steps, window, numbers)
        return count

    @staticmethod
    def backward(ctx: _CountContext, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (effect,) = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return effect * gradients[0], None, None, None, None, None
        if ctx.trains is None:
            raise NotImplementedError("spikes counted in the memory of their current have no second derivative")
        _, above = ctx.trains()
        to_current, _ = window_gradient(gradients[0].expand_as(above), None, None, above, ctx.window)
        steady = to_current.sum(0, keepdim=True) if len(effect) == 1 else to_current
        return steady, None, None, None, None, None


_count: Callable[[Tensor, int, LIFWindow, list[np.float32], bool, _Again], Tensor] = _Count.apply


@cache
def _compile_steady(soft: bool, shape: int) -> Callable[..., None]:
    """The loop for one kind of neuron whose current stays on."""

    @compiled()
    def count_steady(
        current: NDArray[np.float32],
        count: NDArray[np.float32],
        effect: NDArray[np.float32],
        steps: int,
        decay: np.float32,
        gain: np.float32,
        rest: np.float32,
        threshold: np.float32,
        reset: np.float32,
        drop: np.float32,
        slope: np.float32,
        start: np.float32,
        low: int,
        high: int,
    ) -> None:
        zero, one = np.float32(0), np.float32(1)
        v, rise = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
        for first in range(low, high, _BLOCK):
            width = min(_BLOCK, high - first)
            v[:] = start
            rise[:] = zero
            now = current[0, first : first + width]
            counted, gathered = count[first : first + width], effect[0, first : first + width]
            counted[:] = zero
            gathered[:] = zero
            for _ in range(steps):
                for n in range(width):
                    charged = rest + (v[n] - rest) * decay + gain * now[n]
                    rising = rise[n] * decay + gain
                    x = charged - threshold
                    fired = x >= zero
                    counted[n] += one if fired else zero
                    gathered[n] += rising * spike_derivative(x, shape, slope)
                    lowered = charged - drop if soft else reset
                    v[n] = lowered if fired else charged
                    rise[n] = rising if soft or not fired else zero

    return count_steady


@cache
def _compile_varying(soft: bool, shape: int) -> Callable[..., None]:
    """The loop for one kind of neuron whose current changes from step to step."""

    @compiled()
    def count_varying(
        current: NDArray[np.float32],
        count: NDArray[np.float32],
        effect: NDArray[np.float32],
        steps: int,
        decay: np.float32,
        gain: np.float32,
        rest: np.float32,
        threshold: np.float32,
        reset: np.float32,
        drop: np.float32,
        slope: np.float32,
        start: np.float32,
        low: int,
        high: int,
    ) -> None:
        zero, one = np.float32(0), np.float32(1)
        above = np.empty((steps, _BLOCK), np.float32)
        v, later = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.float32)
        for first in range(low, high, _BLOCK):
            width = min(_BLOCK, high - first)
            v[:] = start
            later[:] = zero
            counted = count[first : first + width]
            counted[:] = zero
            for step in range(steps):
                now, distance = current[step, first : first + width], above[step]
                for n in range(width):
                    charged = rest + (v[n] - rest) * decay + gain * now[n]
                    x = charged - threshold
                    fired = x >= zero
                    distance[n] = x
                    counted[n] += one if fired else zero
                    lowered = charged - drop if soft else reset
                    v[n] = lowered if fired else charged
            for step in range(steps - 1, -1, -1):
                gathered = effect[step, first : first + width]
                _step_back(above[step], later, gathered, decay, gain, slope, soft, shape)

    return count_varying


@compiled()
def _step_back(
    above: NDArray[np.float32],
    later: NDArray[np.float32],
    effect: NDArray[np.float32],
    decay: np.float32,
    gain: np.float32,
    slope: np.float32,
    soft: bool,
    shape: int,
) -> None:
    """A step of the way back: a function of its own becomes vector instructions."""
    zero = np.float32(0)
    for n in range(effect.shape[0]):
        x = above[n]
        kept = later[n] if soft or x < zero else zero
        to_potential = spike_derivative(x, shape, slope) + kept
        effect[n] = to_potential * gain
        later[n] = to_potential * decay
