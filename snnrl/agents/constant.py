"""Always the same action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.agents.blind import Blind
from snnrl.envs import EnvConfig
from snnrl.errors import require


@dataclass(frozen=True)
class ConstantConfig:
    """Recipe of :class:`Constant`."""

    action: Any = None
    """The action: a number, or a list for a Box; ``None`` is the first action of a Discrete space."""


class Constant(Blind):
    """Takes one action for ever: what a policy scores that looks at nothing.

    Raises:
        ConfigError: the action is not in the action space.
    """

    Config = ConstantConfig

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        config: ConstantConfig,
        env: EnvConfig,
        seed: int = 0,
    ) -> None:
        super().__init__(observation_space, action_space, seed)
        first = getattr(action_space, "start", 0)
        chosen = first if config.action is None else config.action
        try:
            exact = np.asarray(chosen)
            self.action = exact.astype(action_space.dtype)
            fits = action_space.contains(self.action) and np.allclose(self.action, exact)
        except (TypeError, ValueError):
            fits = False
        require(fits, "agent.action", config.action, f"in {action_space}")

    def choose(self, count: int) -> NDArray[Any]:
        return np.repeat(self.action[None], count, axis=0)
