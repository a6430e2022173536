"""From preferences to a choice and its credit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.compiling import compiled
from snnrl.kernels.rows import fill

CERTAIN = 100.0
"""Temperatures by which a choice that exploration dictates is ahead of the best action value."""


@compiled()
def _softmax(values: NDArray[np.float32], temperature: np.float32, out: NDArray[np.float32]) -> None:
    most = values[0] / temperature
    for place in range(len(values)):
        out[place] = values[place] / temperature
        most = max(most, out[place])
    total = values.dtype.type(0)
    for place in range(len(values)):
        out[place] = math.exp(out[place] - most)
        total += out[place]
    for place in range(len(values)):
        out[place] /= total


@compiled()
def choose_rows(
    preference: NDArray[np.float32],
    bonus: NDArray[np.float32],
    noise: NDArray[np.float32],
    sizes: NDArray[np.int64],
    temperature: float,
    memory: NDArray[np.float32],
    exploring: float,
    choice: NDArray[np.int64],
    credit: NDArray[np.float32],
    surprisal: NDArray[np.float32],
) -> None:
    """Policy, choice, credit and surprisal of :class:`snnrl.agents.rstdp.RSTDP`, where every choice is permitted.

    Args:
        preference: ``[batch, populations]``.
        bonus: the same, added to the preferences of what is done.
        noise: ``[batch, dims]`` uniform draws.
        sizes: ``[dims]``, choices of each number.
        temperature: of the softmax.
        memory: ``[3, populations]``, for what is thrown away.
        exploring: by what it is multiplied.
        choice: ``[batch, dims]``, made here, as the next two.
        credit: ``[batch, populations]``, see :meth:`snnrl.decoders.ActionCode.credit`.
        surprisal: ``[batch]``.
    """
    (batch, populations), number, ragged = preference.shape, preference.dtype.type, False
    wanted, policy, done = memory[0], memory[1], memory[2]
    soft, none, one, least = number(temperature), number(0), number(1), number(1e-8)
    for dim in range(len(sizes)):
        ragged = ragged or sizes[dim] != sizes[0]
    for row in range(batch):
        for place in range(populations):
            wanted[place] = preference[row, place]
            if exploring != 0:
                wanted[place] += number(exploring) * bonus[row, place]
        first, surprise = 0, none
        for dim in range(len(sizes)):
            last = first + sizes[dim]
            _softmax(preference[row, first:last], soft, policy[first:last])
            _softmax(wanted[first:last], soft, done[first:last])
            taken, reached, highest = first, 0.0, first
            for place in range(first, last):
                if done[place] > 0:
                    highest = place
                reached += done[place]
                if place < last - 1 and number(reached) <= noise[row, dim]:
                    taken = place + 1
            if ragged:  # where probabilities round to a sum below the number drawn
                taken = min(taken, highest)
            entropy = none
            for place in range(first, last):
                entropy -= policy[place] * math.log(max(policy[place], least))
                credit[row, place] = -policy[place]
            credit[row, taken] = one - policy[taken]
            surprise += -math.log(max(policy[taken], least)) - entropy
            choice[row, dim] = taken - first
            first = last
        surprisal[row] = surprise


@compiled()
def choose_by_value(
    preference: NDArray[np.float32],
    bonus: NDArray[np.float32],
    noise: NDArray[np.float32],
    sizes: NDArray[np.int64],
    temperature: float,
    memory: NDArray[np.float32],
    highest: float,
    span: np.float32,
    choice: NDArray[np.int64],
    credit: NDArray[np.float32],
    surprisal: NDArray[np.float32],
    value: NDArray[np.float32],
) -> None:
    """Choice, credit, surprisal and advantage of :class:`snnrl.agents.sarsa.Sarsa`, where every choice is permitted.

    Args:
        preference: ``[batch, populations]``, spikes per neuron.
        bonus: the same, 1 for what exploration dictates.
        noise: see :func:`choose_rows`, as the next two.
        sizes: likewise.
        temperature: likewise.
        memory: likewise.
        highest: the most spikes of a neuron in a window.
        span: by how much values can differ.
        choice: see :func:`choose_rows`, made here, as all that follows.
        credit: ``[batch, populations]``, 1 for what was chosen.
        surprisal: ``[batch]``.
        value: ``[batch]``, the sum of the advantages of what was chosen.
    """
    number, advantage = preference.dtype.type, np.empty_like(preference)
    half, ahead = number(0.5), float(span + number(CERTAIN * temperature))
    for row in range(len(preference)):
        for place in range(preference.shape[1]):
            advantage[row, place] = span * (preference[row, place] / number(highest) - half)
    choose_rows(advantage, bonus, noise, sizes, temperature, memory, ahead, choice, credit, surprisal)
    for row in range(len(preference)):
        fill(credit[row], 0)
        first, total = 0, number(0)
        for dim in range(len(sizes)):
            taken = first + choice[row, dim]
            credit[row, taken] = number(1)
            total += advantage[row, taken]
            first += sizes[dim]
        value[row] = total
