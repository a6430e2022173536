"""A decision by action values on synchronous spikes on the CPU in one pass: two populations over their window.

:class:`snnrl.networks.Network` of two populations of :class:`snnrl.neurons.SaturatingIF` with graded rates is the
reference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled
from snnrl.kernels.instant import Numbers, arrive_at_once
from snnrl.kernels.readouts import integrate, rates
from snnrl.kernels.rows import copy, fill


@compiled()
def run_values(
    begins: NDArray[np.int64],
    index: NDArray[np.int64],
    value: Numbers,
    to_actor: Numbers,
    to_critic: Numbers,
    v_actor: Numbers,
    v_critic: Numbers,
    of_actor: tuple[float, float, float, float],
    of_critic: tuple[float, float, float, float],
    actor: Numbers,
    critic: Numbers,
    preference: Numbers,
    level: Numbers,
) -> None:
    """Run both populations over a window that begins with the spikes of one instant.

    Args:
        begins: see :func:`~snnrl.kernels.instant.run_instant`, as all that is not said.
        index: likewise.
        value: likewise.
        to_actor: likewise.
        to_critic: likewise.
        v_actor: ``[neurons]``, the actor's potentials before the window.
        v_critic: the critic's.
        of_actor: decay of a step, gain, tonic drive and highest rate of the actor.
        of_critic: those of the critic.
        actor: spikes ``[time, batch, neurons]``, made here, as all that follows.
        critic: likewise.
        preference: ``[batch, actions]``, spikes per neuron and what membranes have gained.
        level: ``[batch]``, likewise, as a share of the critic's highest rate.
    """
    (time, batch, actors), critics, kind = actor.shape, critic.shape[2], level.dtype
    highest = kind.type(of_critic[3] * time)
    u_actor, u_critic = np.empty(actors, kind), np.empty(critics, kind)
    potentials, own_potentials = np.empty(actors, kind), np.empty(critics, kind)
    actor_count, critic_count = np.empty(actors, kind), np.empty(critics, kind)
    drive, own_drive = np.empty(actors, np.float64), np.empty(critics, np.float64)
    for row in range(batch):
        for step in range(1, time):
            fill(actor[step, row], 0)
            fill(critic[step, row], 0)
        fill(u_actor, 0)
        fill(u_critic, 0)
        copy(potentials, v_actor)
        copy(own_potentials, v_critic)
        arrive_at_once(index, value, begins[row], begins[row + 1], to_actor, actor[0, row])
        arrive_at_once(index, value, begins[row], begins[row + 1], to_critic, critic[0, row])
        integrate(row, of_actor, actor, actor_count, u_actor, potentials, drive)
        integrate(row, of_critic, critic, critic_count, u_critic, own_potentials, own_drive)
        for unit in range(actors):
            actor_count[unit] += potentials[unit] - v_actor[unit]
        for unit in range(critics):
            critic_count[unit] += own_potentials[unit] - v_critic[unit]
        level[row] = rates(actor_count, critic_count, highest, preference[row])
