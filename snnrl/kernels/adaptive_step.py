"""One step of neurons with a threshold of their own each, in one pass; on the CPU.

:class:`snnrl.neurons.DiehlCook` is the reference.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from snnrl.kernels.compiling import compiled


class AdaptiveStep(NamedTuple):
    """Settings of the neurons."""

    decay: float
    rest: float
    gain: float
    threshold: float
    after: float
    """What a spike sets the potential to; with a soft reset what it takes from it."""
    inhibited: float
    """What a spike sets the others of its row to; nan for nothing."""
    silence: float
    """Refractory steps."""
    soft: bool
    one_spike: bool


def adaptive_step(
    current: Tensor, v: Tensor, refractory: Tensor, theta: Tensor, settings: AdaptiveStep
) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes, potential and refractory steps ``[batch, *shape]`` after one step.

    Args:
        current: ``[batch, *shape]``.
        v: ``[batch, *shape]``, the potential before.
        refractory: ``[batch, *shape]``, steps for which each neuron stays silent.
        theta: ``[*shape]``, what is added to the threshold.
        settings: of the neurons.
    """
    made = v.new_empty(v.shape), v.new_empty(v.shape), v.new_empty(v.shape)
    spikes, after, waiting = (part.flatten(1).numpy() for part in made)
    given = (part.flatten(1).contiguous().numpy() for part in (current, v, refractory))
    arriving, before, silent = given
    _step(arriving, before, silent, theta.flatten().numpy(), settings, spikes, after, waiting)
    return made


@compiled()
def _step(
    current: NDArray[np.float32],
    v: NDArray[np.float32],
    refractory: NDArray[np.float32],
    theta: NDArray[np.float32],
    settings: AdaptiveStep,
    spikes: NDArray[np.float32],
    after: NDArray[np.float32],
    waiting: NDArray[np.float32],
) -> None:
    number, (batch, units), silence = v.dtype.type, v.shape, settings.silence
    decay, rest, gain = number(settings.decay), number(settings.rest), number(settings.gain)
    threshold, least, none, one = number(settings.threshold), number(-np.inf), number(0), number(1)
    for row in range(batch):
        highest, winner, fired = least, 0, 0
        for unit in range(units):
            awake = silence == 0 or refractory[row, unit] <= 0
            charged = (rest + (v[row, unit] - rest) * decay) + gain * current[row, unit]
            after[row, unit] = charged if awake else v[row, unit]
            excess = after[row, unit] - (theta[unit] + threshold) if awake else least
            spikes[row, unit] = one if excess >= 0 else none
            if excess > highest:
                highest, winner = excess, unit
        for unit in range(units):
            if settings.one_spike and unit != winner:
                spikes[row, unit] = none
            fires = spikes[row, unit] > 0
            fired += fires
            left = max(refractory[row, unit] - one, none)
            waiting[row, unit] = refractory[row, unit] if silence == 0 else number(silence) if fires else left
            if fires:
                after[row, unit] = (
                    after[row, unit] - number(settings.after) if settings.soft else number(settings.after)
                )
        if fired > 0 and not math.isnan(settings.inhibited):
            for unit in range(units):
                if spikes[row, unit] == 0:
                    after[row, unit] = number(settings.inhibited)
