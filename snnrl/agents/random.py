"""Uniformly random actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.agents.blind import Blind
from snnrl.envs import EnvConfig


@dataclass(frozen=True)
class RandomConfig:
    """Random actions have no settings."""


class Random(Blind):
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

    def choose(self, count: int) -> NDArray[Any]:
        """``count`` actions, drawn through :attr:`generator` so that they are resumed exactly."""
        seed = int(torch.randint(2**31, (), generator=self.generator))
        self.action_space.seed(seed)
        return np.stack([np.asarray(self.action_space.sample()) for _ in range(count)])
