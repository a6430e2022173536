"""A decision of the default agent on vectors, and what it learns of one, on the CPU: each a single pass.

The parts are the loops of :mod:`~snnrl.kernels.running`, :mod:`~snnrl.kernels.place_cells`,
:mod:`~snnrl.kernels.readouts`, :mod:`~snnrl.kernels.choices` and :mod:`~snnrl.kernels.coincidences`; here they follow
one another without a return to Python. The reference is :class:`snnrl.agents.rstdp.RSTDP`, which calls these three by
:mod:`snnrl.agents.compiled_vectors`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.choices import choose_by_value, choose_rows
from snnrl.kernels.coincidences import gather_row
from snnrl.kernels.compiling import compiled
from snnrl.kernels.place_cells import cell_memory, cell_rates, fire_row
from snnrl.kernels.readouts import arrive, escape, integrate, rates
from snnrl.kernels.rows import copy, fill
from snnrl.kernels.running import Measured, discount, find_range, limit_rewards, normalise, update_scale

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
    actor_factor: Numbers
    """The actor's spikes and their floor; the same memory where there is none."""
    critic_factor: Numbers
    input: Numbers
    """``[time, batch, size]``, the encoder's spikes."""


@compiled()
def _add(given: Numbers, floor: float, out: Numbers) -> None:
    number = out.dtype.type
    for unit in range(len(given)):
        out[unit] = given[unit] + number(floor)


@compiled()
def see(
    x: Numbers,
    measured: Measured,
    adapt_range: float,
    smallest: float,
    adapts: bool,
    cells: Cells,
    spread: np.float32,
    group_rate: np.float32,
    reset: NDArray[np.bool_],
    v_critic: Numbers,
    before: Episode,
    after: Episode,
    to_actor: Numbers,
    to_critic: Numbers,
    noise: Numbers,
    escaping: tuple[float, float, float, float],
    saturating: tuple[float, float, float, float],
    decay: float,
    floors: tuple[float, float],
    fired: Fired,
    preference: Numbers,
    level: Numbers,
) -> bool:
    """Run encoder, actor and critic over the window of a decision; nothing is done for ``x`` that is not finite.

    Args:
        x: ``[batch, dims]`` observations.
        measured: running statistics, updated in place.
        adapt_range: see :class:`snnrl.encoders.normalise.Normaliser`.
        smallest: see :func:`~snnrl.kernels.running.normalise`.
        adapts: whether observations are taken note of.
        cells: the encoder.
        spread: twice the width of a tuning curve.
        group_rate: of each group of cells.
        reset: ``[batch]``, where an episode begins.
        v_critic: ``[neurons]``, the critic's potentials there.
        before: state before the window.
        after: its memory after it.
        to_actor: weights ``[size, neurons]``.
        to_critic: likewise.
        noise: ``[time, batch, neurons]`` uniform draws.
        escaping: decay of a step, threshold, width and highest probability of :class:`snnrl.neurons.EscapeNoise`.
        saturating: decay of a step, gain, tonic drive and highest rate of :class:`snnrl.neurons.SaturatingIF`.
        decay: of the presynaptic trace in a step.
        floors: added to spikes of actor and critic in Hebbian products.
        fired: memory of what fires.
        preference: ``[batch, actions]``, spikes per neuron.
        level: ``[batch]``, the critic's mean rate as a share of its highest.

    Returns:
        Whether all observations were finite.
    """
    (time, batch, actors), critics = fired.actor.shape, fired.critic.shape[2]
    number, place = level.dtype.type, np.empty((batch, x.shape[1]), np.float32)
    if not normalise(x, measured, adapt_range, smallest, adapts, place):
        return False
    for row in range(batch):
        if reset[row]:
            copy(after.phase[row], cells.phase)
            copy(after.v_critic[row], v_critic)
            fill(after.u_actor[row], 0)
            fill(after.u_critic[row], 0)
            fill(after.trace[row], 0)
        else:
            copy(after.phase[row], before.phase[row])
            copy(after.v_critic[row], before.v_critic[row])
            copy(after.u_actor[row], before.u_actor[row])
            copy(after.u_critic[row], before.u_critic[row])
            copy(after.trace[row], before.trace[row])
    size, highest = after.phase.shape[1], number(saturating[3] * time)
    tuned, rate, so_far = cell_memory(place.shape[1], cells.lines, cells.grids, size)
    events = np.empty((2, size), np.int64)
    actor_count, critic_count = np.empty(actors, level.dtype), np.empty(critics, level.dtype)
    drive = np.empty(critics, np.float64)
    for row in range(batch):
        phase, trace = after.phase[row], after.trace[row]
        cell_rates(place[row], cells.centres, cells.lines, cells.grids, spread, group_rate, tuned, rate)
        fire_row(phase, rate, so_far, fired.input, row, phase)
        currents = fired.actor, fired.critic
        arrive(fired.input, row, to_actor, to_critic, trace, currents[0], currents[1], fired.traces, decay, events)
        escape(row, noise, escaping, fired.actor, actor_count, after.u_actor[row])
        integrate(row, saturating, fired.critic, critic_count, after.u_critic[row], after.v_critic[row], drive)
        level[row] = rates(actor_count, critic_count, highest, preference[row])
        for step in range(time):
            if floors[0] != 0:
                _add(fired.actor[step, row], floors[0], fired.actor_factor[step, row])
            if floors[1] != 0:
                _add(fired.critic[step, row], floors[1], fired.critic_factor[step, row])
    return True


class Choice(NamedTuple):
    """What is decided; see :func:`~snnrl.kernels.choices.choose_rows`."""

    choice: NDArray[np.int64]
    credit: Numbers
    surprisal: Numbers
    value: Numbers
    """``[batch]``, the return that is predicted."""


class Told(NamedTuple):
    """What came of the decision before, ``[batch]`` each."""

    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    reset: NDArray[np.bool_]
    value: Numbers
    """That was predicted."""
    surprisal: Numbers


class Closed(NamedTuple):
    """The decision before, closed; ``[batch]`` each."""

    td_error: Numbers
    decided: NDArray[np.bool_]
    continuing: Numbers
    surprisal: Numbers
    sums: NDArray[np.float64]
    """Discounted sums of reward."""


@compiled()
def decide(
    preference: Numbers,
    bonus: Numbers,
    exploring: float,
    noise: Numbers,
    sizes: NDArray[np.int64],
    temperature: float,
    highest: float,
    level: Numbers,
    value_range: tuple[float, float],
    ranges: bool,
    measures: bool,
    ends: tuple[NDArray[np.float64], NDArray[np.float64]],
    margin: float,
    gamma: float,
    horizon: int,
    limit: tuple[float, int],
    usual: tuple[NDArray[np.float64], NDArray[np.int64]],
    made: Choice,
    follows: bool,
    told: Told,
    sums: NDArray[np.float64],
    closed: Closed,
) -> None:
    """Choose, predict, and close the decision before.

    Args:
        preference: from :func:`see`.
        bonus: see :func:`~snnrl.kernels.choices.choose_rows`, as the next four.
        exploring: by what the bonus is multiplied; 0 for none.
        noise: ``[batch, dims]``.
        sizes: ``[dims]``.
        temperature: of the softmax.
        highest: see :func:`~snnrl.kernels.choices.choose_by_value`, for preferences that are rates of action values; 0
            for those of a policy.
        level: from :func:`see`.
        value_range: values of both ends of the critic's rate, where they are not measured.
        ranges: whether they are.
        measures: whether rewards are measured in units of return.
        ends: lowest and highest return ``[1]``, updated in place; see :func:`~snnrl.kernels.running.discount`.
        margin: see :func:`~snnrl.kernels.running.find_range`.
        gamma: discount.
        horizon: see :func:`~snnrl.kernels.running.discount`.
        limit: ``most`` and ``horizon`` of :func:`~snnrl.kernels.running.limit_rewards`; 0 for no limit.
        usual: ``usual`` and ``seen`` of it.
        made: memory of what is decided.
        follows: whether there is a decision before.
        told: what came of it.
        sums: discounted sums of reward before.
        closed: memory of how it is closed.
    """
    number, batch, reached = level.dtype.type, len(level), np.empty(2, np.float64)
    reached[0], reached[1] = value_range
    if ranges:
        find_range(ends[0], ends[1], margin, reached)
    low = number(reached[0])
    span = number(reached[1]) - low
    choice, credit, surprisal, value = made
    if highest > 0:
        choose_by_value(preference, bonus, noise, sizes, temperature, highest, span, choice, credit, surprisal, value)
    else:
        choose_rows(preference, bonus, noise, sizes, temperature, exploring, choice, credit, surprisal)
        fill(value, 0)
    for row in range(len(level)):
        value[row] += low + span * level[row]
    if not follows:
        return
    reward, over = np.empty(batch, np.float32), np.empty(batch, np.bool_)
    for row in range(batch):
        reward[row], over[row] = told.reward[row], told.terminated[row] or told.truncated[row]
    if limit[0] > 0:
        limit_rewards(reward, usual[0], usual[1], limit[0], limit[1])
    if measures:
        discount(reward, told.reset, over, sums, ends[0], ends[1], gamma, horizon, reward, closed.sums)
    for row in range(batch):
        ahead = number(0) if told.terminated[row] else number(gamma) * made.value[row]
        decided = not told.reset[row]
        closed.decided[row] = decided
        closed.td_error[row] = (number(reward[row]) + ahead - told.value[row]) * decided
        closed.continuing[row] = decided and not told.terminated[row] and not told.truncated[row]
        closed.surprisal[row] = told.surprisal[row] * decided


class Synapses(NamedTuple):
    """A readout that learns."""

    eligibility: Numbers
    """``[batch, neurons, size]``, updated in place."""
    factor: Numbers
    """``[time, batch, neurons]``, see :class:`Fired`."""
    delta: Numbers
    """``[neurons, size]``, zeros, to which the change is added."""
    learning_rate: float
    """The agent's."""
    rule_rate: float
    """The rule's."""
    decay: float
    """Of eligibility in a decision."""


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
    """
    number, batch, (events, _, size) = td_error.dtype.type, len(td_error), traces.shape
    scales, length = np.empty(1, td_error.dtype), np.empty(1, td_error.dtype)
    update_scale(td_error, scale[0], scale[1], scale_horizon, scales)
    several, product = np.empty(events, np.int64), np.empty(size, td_error.dtype)
    whole, squares = np.empty(size, td_error.dtype), np.empty(size, td_error.dtype)
    whole_gate, total, power_sum = np.empty(1, td_error.dtype), number(0), number(0)
    fill(squares, 0)
    fill(whole_gate, 1)
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
