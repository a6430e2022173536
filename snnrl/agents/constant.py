"""Always the same action."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import getitem

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.agents.open_loop import OpenLoop
from snnrl.envs import EnvConfig
from snnrl.errors import require
from snnrl.settings import Settings, register, setting
from snnrl.spaces import Leaf, Space, assemble, leaves, named, split
from snnrl.types import Action, Array


@dataclass(frozen=True)
class ConstantConfig(Settings, section="agent"):
    """Recipe of :class:`Constant`."""

    action: Action = setting(
        None, "a number, a list for a Box or Tuple, a mapping for a Dict", default_text="the first of those with a name"
    )


@register("constant")
class Constant(OpenLoop):
    """Takes one action for ever: what a policy scores that looks at nothing.

    Raises:
        ConfigError: the action is not in the action space.
    """

    Config = ConstantConfig

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        config: ConstantConfig,
        env: EnvConfig,
        seed: int = 0,
    ) -> None:
        super().__init__(observation_space, action_space, seed)
        action = None
        try:
            parts = [_typed(leaf, config.action) for leaf in leaves(action_space)]
            action = assemble(action_space, parts)
            fits = bool(action_space.contains(action))
        except (TypeError, ValueError, KeyError, IndexError, OverflowError):
            fits = False
        require(fits, "agent.action", config.action, f"in {named(action_space)}")
        self.action = action

    def choose(self, count: int, action_masks: NDArray[np.bool_] | None = None) -> Action:
        parts = split(self.action_space, self.action)
        return assemble(self.action_space, [np.repeat(part[None], count, axis=0) for part in parts])


def _typed(leaf: Leaf, action: Action) -> Array:
    """The part of a leaf of the action that a recipe gives.

    Raises:
        ValueError: it is of another type than the leaf.
    """
    if action is None and isinstance(leaf.space, spaces.Box):
        raise ValueError("a Box has no first action")
    if action is None:
        return np.broadcast_to(np.asarray(getattr(leaf.space, "start", 0)), leaf.shape).astype(leaf.space.dtype)
    given = np.asarray(reduce(getitem, leaf.path, action))
    typed: Array = given.astype(leaf.space.dtype)
    if not np.allclose(typed, given):
        raise ValueError("another type")
    return typed
