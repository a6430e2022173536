"""Reinforcement learning with spiking neural networks that learn by local rules.

>>> import snnrl
>>> agent = snnrl.make_agent("CartPole")
>>> action, state = agent.predict([0.0, 0.0, 0.0, 0.0], deterministic=True)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnrl.api import evaluate, train
    from snnrl.loading import load, make_agent, make_env, make_envs, make_task
    from snnrl.training.trainer import Run, Trainer

__version__ = "0.1.0"
__all__ = ["Run", "Trainer", "evaluate", "load", "make_agent", "make_env", "make_envs", "make_task", "train"]

_PLACES = {"Run": "snnrl.training.trainer", "Trainer": "snnrl.training.trainer"}


def __getattr__(name: str) -> Any:
    """Import torch and the rest only when they are used, so that the commands answer a typing error at once.

    ``train`` and ``evaluate`` are commands and functions: modules that can be called.
    """
    if name in ("train", "evaluate"):
        return import_module(f"snnrl.{name}")
    if name in __all__:
        return getattr(import_module(_PLACES.get(name, "snnrl.loading")), name)
    raise AttributeError(f"module 'snnrl' has no attribute {name!r}")
