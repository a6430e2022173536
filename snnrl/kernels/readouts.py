"""A window of the default actor and critic on the CPU, parts of :mod:`~snnrl.kernels.decision`, for one row each.

:class:`snnrl.networks.fused_readouts.FusedReadouts` is the reference.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled
from snnrl.kernels.rows import fill

NOTHING = 1e-30
"""Below this size a trace is 0: numbers near the end of float32's range are slow."""


@compiled()
def _sum(
    fired: NDArray[np.float32],
    active: NDArray[np.int64],
    count: int | np.int64,
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """The synapses ``table`` of the first ``count`` of ``active``, one event after the other."""
    fill(out, 0)
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
def arrive(
    spikes: NDArray[np.float32],
    row: int,
    to_actor: NDArray[np.float32],
    to_critic: NDArray[np.float32],
    trace: NDArray[np.float32],
    actor: NDArray[np.float32],
    critic: NDArray[np.float32],
    traces: NDArray[np.float32],
    decay: float,
    events: NDArray[np.int64],
) -> None:
    """Currents ``[time, batch, neurons]`` and presynaptic traces ``[time, batch, size]`` of a row's spikes.

    ``spikes`` are ``[time, batch, size]``, ``trace`` ``[size]`` is that before the window and then after it;
    ``events`` ``[2, size]`` is memory.
    """
    (time, _, size), number = spikes.shape, spikes.dtype.type
    shrink, none, smallest = number(decay), number(0), number(NOTHING)
    once, active = events[0], events[1]
    now = traces[0, row]
    fill(now, 0)
    for step in range(time):
        fired = spikes[step, row]
        for neuron in range(size):
            now[neuron] += fired[neuron]
    some = 0
    for neuron in range(size):
        once[some] = neuron
        some += now[neuron] != 0
    for step in range(time):
        fired, now = spikes[step, row], traces[step, row]
        count = np.int64(0)  # of one type from the start, or numba compiles _sum twice
        for place in range(some):
            active[count] = once[place]
            count += fired[once[place]] != 0
        _sum(fired, active, count, to_actor, actor[step, row])
        _sum(fired, active, count, to_critic, critic[step, row])
        for neuron in range(size):
            kept = trace[neuron] * shrink
            kept = (none if kept < smallest else kept) + fired[neuron]
            trace[neuron] = kept
            now[neuron] = kept


@compiled()
def escape(
    row: int,
    noise: NDArray[np.float32],
    numbers: tuple[float, float, float, float],
    out: NDArray[np.float32],
    count: NDArray[np.float32],
    u: NDArray[np.float32],
) -> None:
    """Spikes of :class:`snnrl.neurons.EscapeNoise` in place of the current ``out`` ``[time, batch, neurons]``."""
    number = u.dtype.type
    shrink, middle = number(numbers[0]), number(numbers[1])
    soft, most, none, one = number(numbers[2]), number(numbers[3]), number(0), number(1)
    fill(count, 0)
    for step in range(out.shape[0]):
        spikes, drawn = out[step, row], noise[step, row]
        for unit in range(len(u)):
            u[unit] = u[unit] * shrink + spikes[unit]
            chance = most * (one / (one + math.exp(-((u[unit] - middle) / soft))))
            spikes[unit] = one if drawn[unit] < chance else none
            count[unit] += spikes[unit]


@compiled()
def integrate(
    row: int,
    numbers: tuple[float, float, float, float],
    out: NDArray[np.float32],
    count: NDArray[np.float32],
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    total: NDArray[np.float64],
) -> None:
    """Spikes of :class:`snnrl.neurons.SaturatingIF` in place of the current ``out``; ``total`` is memory."""
    number = u.dtype.type
    shrink, slope = number(numbers[0]), number(numbers[1])
    rest, most, none, one = number(numbers[2]), number(numbers[3]), number(0), number(1)
    fill(total, 0)
    fill(count, 0)
    for step in range(out.shape[0]):
        spikes = out[step, row]
        for unit in range(len(u)):
            u[unit] = u[unit] * shrink + spikes[unit]
            total[unit] += most * min(max(rest + slope * u[unit], none), one)
            reached = np.floor(number(total[unit]) + v[unit])
            spikes[unit] = reached - count[unit]
            count[unit] = reached
    for unit in range(len(u)):
        v[unit] = number(total[unit]) + v[unit] - count[unit]


@compiled()
def rates(
    actor: NDArray[np.float32], critic: NDArray[np.float32], highest: np.float32, preference: NDArray[np.float32]
) -> np.float32:
    """From spike counts ``[neurons]`` to the ``preference`` ``[actions]``, and the critic's level, which is returned.

    See :class:`snnrl.networks.Activity`; ``highest`` is the most that a neuron of the critic can fire in a window.
    """
    number, each = preference.dtype.type, len(actor) // len(preference)
    for action in range(len(preference)):
        total = number(0)
        for unit in range(action * each, (action + 1) * each):
            total += actor[unit]
        preference[action] = total / number(each)
    total = number(0)
    for unit in range(len(critic)):
        total += critic[unit]
    return total / number(len(critic)) / highest
