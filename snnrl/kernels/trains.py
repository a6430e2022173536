"""Spike trains of leaky integrate-and-fire neurons over a short window that starts anew for every input.

What :func:`snnrl.kernels.lif_scan` does, for windows of a few steps and small populations, where what surrounds a loop
costs more than the loop: the settings are plain numbers, no state comes in or goes out, and a current that stays on is
read once. Loops go along views of rows, which the compiler turns into vector instructions. The definition is
:class:`snnrl.neurons.LIF`, which is the reference.
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
from snnrl.kernels.window import LIFWindow
from snnrl.surrogate import Context

_BLOCK = 512
"""Columns that go through the window together."""


def spike_trains(current: Tensor, steps: int, window: LIFWindow, start: float | None = None) -> Tensor | None:
    """Spikes of each column in each step; differentiable by the surrogate gradient.

    Args:
        current: ``[steps, columns]``, or ``[1, columns]`` for a current that stays on.
        steps: length of the window.
        window: the neuron, all of its settings numbers and without refractory period.
        start: the potential before the first step; ``None`` is rest.

    Returns:
        ``[steps, columns]``; ``None`` where there is no kernel for the device, dtype or setting.
    """
    numbers = plain_numbers(current, window, start)
    return None if numbers is None else train_of(current, steps, window, numbers)[0]


def train_of(current: Tensor, steps: int, window: LIFWindow, numbers: list[np.float32]) -> tuple[Tensor, Tensor]:
    """Spikes ``[steps, columns]``, and how far each neuron was above threshold where a gradient passes, likewise."""
    return _train(current, steps, window, numbers)


class _TrainContext(Context, Protocol):
    window: LIFWindow
    numbers: list[np.float32]
    steady: bool


class _Train(torch.autograd.Function):
    """The reset passes no gradient, and how far it was above threshold is an output, as in :mod:`snnrl.kernels.lif`."""

    @staticmethod
    def forward(
        ctx: _TrainContext, current: Tensor, steps: int, window: LIFWindow, numbers: list[np.float32]
    ) -> tuple[Tensor, Tensor]:
        current = current.contiguous()
        columns = current.shape[1]
        spikes = current.new_empty((steps, columns))
        keep = bool(ctx.needs_input_grad[0])
        above = torch.empty_like(spikes) if keep else current.new_empty((1, 1))
        loop = _compile(window.soft, len(current) == 1, keep)
        arrays = current.detach().numpy(), spikes.numpy(), above.numpy()
        share_range(partial(loop, *arrays, *numbers), columns, _BLOCK)
        ctx.save_for_backward(above)
        ctx.window, ctx.numbers, ctx.steady = window, numbers, len(current) == 1
        ctx.set_materialize_grads(False)
        return spikes, above

    @staticmethod
    def backward(ctx: _TrainContext, *gradients: Tensor | None) -> tuple[Tensor, None, None, None]:
        ((above,), (to_spikes, to_above)) = ctx.saved_tensors, gradients
        if to_spikes is None or to_above is not None or torch.is_grad_enabled():
            plain, _ = window_gradient(to_spikes, None, to_above, above, ctx.window)
            return plain.sum(0, keepdim=True) if ctx.steady else plain, None, None, None
        to_spikes = to_spikes.contiguous()
        to_current = to_spikes.new_empty((1 if ctx.steady else len(above), above.shape[1]))
        decay, gain, slope = ctx.numbers[0], ctx.numbers[1], ctx.numbers[6]
        loop = _compile_back(ctx.window.soft, ctx.window.surrogate, ctx.steady)
        arrays = to_spikes.numpy(), above.numpy(), to_current.numpy()
        share_range(partial(loop, *arrays, decay, gain, slope), above.shape[1], _BLOCK)
        return to_current, None, None, None


_train: Callable[[Tensor, int, LIFWindow, list[np.float32]], tuple[Tensor, Tensor]] = _Train.apply


@cache
def _compile(soft: bool, steady: bool, keep: bool) -> Callable[..., None]:
    """The loop for one kind of neuron and of current; ``keep`` also gives how far it was above threshold."""

    @compiled()
    def fire(
        current: NDArray[np.float32],
        spikes: NDArray[np.float32],
        above: NDArray[np.float32],
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
        v = np.empty(_BLOCK, np.float32)
        for first in range(low, high, _BLOCK):
            width = min(_BLOCK, high - first)
            v[:] = start
            for step in range(spikes.shape[0]):
                now = current[0 if steady else step, first : first + width]
                out = spikes[step, first : first + width]
                kept = above[step, first : first + width] if keep else above[0]
                for n in range(width):
                    charged = rest + (v[n] - rest) * decay + gain * now[n]
                    x = charged - threshold
                    fired = x >= zero
                    lowered = charged - drop if soft else reset
                    v[n] = lowered if fired else charged
                    out[n] = one if fired else zero
                    if keep:
                        kept[n] = x

    return fire


@cache
def _compile_back(soft: bool, shape: int, steady: bool) -> Callable[..., None]:
    """From the gradient of the spikes to that of the current."""

    @compiled()
    def back(
        to_spikes: NDArray[np.float32],
        above: NDArray[np.float32],
        to_current: NDArray[np.float32],
        decay: np.float32,
        gain: np.float32,
        slope: np.float32,
        low: int,
        high: int,
    ) -> None:
        zero = np.float32(0)
        later = np.empty(_BLOCK, np.float32)
        for first in range(low, high, _BLOCK):
            width = min(_BLOCK, high - first)
            later[:] = zero
            if steady:
                to_current[0, first : first + width] = zero
            for step in range(above.shape[0] - 1, -1, -1):
                distance = above[step, first : first + width]
                wanted = to_spikes[step, first : first + width]
                found = to_current[0 if steady else step, first : first + width]
                for n in range(width):
                    x = distance[n]
                    kept = later[n] if soft or x < zero else zero
                    charged = wanted[n] * spike_derivative(x, shape, slope) + kept
                    later[n] = charged * decay
                    if steady:
                        found[n] += charged * gain
                    else:
                        found[n] = charged * gain

    return back
