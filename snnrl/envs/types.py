"""Gymnasium's generic classes, for environments of any spaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gymnasium
from gymnasium.vector import VectorEnv as GymnasiumVectorEnv

from snnrl.types import Action, Array, Info, Observation

Env = gymnasium.Env[Observation, Action]
"""An environment of any spaces."""
Wrapper = gymnasium.Wrapper[Observation, Action, Observation, Action]
"""What lies around an environment and keeps its spaces."""
VectorEnv = GymnasiumVectorEnv[Observation, Action, Array]
"""Environments of any spaces that are stepped together."""


def start(envs: VectorEnv, seeds: Sequence[int]) -> tuple[Observation, Info]:
    """The first observations and infos of environments, each with a seed of its own where they take several."""
    reset: Callable[..., tuple[Observation, Info]] = envs.reset  # Gymnasium declares one seed for all
    try:
        return reset(seed=list(seeds))
    except gymnasium.error.Error:  # environments that are computed as one, which take one seed for all
        return reset(seed=seeds[0])
