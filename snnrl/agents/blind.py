"""What agents share that do not look where they go."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnrl.agents.base import Agent
from snnrl.envs import Feedback


class Blind(Agent[None]):
    """Acts without regard to what it observes, and learns nothing: a baseline."""

    @abstractmethod
    def choose(self, count: int) -> NDArray[Any]:
        """``count`` actions, ``[count, *action_shape]``."""

    def begin(self, num_envs: int) -> None:
        return None

    def act(self, observation: NDArray[Any], feedback: Feedback, state: None) -> tuple[NDArray[Any], None]:
        return self.choose(len(observation)), None

    def predict(
        self,
        observation: Any,
        state: Any | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        batch, batched = self.as_batch(observation)
        action = self.choose(len(batch))
        return (action if batched else action[0]), state
