"""Which actions an environment permits, said in one way."""

from __future__ import annotations

from typing import SupportsFloat

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.envs.types import Env, Wrapper
from snnrl.spaces import Space
from snnrl.types import Action, Array, Info, Observation, Setting


def with_masks(env: Env) -> Env:
    """The environment, with ``info["action_mask"]`` where it has a method ``action_masks()``, as for sb3-contrib."""
    return TellMasks(env) if callable(getattr(env.unwrapped, "action_masks", None)) else env


class TellMasks(Wrapper):
    """Puts what ``action_masks()`` returns into the info of every step."""

    def reset(self, *, seed: int | None = None, options: dict[str, Setting] | None = None) -> tuple[Observation, Info]:
        """Start an episode."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._told(info)

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Act."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._told(info)

    def _told(self, info: Info) -> Info:
        masks = self.env.get_wrapper_attr("action_masks")()
        flat = flat_mask(masks)
        return {**info, "action_mask": masks if flat is None else flat}


def flat_mask(given: npt.ArrayLike) -> NDArray[np.bool_] | None:
    """A mask as one row, those of several numbers one after the other; None where it is not made of 0 and 1."""
    parts = given if isinstance(given, (tuple, list)) else [np.asarray(given)]
    try:
        values = np.concatenate([np.ravel(part) for part in parts])
    except ValueError:
        return None
    return values.astype(np.bool_) if are_bits(values) else None


def are_bits(values: Array) -> bool:
    """Whether an array holds nothing but 0 and 1."""
    kind = values.dtype.kind
    return kind == "b" or (kind in "iuf" and bool(((values == 0) | (values == 1)).all()))


def mask_length(space: Space) -> int | None:
    """Values of a mask for a space of named actions; None for other spaces, also those of several parts."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum())
    return 2 * int(np.prod(space.shape)) if isinstance(space, spaces.MultiBinary) else None
