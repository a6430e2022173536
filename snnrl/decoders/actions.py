"""Between action populations and the actions of an environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from snnrl.decoders.population import population_vector, sample, softmax_policy
from snnrl.errors import ConfigError, require


class ActionCode(nn.Module):
    """How populations of neurons stand for actions.

    A Discrete space has a population for each action. A bounded Box has, for each of its dimensions, ``bins``
    populations with preferred values spread evenly from low to high: exploring picks one of them, a deterministic
    decision is their population vector.

    Args:
        space: the action space of one environment.
        bins: populations for each dimension of a Box.

    Raises:
        ConfigError: a space that is neither Discrete nor a bounded Box, or fewer than 2 bins.
    """

    def __init__(self, space: spaces.Space[Any], *, bins: int = 9) -> None:
        super().__init__()
        self.space = space
        if isinstance(space, spaces.Discrete):
            self.dims, self.choices = 1, int(space.n)
        elif isinstance(space, spaces.Box) and space.is_bounded() and np.issubdtype(space.dtype, np.floating):
            require(bins >= 2, "agent.action_bins", bins, "at least 2")
            self.dims, self.choices = int(np.prod(space.shape)), bins
            share = torch.linspace(0, 1, bins)
            low, high = (
                torch.as_tensor(edge, dtype=torch.float32).flatten()[:, None] for edge in (space.low, space.high)
            )
            self.register_buffer("preferred", low + (high - low) * share, persistent=False)
        else:
            raise ConfigError(f"action space {space}: the agent can take Discrete or a bounded Box of floats")

    @property
    def populations(self) -> int:
        """Number of populations."""
        return self.dims * self.choices

    def policy(self, preference: Tensor, temperature: float) -> Tensor:
        """Probability of each choice ``[batch, dims, choices]`` for preferences ``[batch, populations]``."""
        return softmax_policy(preference.unflatten(-1, (self.dims, self.choices)), temperature)

    def explore(self, policy: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw a choice ``[batch, dims]`` from the policy."""
        return sample(policy, generator)

    def credit(self, choice: Tensor, policy: Tensor) -> Tensor:
        """``1[chosen] - policy``, ``[batch, populations]``: the centred efference copy of what was done."""
        return (functional.one_hot(choice, self.choices).to(policy.dtype) - policy).flatten(1)

    def chosen(self, choice: Tensor) -> NDArray[Any]:
        """The environment's actions ``[batch, *action_shape]`` for explored choices ``[batch, dims]``."""
        if isinstance(self.space, spaces.Discrete):
            return (choice[:, 0] + int(self.space.start)).cpu().numpy()
        value = self.get_buffer("preferred").expand(len(choice), -1, -1).gather(2, choice.unsqueeze(-1)).squeeze(-1)
        return self._box(value)

    def best(self, policy: Tensor) -> NDArray[Any]:
        """The deterministic actions ``[batch, *action_shape]``: the likeliest, or the population vector."""
        if isinstance(self.space, spaces.Discrete):
            return self.chosen(policy.argmax(-1))
        return self._box(population_vector(policy, self.get_buffer("preferred")))

    def _box(self, value: Tensor) -> NDArray[Any]:
        assert isinstance(self.space, spaces.Box)
        shaped = value.cpu().numpy().reshape(-1, *self.space.shape).astype(self.space.dtype)
        clipped: NDArray[Any] = np.clip(shaped, self.space.low, self.space.high)
        return clipped
