"""The window of a decision of the default agent on vectors, and what it learns of one, on the CPU: each a single pass.

The parts are the loops of :mod:`~snnrl.kernels.running`, :mod:`~snnrl.kernels.place_cells`,
:mod:`~snnrl.kernels.readouts` and :mod:`~snnrl.kernels.coincidences`; here they follow one another without a return to
Python. What is not over time or over synapses is left to NumPy: it would take longer to compile than many runs take to
do it. The reference is :class:`snnrl.agents.rstdp.RSTDP`; :mod:`snnrl.agents.compiled_vectors` calls these two.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.coincidences import gather_row
from snnrl.kernels.compiling import compiled
from snnrl.kernels.place_cells import cell_rates, fire_row
from snnrl.kernels.readouts import arrive, escape, integrate, rates
from snnrl.kernels.rows import fill
from snnrl.kernels.running import update_scale

Numbers = NDArray[np.float32]
"""Of float32, or all of float64 where the network is."""


class Cells(NamedTuple):
    """Place cells; see :class:`snnrl.encoders.PopulationEncoder`."""

    centres: NDArray[np.float32]
    lines: NDArray[np.int64]
    grids: NDArray[np.int64]
    phase: NDArray[np.float32]
    """``[size]`` at the start of an episode."""


class Episode(NamedTuple):
    """State of encoder and neurons, ``[batch, ...]``."""

    phase: NDArray[np.float32]
    u_actor: Numbers
    u_critic: Numbers
    v_critic: Numbers
    trace: Numbers


class Fired(NamedTuple):
    """What fired in a window, ``[time, batch, neurons]``, and what learning takes of it."""

    actor: Numbers
    critic: Numbers
    traces: Numbers
    """``[time, batch, size]``."""
    input: Numbers
    """``[time, batch, size]``, the encoder's spikes."""


class WindowMemory(NamedTuple):
    """Of one row at a time; made by the caller, since each kind of array that a loop makes has to be compiled."""

    tuned: NDArray[np.float32]
    """``[dims, cells]``, as many as the largest group has on a line."""
    rate: NDArray[np.float32]
    """``[size]``, as the next."""
    reached: NDArray[np.int32]
    events: NDArray[np.int64]
    """``[2, size]``."""
    actor_count: Numbers
    critic_count: Numbers
    drive: NDArray[np.float64]
    """``[critics]``."""


@compiled()
def see(
    place: NDArray[np.float32],
    cells: Cells,
    spread: np.float32,
    group_rate: np.float32,
    state: Episode,
    to_actor: Numbers,
    to_critic: Numbers,
    noise: Numbers,
    escaping: tuple[float, float, float, float],
    saturating: tuple[float, float, float, float],
    decay: float,
    memory: WindowMemory,
    fired: Fired,
    preference: Numbers,
    level: Numbers,
) -> None:
    """Run encoder, actor and critic over the window of a decision.

    Args:
        place: ``[batch, dims]``, observations as :func:`~snnrl.kernels.running.normalise` makes them.
        cells: the encoder.
        spread: twice the width of a tuning curve.
        group_rate: of each group of cells.
        state: before the window, and then after it.
        to_actor: weights ``[size, neurons]``.
        to_critic: likewise.
        noise: ``[time, batch, neurons]`` uniform draws.
        escaping: decay of a step, threshold, width and highest probability of :class:`snnrl.neurons.EscapeNoise`.
        saturating: decay of a step, gain, tonic drive and highest rate of :class:`snnrl.neurons.SaturatingIF`.
        decay: of the presynaptic trace in a step.
        memory: for what is thrown away.
        fired: memory of what fires.
        preference: ``[batch, actions]``, spikes per neuron.
        level: ``[batch]``, the critic's mean rate as a share of its highest.
    """
    time, batch = fired.actor.shape[:2]
    highest = level.dtype.type(saturating[3] * time)
    tuned, rate, so_far, events, actor_count, critic_count, drive = memory
    for row in range(batch):
        phase, trace = state.phase[row], state.trace[row]
        cell_rates(place[row], cells.centres, cells.lines, cells.grids, spread, group_rate, tuned, rate)
        fire_row(phase, rate, so_far, fired.input, row, phase)
        currents = fired.actor, fired.critic
        arrive(fired.input, row, to_actor, to_critic, trace, currents[0], currents[1], fired.traces, decay, events)
        escape(row, noise, escaping, fired.actor, actor_count, state.u_actor[row])
        integrate(row, saturating, fired.critic, critic_count, state.u_critic[row], state.v_critic[row], drive)
        level[row] = rates(actor_count, critic_count, highest, preference[row])


class Synapses(NamedTuple):
    """A readout that learns."""

    eligibility: Numbers
    """``[batch, neurons, size]``, updated in place."""
    factor: Numbers
    """``[time, batch, neurons]``, spikes and their floor."""
    delta: Numbers
    """``[neurons, size]``, zeros, to which the change is added."""
    learning_rate: float
    """The agent's."""
    rule_rate: float
    """The rule's."""
    decay: float
    """Of eligibility in a decision."""


class LearningMemory(NamedTuple):
    """Made by the caller, see :class:`WindowMemory`."""

    several: NDArray[np.int64]
    """``[time]``."""
    product: Numbers
    """``[size]``, as the next."""
    whole: Numbers
    squares: Numbers
    """Zeros."""
    scales: Numbers
    """``[1]``, as the next."""
    length: Numbers
    whole_gate: Numbers
    """1."""


@compiled()
def learn(
    td_error: Numbers,
    continuing: Numbers,
    surprisal: Numbers,
    credit: Numbers,
    traces: Numbers,
    scale: tuple[Numbers, NDArray[np.int64]],
    scale_horizon: int,
    normalises: bool,
    td_limit: float,
    entropy_coef: float,
    power: tuple[Numbers, NDArray[np.int64]],
    power_horizon: int,
    per_input: bool,
    left: Numbers,
    actor: Synapses,
    critic: Synapses,
    memory: LearningMemory,
) -> float:
    """The changes of both readouts, and the root mean square of the TD error.

    Args:
        td_error: ``[batch]``.
        continuing: ``[batch]``, 0 where the episode ended.
        surprisal: ``[batch]``.
        credit: ``[batch, actions]``.
        traces: ``[time, batch, size]``.
        scale: of the TD error; see :func:`~snnrl.kernels.running.update_scale`.
        scale_horizon: likewise.
        normalises: whether the actor's modulator is divided by it.
        td_limit: the largest size of it then.
        entropy_coef: by which surprisal counts.
        power: of what is presynaptic, likewise.
        power_horizon: likewise.
        per_input: whether rates are divided by its square.
        left: ``[1]``, what is left of the learning rates.
        actor: how it learns.
        critic: likewise.
        memory: for what is thrown away.
    """
    number, batch, (events, _, size) = td_error.dtype.type, len(td_error), traces.shape
    several, product, whole, squares, scales, length, whole_gate = memory
    total, power_sum = number(0), number(0)
    update_scale(td_error, scale[0], scale[1], scale_horizon, scales)
    for row in range(batch):
        fill(whole, 0)
        for event in range(events):
            now = traces[event, row]
            for neuron in range(size):
                whole[neuron] += now[neuron]
                squares[neuron] += now[neuron] * now[neuron]
        total += td_error[row] * td_error[row]
        modulator = number(critic.rule_rate) * td_error[row]
        through = number(critic.decay) * continuing[row]
        synapses, factor, change = critic.eligibility, critic.factor, critic.delta
        factors = modulator, modulator, through
        gather_row(row, synapses, traces, whole, factor, whole_gate, *factors, several, product, change)
        modulator = td_error[row]
        if normalises:
            modulator = min(max(modulator / scales[0], -number(td_limit)), number(td_limit))
        modulator = number(actor.rule_rate) * modulator
        instant = number(actor.rule_rate) * (number(entropy_coef) * surprisal[row])
        through = number(actor.decay) * continuing[row]
        synapses, factor, change = actor.eligibility, actor.factor, actor.delta
        factors = modulator + instant, modulator, through
        gather_row(row, synapses, traces, whole, factor, credit[row], *factors, several, product, change)
    rest = left[0]
    if per_input:
        for neuron in range(size):
            power_sum += squares[neuron]
        length[0] = math.sqrt(power_sum / number(events * batch))
        update_scale(length, power[0], power[1], power_horizon, length)
        rest = left[0] / (length[0] * length[0])
    actor_rate, critic_rate = number(actor.learning_rate) * rest, number(critic.learning_rate) * rest
    for unit in range(len(actor.delta)):
        for neuron in range(size):
            actor.delta[unit, neuron] *= actor_rate
    for unit in range(len(critic.delta)):
        for neuron in range(size):
            critic.delta[unit, neuron] *= critic_rate
    return math.sqrt(total / number(batch))
