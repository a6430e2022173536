"""A decision on synchronous spikes on the CPU in one pass: the default actor and critic over their window.

:class:`snnrl.networks.fused_readouts.FusedReadouts` is the reference, and
:class:`snnrl.encoders.adaptation.RateAdaptation` that of amplitudes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled
from snnrl.kernels.readouts import escape, integrate, rates
from snnrl.kernels.rows import copy, fill

Numbers = NDArray[np.float32]
"""Of float32, or all of float64 where the network is."""


@compiled()
def note_rates(
    index: NDArray[np.int64], rate: NDArray[np.float32], seen: NDArray[np.int64], batch: int, horizon: int
) -> None:
    """:meth:`snnrl.encoders.adaptation.RateAdaptation.observe`, its reference.

    Args:
        index: ``[events]``, which neurons spiked.
        rate: ``[size]``, running rates, updated in place, as the next.
        seen: ``[1]``, how many observations there were.
        batch: how many there are now.
        horizon: over how many observations rates are averaged.
    """
    count, number = np.zeros(len(rate), np.float32), np.float32(batch)
    seen[0] += batch
    share = min(number / np.float32(min(seen[0], horizon)), np.float32(0.1))
    for neuron in index:
        count[neuron] += np.float32(1)
    for neuron in range(len(rate)):
        rate[neuron] += share * (count[neuron] / number - rate[neuron])


@compiled()
def amplitudes(
    index: NDArray[np.int64], rate: NDArray[np.float32], target: np.float32, out: NDArray[np.float32]
) -> None:
    """:class:`snnrl.encoders.adaptation.RateAdaptation`, its reference; ``out`` ``[events]`` is what it returns."""
    for event in range(len(index)):
        out[event] = np.sqrt(target / max(rate[index[event]], target))


@compiled()
def arrive_at_once(
    index: NDArray[np.int64], value: Numbers, first: int, past: int, synapses: Numbers, current: Numbers
) -> None:
    """The current ``[neurons]`` of a row's events, of ``synapses`` ``[size, neurons]``."""
    fill(current, 0)
    for event in range(first, past):
        amplitude, weights = value[event], synapses[index[event]]
        for unit in range(len(current)):
            current[unit] += amplitude * weights[unit]


@compiled()
def _weigh(fired: Numbers, row: int, kernel: Numbers, floor: float, out: Numbers) -> None:
    """What is fired in a window ``[time, batch, neurons]``, and the floor, as one event ``[neurons]``."""
    fill(out, 0)
    for step in range(len(kernel)):
        share, more = kernel[step], out.dtype.type(floor)
        for unit in range(len(out)):
            out[unit] += share * (fired[step, row, unit] + more)


@compiled()
def run_instant(
    begins: NDArray[np.int64],
    index: NDArray[np.int64],
    value: Numbers,
    to_actor: Numbers,
    to_critic: Numbers,
    v_critic: Numbers,
    noise: Numbers,
    escaping: tuple[float, float, float, float],
    saturating: tuple[float, float, float, float],
    kernel: Numbers,
    floors: tuple[float, float],
    actor: Numbers,
    critic: Numbers,
    actor_factor: Numbers,
    critic_factor: Numbers,
    preference: Numbers,
    level: Numbers,
) -> None:
    """Run actor and critic over a window that begins with the spikes of one instant.

    Args:
        begins: ``[batch + 1]``, where each row's events begin, and where they end.
        index: ``[events]``, which neurons spike.
        value: ``[events]``, how loud.
        to_actor: weights ``[size, neurons]``.
        to_critic: likewise.
        v_critic: ``[neurons]``, the critic's potentials before the window.
        noise: ``[time, batch, neurons]`` uniform draws.
        escaping: see :func:`snnrl.kernels.decision.see`, as the next.
        saturating: likewise.
        kernel: ``[time]``, what is left of the presynaptic trace.
        floors: added to spikes of actor and critic in Hebbian products.
        actor: spikes ``[time, batch, neurons]``, made here, as all that follows.
        critic: likewise.
        actor_factor: ``[batch, neurons]``, what Hebbian products have of the actor.
        critic_factor: likewise.
        preference: ``[batch, actions]``, spikes per neuron.
        level: ``[batch]``, the critic's mean rate as a share of its highest.
    """
    (time, batch, actors), critics, kind = actor.shape, critic.shape[2], level.dtype
    highest = kind.type(saturating[3] * time)
    u_actor, u_critic, v = np.empty(actors, kind), np.empty(critics, kind), np.empty(critics, kind)
    actor_count, critic_count, drive = np.empty(actors, kind), np.empty(critics, kind), np.empty(critics, np.float64)
    for row in range(batch):
        for step in range(1, time):
            fill(actor[step, row], 0)
            fill(critic[step, row], 0)
        fill(u_actor, 0)
        fill(u_critic, 0)
        copy(v, v_critic)
        arrive_at_once(index, value, begins[row], begins[row + 1], to_actor, actor[0, row])
        arrive_at_once(index, value, begins[row], begins[row + 1], to_critic, critic[0, row])
        escape(row, noise, escaping, actor, actor_count, u_actor)
        integrate(row, saturating, critic, critic_count, u_critic, v, drive)
        level[row] = rates(actor_count, critic_count, highest, preference[row])
        _weigh(actor, row, kernel, floors[0], actor_factor[row])
        _weigh(critic, row, kernel, floors[1], critic_factor[row])
