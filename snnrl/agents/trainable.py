"""What every agent is, whatever trains it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

from snnrl.envs import EnvConfig
from snnrl.networks.cost import Cost


class Trainable(nn.Module):
    """What the ``agent.name`` of a recipe can be: something that acts, and that a task can train.

    Attributes:
        Config: the dataclass of its settings.
        TASK: ``module:Class`` of the task that trains it.
        observation_space: of one environment.
        action_space: of one environment.
        generator: what it draws from, as far as it draws from one of its own.
    """

    Config: ClassVar[type[Any]]
    TASK: ClassVar[str]
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    generator: torch.Generator

    def predict(
        self,
        observation: Any,
        state: Any | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Act without learning, as stable-baselines3's ``predict`` does."""
        raise NotImplementedError

    def decision_cost(self, env: EnvConfig, decisions: int, seed: int) -> Cost | None:
        """What a decision costs in operations, a mean over its own play; ``None`` where that is not counted.

        Args:
            env: the environment's recipe.
            decisions: how many to look at.
            seed: of the environments.
        """
        return None
