"""Random spike trains: Poisson and Bernoulli."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.encoders.base import Encoder, as_intensities, require_count, require_steps
from snnrl.errors import require
from snnrl.noise import uniform
from snnrl.settings import register


class RandomSpikesState(NamedTuple):
    """Random spikes need no memory."""


@register("bernoulli")
class BernoulliEncoder(Encoder[RandomSpikesState]):
    """Each neuron spikes at each step with the probability ``probability_max * intensity``.

    Args:
        size: number of values in an observation, one neuron each; numbers with a point are clipped to [0, 1],
            integers above 1, pixels that nobody has divided, are refused.
        sim_steps: length of the window.
        probability_max: probability of a spike at intensity 1, in (0, 1].
        dtype: of the spikes; ``torch.bool`` takes the least memory. ``None`` is :attr:`spike_dtype`.
        generator: where the draws come from; ``None`` is torch's global generator.

    Raises:
        ConfigError: a value outside the ranges above.
    """

    takes_intensities = True
    FIXED: ClassVar[tuple[str, ...]] = ("size", "sim_steps", "probability_max")

    def __init__(
        self,
        size: int,
        *,
        sim_steps: int,
        probability_max: float = 1.0,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_count("size", size, "a positive number of neurons")
        require_steps(sim_steps)
        require(0 < probability_max <= 1, "probability_max", probability_max, "in (0, 1]")
        self.size, self.sim_steps, self.generator = size, sim_steps, generator
        self.probability_max, self.dtype = probability_max, dtype

    def check(self, observation: Tensor) -> None:
        as_intensities(observation, self.size)

    def init_state(self, batch: int) -> RandomSpikesState:
        return RandomSpikesState()

    def probability(self, intensity: Tensor) -> Tensor:
        """Probability of a spike in one step, ``[batch, size]``, for intensities in [0, 1]."""
        return self.probability_max * intensity

    def forward(self, observation: Tensor, state: RandomSpikesState) -> tuple[Tensor, RandomSpikesState]:
        probability = self.probability(as_intensities(observation, self.size))
        noise = uniform((self.sim_steps, *probability.shape), probability, self.generator)
        return (noise < probability).to(self.dtype or self.spike_dtype), state


@register("poisson")
class PoissonEncoder(BernoulliEncoder):
    """Poisson spike trains of the rate ``rate_max * intensity``, at most one spike a step.

    A step of ``dt`` holds at least one spike of a Poisson process with probability ``1 - exp(-rate * dt)``
    (Dayan & Abbott 2001, Theoretical Neuroscience, sec. 1.4).

    Args:
        size: number of values in an observation, one neuron each; numbers with a point are clipped to [0, 1],
            integers above 1, pixels that nobody has divided, are refused.
        sim_steps: length of the window.
        rate_max: rate at intensity 1 in Hz.
        dt: simulation step in ms.
        dtype: of the spikes; ``torch.bool`` takes the least memory. ``None`` is :attr:`spike_dtype`.
        generator: where the draws come from; ``None`` is torch's global generator.

    Raises:
        ConfigError: a rate or step that is not positive.
    """

    def __init__(
        self,
        size: int,
        *,
        sim_steps: int,
        rate_max: float = 100.0,
        dt: float = 1.0,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(size, sim_steps=sim_steps, dtype=dtype, generator=generator)
        require(math.isfinite(rate_max) and rate_max > 0, "rate_max", rate_max, "a positive rate in Hz")
        require(math.isfinite(dt) and dt > 0, "dt", dt, "a positive number of ms")
        self.events_per_step = rate_max * dt / 1000.0

    def probability(self, intensity: Tensor) -> Tensor:
        return -torch.expm1(-self.events_per_step * intensity)
