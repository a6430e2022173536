"""How long an episode of an evaluation may last."""

from __future__ import annotations

from dataclasses import replace

import gymnasium
from gymnasium.error import Error

from snnrl.envs.config import EnvConfig
from snnrl.envs.own import OwnEnv

LONGEST = 10_000
"""Environment steps after which an episode of an evaluation is cut where nothing else limits it."""


def for_evaluation(config: EnvConfig) -> EnvConfig:
    """The recipe of the environments in which an agent is evaluated: with a limit, so that every evaluation ends.

    A policy may well have no way to the end, such as one that walks into a wall for ever.
    """
    recipe = config.for_evaluation()
    return recipe if has_limit(recipe) else replace(recipe, max_episode_steps=LONGEST)


def has_limit(config: EnvConfig) -> bool:
    """Whether the recipe or the environment's registration sets a time limit."""
    if isinstance(config, OwnEnv):
        return config.has_limit
    if config.is_atari or config.max_episode_steps is not None:
        return True
    try:
        return gymnasium.spec(config.id).max_episode_steps is not None
    except (Error, ImportError):  # whoever makes the environment says it better
        return True
