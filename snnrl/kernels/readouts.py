"""A window of the default actor and critic on the CPU: what arrives, what fires, and the presynaptic trace."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled

NOTHING = 1e-30
"""Below this size a trace is 0: numbers near the end of float32's range are slow."""


class NeuronNumbers(NamedTuple):
    """Settings of the two populations."""

    actor: tuple[float, float, float, float]
    """Decay of a step, threshold, width and highest probability of :class:`snnrl.neurons.EscapeNoise`."""
    critic: tuple[float, float, float, float]
    """Decay of a step, gain, tonic drive and highest rate of :class:`snnrl.neurons.SaturatingIF`."""
    trace: float
    """Decay of the presynaptic trace in a step."""


class Window(NamedTuple):
    """What came of a window."""

    actor: Tensor
    """``[time, batch, neurons]`` spikes, or their probabilities."""
    critic: Tensor
    actor_count: Tensor
    """``[batch, neurons]``, summed over time."""
    critic_count: Tensor
    u_actor: Tensor
    """``[batch, neurons]`` after the window."""
    u_critic: Tensor
    v_critic: Tensor
    traces: Tensor
    """``[time, batch, size]`` after each step; of no step where nothing is learned."""


def readout_window(
    spikes: Tensor,
    weights: tuple[Tensor, Tensor],
    state: tuple[Tensor, Tensor, Tensor],
    trace: Tensor,
    noise: Tensor | None,
    numbers: NeuronNumbers,
    *,
    traced: bool,
) -> Window:
    """Run actor and critic over a train of spikes.

    Its reference is :class:`snnrl.networks.fused_readouts.FusedReadouts`, to which it is equal to rounding.

    Args:
        spikes: ``[time, batch, size]`` of float32 or float64 on the CPU, as all that follow.
        weights: of actor and critic ``[size, neurons]``, contiguous.
        state: ``[batch, neurons]``: the actor's potential, the critic's current and potential.
        trace: ``[batch, size]`` before the window.
        noise: ``[time, batch, neurons]`` uniform draws; ``None`` gives the probabilities of the actor's spikes.
        numbers: settings of the neurons.
        traced: whether the trace is asked for.
    """
    time, batch, size = spikes.shape
    actor, critic = (spikes.new_empty((time, batch, weight.shape[1])) for weight in weights)
    counts = [spikes.new_empty((batch, weight.shape[1])) for weight in weights]
    traces = spikes.new_empty((time if traced else 0, batch, size))
    after = [each.clone(memory_format=torch.contiguous_format) for each in state]
    tensors = spikes.contiguous(), *weights, trace.contiguous(), actor if noise is None else noise
    arrays = [tensor.numpy() for tensor in (*tensors, actor, critic, *counts, *after, traces)]
    run_window(*arrays, noise is not None, numbers.actor, numbers.critic, numbers.trace)
    return Window(actor, critic, *counts, *after, traces)


@compiled()
def run_window(
    spikes: NDArray[np.float32],
    to_actor: NDArray[np.float32],
    to_critic: NDArray[np.float32],
    trace: NDArray[np.float32],
    noise: NDArray[np.float32],
    actor: NDArray[np.float32],
    critic: NDArray[np.float32],
    actor_count: NDArray[np.float32],
    critic_count: NDArray[np.float32],
    u_actor: NDArray[np.float32],
    u_critic: NDArray[np.float32],
    v_critic: NDArray[np.float32],
    traces: NDArray[np.float32],
    draws: bool,
    escaping: tuple[float, float, float, float],
    saturating: tuple[float, float, float, float],
    decay: float,
) -> None:
    """:func:`readout_window`, into memory that is given; states are updated in place."""
    _arrive(spikes, to_actor, to_critic, trace, actor, critic, traces, decay)
    _escape(noise, draws, escaping, actor, actor_count, u_actor)
    _integrate(saturating, critic, critic_count, u_critic, v_critic)


@compiled()
def _sum(
    fired: NDArray[np.float32],
    active: NDArray[np.int64],
    count: int,
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """The synapses ``table`` of the first ``count`` of ``active``, one event after the other."""
    out[:] = 0
    event = 0
    while event + 4 <= count:
        i, j, k, m = active[event], active[event + 1], active[event + 2], active[event + 3]
        a, b, c, d = fired[i], fired[j], fired[k], fired[m]
        wa, wb, wc, wd = table[i], table[j], table[k], table[m]
        for unit in range(out.shape[0]):
            out[unit] = (((out[unit] + a * wa[unit]) + b * wb[unit]) + c * wc[unit]) + d * wd[unit]
        event += 4
    while event < count:
        a, wa = fired[active[event]], table[active[event]]
        for unit in range(out.shape[0]):
            out[unit] += a * wa[unit]
        event += 1


@compiled()
def _arrive(
    spikes: NDArray[np.float32],
    to_actor: NDArray[np.float32],
    to_critic: NDArray[np.float32],
    trace: NDArray[np.float32],
    actor: NDArray[np.float32],
    critic: NDArray[np.float32],
    traces: NDArray[np.float32],
    decay: float,
) -> None:
    (time, batch, size), number = spikes.shape, spikes.dtype.type
    shrink, none, smallest = number(decay), number(0), number(NOTHING)
    once, active, amount = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, spikes.dtype)
    for row in range(batch):
        amount[:] = none
        for step in range(time):
            fired = spikes[step, row]
            for neuron in range(size):
                amount[neuron] += abs(fired[neuron])
        some = 0
        for neuron in range(size):
            once[some] = neuron
            some += amount[neuron] != 0
        for step in range(time):
            fired = spikes[step, row]
            count = 0
            for place in range(some):
                active[count] = once[place]
                count += fired[once[place]] != 0
            for table, out in ((to_actor, actor[step, row]), (to_critic, critic[step, row])):
                _sum(fired, active, count, table, out)
            if len(traces):
                last = traces[step - 1, row] if step else trace[row]
                now = traces[step, row]
                for neuron in range(size):
                    kept = last[neuron] * shrink
                    now[neuron] = (none if kept < smallest else kept) + fired[neuron]


@compiled()
def _escape(
    noise: NDArray[np.float32],
    draws: bool,
    numbers: tuple[float, float, float, float],
    out: NDArray[np.float32],
    count: NDArray[np.float32],
    u: NDArray[np.float32],
) -> None:
    """Spikes of :class:`snnrl.neurons.EscapeNoise`, or their probabilities, in place of the current ``out``."""
    number = u.dtype.type
    shrink, middle = number(numbers[0]), number(numbers[1])
    soft, most, none, one = number(numbers[2]), number(numbers[3]), number(0), number(1)
    count[:] = none
    for step in range(out.shape[0]):
        for row in range(out.shape[1]):
            for unit in range(out.shape[2]):
                potential = u[row, unit] * shrink + out[step, row, unit]
                u[row, unit] = potential
                chance = most * (one / (one + math.exp(-((potential - middle) / soft))))
                if draws:
                    chance = one if noise[step, row, unit] < chance else none
                out[step, row, unit] = chance
                count[row, unit] += chance


@compiled()
def _integrate(
    numbers: tuple[float, float, float, float],
    out: NDArray[np.float32],
    count: NDArray[np.float32],
    u: NDArray[np.float32],
    v: NDArray[np.float32],
) -> None:
    """Spikes of :class:`snnrl.neurons.SaturatingIF` in place of the current ``out``."""
    number, width = u.dtype.type, u.shape[1]
    shrink, slope = number(numbers[0]), number(numbers[1])
    rest, most, none, one = number(numbers[2]), number(numbers[3]), number(0), number(1)
    total = np.empty(width, np.float64)
    for row in range(u.shape[0]):
        total[:] = 0
        kept, began, fired = u[row], v[row], count[row]
        fired[:] = none
        for step in range(out.shape[0]):
            spikes = out[step, row]
            for unit in range(width):
                kept[unit] = kept[unit] * shrink + spikes[unit]
                total[unit] += most * min(max(rest + slope * kept[unit], none), one)
                reached = np.floor(number(total[unit]) + began[unit])
                spikes[unit] = reached - fired[unit]
                fired[unit] = reached
        for unit in range(width):
            began[unit] = number(total[unit]) + began[unit] - fired[unit]
