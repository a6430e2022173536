"""What agents share that do not look where they go."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from snnrl.agents.base import Agent
from snnrl.envs import Feedback
from snnrl.spaces import as_batch, first
from snnrl.types import Action, Array, Observation, PolicyState


class OpenLoop(Agent[None]):
    """Acts without regard to what it observes, and learns nothing: a baseline."""

    takes_masks = True

    @abstractmethod
    def choose(self, count: int, action_masks: NDArray[np.bool_] | None = None) -> Action:
        """``count`` actions, ``[count, *action_shape]``, of those that ``[count, values]`` permits."""

    def begin(self, num_envs: int) -> None:
        return None

    def act(self, observation: Observation, feedback: Feedback, state: None) -> tuple[Action, None]:
        return self.choose(len(feedback.reset), feedback.action_mask), None

    def predict(
        self,
        observation: Observation,
        state: PolicyState = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: Array | None = None,
    ) -> tuple[Action, PolicyState]:
        arrays, batched = as_batch(self.observation_space, observation)
        count = len(arrays[0])
        masks = None if action_masks is None else np.reshape(action_masks, (count, -1)).astype(np.bool_)
        action = self.choose(count, masks)
        return (action if batched else first(self.action_space, action)), state
