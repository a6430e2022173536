"""MinAtar's games, which register themselves with Gymnasium only when they are told to."""

from __future__ import annotations

import importlib

import gymnasium

from snnrl.errors import ConfigError

MINATAR_PREFIX = "MinAtar/"


def register_minatar(env_id: str) -> None:
    """Register the games of the package ``minatar`` (Young & Tian 2019, arXiv 1903.03176), unless they are already.

    Raises:
        ConfigError: the package is not installed; ``env_id`` is what asked for it.
    """
    if any(name.startswith(MINATAR_PREFIX) for name in gymnasium.registry):
        return
    try:
        games = importlib.import_module("minatar.gym")
    except ModuleNotFoundError as error:
        remedy = 'install it by `pip install "snnrl[minatar]"`'
        raise ConfigError(f"env.id={env_id}: needs a package that is not installed; {remedy}") from error
    games.register_envs()
