"""Random spike trains: Poisson and Bernoulli."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.encoders.base import Encoder
from snnrl.errors import require
from snnrl.noise import uniform


class RandomSpikesState(NamedTuple):
    """Random spikes need no memory."""


class BernoulliEncoder(Encoder[RandomSpikesState]):
    """Each neuron spikes at each step with the probability ``probability_max * intensity``.

    Args:
        size: number of values in an observation, one neuron each; intensities are clipped to [0, 1].
        sim_steps: length of the window.
        probability_max: probability of a spike at intensity 1, in (0, 1].
        dtype: of the spikes; ``torch.bool`` takes the least memory.
        generator: where the draws come from; ``None`` is torch's global generator.

    Raises:
        ConfigError: a value outside the ranges above.
    """

    def __init__(
        self,
        size: int,
        *,
        sim_steps: int,
        probability_max: float = 1.0,
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require(size > 0, "size", size, "a positive number of neurons")
        require(sim_steps > 0, "sim_steps", sim_steps, "at least 1")
        require(0 < probability_max <= 1, "probability_max", probability_max, "in (0, 1]")
        self.size, self.sim_steps, self.generator = size, sim_steps, generator
        self.probability_max, self.dtype = probability_max, dtype

    def init_state(self, batch: int) -> RandomSpikesState:
        return RandomSpikesState()

    def probability(self, intensity: Tensor) -> Tensor:
        """Probability of a spike in one step, ``[batch, size]``, for intensities in [0, 1]."""
        return self.probability_max * intensity

    def forward(self, observation: Tensor, state: RandomSpikesState) -> tuple[Tensor, RandomSpikesState]:
        probability = self.probability(observation.flatten(1).to(torch.float32).clamp(0, 1))
        noise = uniform((self.sim_steps, *probability.shape), probability, self.generator)
        return (noise < probability).to(self.dtype), state


class PoissonEncoder(BernoulliEncoder):
    """Poisson spike trains of the rate ``rate_max * intensity``, at most one spike a step.

    A step of ``dt`` holds at least one spike of a Poisson process with probability ``1 - exp(-rate * dt)``
    (Dayan & Abbott 2001, Theoretical Neuroscience, sec. 1.4).

    Args:
        size: number of values in an observation, one neuron each; intensities are clipped to [0, 1].
        sim_steps: length of the window.
        rate_max: rate at intensity 1 in Hz.
        dt: simulation step in ms.
        dtype: of the spikes; ``torch.bool`` takes the least memory.
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
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(size, sim_steps=sim_steps, dtype=dtype, generator=generator)
        require(rate_max > 0, "rate_max", rate_max, "a positive rate in Hz")
        require(dt > 0, "dt", dt, "a positive number of ms")
        self.events_per_step = rate_max * dt / 1000.0

    def probability(self, intensity: Tensor) -> Tensor:
        return -torch.expm1(-self.events_per_step * intensity)
