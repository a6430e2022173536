"""Predictions of reward: what a modulator is measured against."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from snnrl.errors import require
from snnrl.plasticity.base import require_finite
from snnrl.settings import KnownSettings
from snnrl.spikes import as_dtype


class MovingAverage(KnownSettings, nn.Module):
    """Reward against its running mean: ``r - mean(r)``, the success signal of R-max.

    The mean is over all rows of the batch and the last ``horizon`` rewards, and saved with the weights (Frémaux,
    Sprekeler & Gerstner 2010, J. Neurosci. 30:13326, eq. 6).

    Args:
        horizon: number of rewards over which the mean runs, at least 1.

    Raises:
        ConfigError: a horizon below 1.
    """

    mean: Tensor
    seen: Tensor

    def __init__(self, horizon: int = 100) -> None:
        super().__init__()
        require(horizon >= 1, "horizon", horizon, "at least 1")
        self.horizon = horizon
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, reward: Tensor) -> Tensor:
        """The prediction error of ``reward`` ``[batch]``, which the mean then takes note of."""
        reward = reward if reward.is_floating_point() else as_dtype(reward, self.mean.dtype, "reward")
        error = reward - self.mean
        self.seen.add_(reward.numel())
        share = (reward.numel() / self.seen.clamp_max(self.horizon)).clamp_max(1.0).to(self.mean.dtype)
        self.mean.lerp_(reward.mean().to(self.mean.dtype), share)
        return error


class TemporalDifference(KnownSettings, nn.Module):
    """The error of a critic's values: ``r + gamma V' - V``, with ``V' = 0`` after the end of an episode.

    Sutton & Barto 2018, Reinforcement Learning, eq. 6.5.

    Args:
        gamma: discount of one step, in [0, 1].

    Raises:
        ConfigError: ``gamma`` out of range.
    """

    def __init__(self, gamma: float = 0.98) -> None:
        super().__init__()
        require(0 <= gamma <= 1, "gamma", gamma, "in [0, 1]")
        self.gamma = gamma

    def forward(self, reward: Tensor, value: Tensor, next_value: Tensor, terminated: Tensor) -> Tensor:
        """The error ``[batch]`` from ``reward``, both values and ``terminated`` (bool), each ``[batch]``."""
        return reward + self.gamma * torch.where(terminated, torch.zeros_like(next_value), next_value) - value


class LinearCriticState(NamedTuple):
    """Episode state of :class:`LinearCritic`."""

    trace: Tensor
    """``[batch, size]`` eligibility of the weights."""


class LinearCritic(KnownSettings, nn.Module):
    """A critic that is linear in features and learns by TD(lambda).

    ``V = w . x``, ``e = gamma lambda e + x``, ``w += learning_rate mean(delta e)`` over the batch (Sutton & Barto 2018,
    Reinforcement Learning, sec. 12.2). Features are what is at hand: traces, rates, one-hot states.

    Args:
        size: number of features.
        gamma: discount of one step, in [0, 1].
        lambda_: decay of the eligibility beside ``gamma``, in [0, 1].
        learning_rate: of the weights, above 0.

    Raises:
        ConfigError: a setting out of range.
    """

    weight: Tensor

    def __init__(self, size: int, *, gamma: float = 0.98, lambda_: float = 0.9, learning_rate: float = 0.1) -> None:
        super().__init__()
        require(size > 0, "size", size, "a positive number of features")
        require(0 <= lambda_ <= 1, "lambda_", lambda_, "in [0, 1]")
        require(learning_rate > 0, "learning_rate", learning_rate, "above 0")
        require_finite(learning_rate=learning_rate)
        self.error = TemporalDifference(gamma)
        self.decay, self.learning_rate = gamma * lambda_, learning_rate
        self.register_buffer("weight", torch.zeros(size))

    def init_state(self, batch: int) -> LinearCriticState:
        """No eligibility, for ``batch`` rows."""
        return LinearCriticState(self.weight.new_zeros((batch, len(self.weight))))

    def value(self, features: Tensor) -> Tensor:
        """The prediction ``[batch]`` for features ``[batch, size]``."""
        return as_dtype(features, self.weight.dtype, "features") @ self.weight

    @torch.no_grad()
    def forward(
        self, features: Tensor, reward: Tensor, next_features: Tensor, terminated: Tensor, state: LinearCriticState
    ) -> tuple[Tensor, LinearCriticState]:
        """Learn from one step, and return its error ``[batch]``; the eligibility of rows that ended is cleared.

        Args:
            features: ``[batch, size]`` before the step.
            reward: ``[batch]`` of the step.
            next_features: ``[batch, size]`` after it.
            terminated: ``[batch]`` bool, whether the episode ended with the step.
            state: the eligibility before the step.
        """
        features, reward = (
            as_dtype(features, self.weight.dtype, "features"),
            as_dtype(reward, self.weight.dtype, "reward"),
        )
        trace = self.decay * state.trace + features
        error = self.error(reward, self.value(features), self.value(next_features), terminated)
        self.weight.add_((error[:, None] * trace).mean(0), alpha=self.learning_rate)
        return error, LinearCriticState(torch.where(terminated[:, None], torch.zeros_like(trace), trace))
