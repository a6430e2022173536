"""Which actions an environment permits, said in one way."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


def with_masks(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """The environment, with ``info["action_mask"]`` where it has a method ``action_masks()``, as for sb3-contrib."""
    return TellMasks(env) if callable(getattr(env.unwrapped, "action_masks", None)) else env


class TellMasks(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Puts what ``action_masks()`` returns into the info of every step."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._told(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._told(info)

    def _told(self, info: dict[str, Any]) -> dict[str, Any]:
        masks: Any = self.env.get_wrapper_attr("action_masks")()
        return {**info, "action_mask": np.asarray(masks, dtype=np.bool_).flatten()}
