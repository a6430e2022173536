"""Uniformly random actions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snnrl.agents.open_loop import OpenLoop
from snnrl.envs import EnvConfig
from snnrl.settings import register
from snnrl.spaces import Actions, Space, assemble, split
from snnrl.types import Action


@dataclass(frozen=True)
class RandomConfig:
    """Random actions have no settings."""


@register("random")
class Random(OpenLoop):
    """Draws every action from the action space uniformly: the least that any agent must beat."""

    Config = RandomConfig

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        config: RandomConfig,
        env: EnvConfig,
        seed: int = 0,
    ) -> None:
        super().__init__(observation_space, action_space, seed)

    def choose(self, count: int, action_masks: NDArray[np.bool_] | None = None) -> Action:
        """``count`` actions, drawn through :attr:`generator` so that they are resumed exactly."""
        seed = int(torch.randint(2**31, (), generator=self.generator))
        if action_masks is not None:
            return self._permitted(seed, action_masks)
        self.action_space.seed(seed)
        samples = [split(self.action_space, self.action_space.sample()) for _ in range(count)]
        return assemble(self.action_space, [np.stack(parts) for parts in zip(*samples, strict=True)])

    def _permitted(self, seed: int, masks: NDArray[np.bool_]) -> Action:
        """One of the values that are permitted for each number of the action."""
        actions = Actions(self.action_space)
        score = np.random.default_rng(seed).random(masks.shape)
        score[~actions.permitted(masks)] = -1.0
        ends = np.cumsum(actions.choices(1))[:-1]
        chosen = np.stack([part.argmax(1) for part in np.split(score, ends, axis=1)], axis=1)
        return actions.assemble(chosen + actions.low.astype(np.int64))
