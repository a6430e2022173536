"""Uniformly random actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.agents.base import Agent
from snnrl.envs import EnvConfig, Feedback


@dataclass(frozen=True)
class RandomConfig:
    """Random actions have no settings."""


class Random(Agent[None]):
    """Draws every action from the action space uniformly: the least that any agent must beat."""

    Config = RandomConfig

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        config: RandomConfig,
        env: EnvConfig,
        seed: int = 0,
    ) -> None:
        super().__init__(observation_space, action_space, seed)

    def begin(self, num_envs: int) -> None:
        return None

    def act(self, observation: NDArray[Any], feedback: Feedback, state: None) -> tuple[NDArray[Any], None]:
        return self._draw(len(observation)), None

    def predict(
        self,
        observation: Any,
        state: Any | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        batch, batched = self.as_batch(observation)
        action = self._draw(len(batch))
        return (action if batched else action[0]), state

    def _draw(self, count: int) -> NDArray[Any]:
        """``count`` actions, drawn through :attr:`generator` so that they are resumed exactly."""
        seed = int(torch.randint(2**31, (), generator=self.generator))
        self.action_space.seed(seed)
        return np.stack([np.asarray(self.action_space.sample()) for _ in range(count)])
