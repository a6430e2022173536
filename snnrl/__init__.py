"""Reinforcement learning with spiking neural networks that learn by local rules.

>>> import snnrl
>>> agent = snnrl.make_agent("CartPole")
>>> action, state = agent.predict([0.0, 0.0, 0.0, 0.0], deterministic=True)

``train`` and ``evaluate`` are functions; the commands are ``train.main`` and ``evaluate.main``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnrl.api import evaluate, train
    from snnrl.loading import load, make_agent, make_env, make_envs, make_task
    from snnrl.training.run import Run
    from snnrl.training.trainer import Trainer
    from snnrl.trajectory import Trace

__version__ = "0.1.0"
__all__ = ["Run", "Trace", "Trainer", "evaluate", "load", "make_agent", "make_env", "make_envs", "make_task", "train"]

_PLACES = {"Run": "snnrl.training.run", "Trainer": "snnrl.training.trainer", "Trace": "snnrl.trajectory"}


def __getattr__(name: str) -> Any:
    """Import torch and the rest only when they are used, so that the commands answer a typing error at once."""
    if name in __all__:
        return getattr(import_module(_PLACES.get(name, "snnrl.loading")), name)
    raise AttributeError(f"module 'snnrl' has no attribute {name!r}")


def _function(name: str) -> property:
    """A function of :mod:`snnrl.api` whose name is also that of a command's module.

    Importing the module would set the package's attribute of its name to the module; a property keeps the function.
    """

    def get(package: ModuleType) -> Callable[..., object]:
        function: Callable[..., object] = getattr(import_module("snnrl.api"), name)
        vars(function).setdefault("main", import_module(f"snnrl.{name}").main)
        return function

    def keep(package: ModuleType, module: ModuleType) -> None:
        return

    return property(get, keep)


class _Package(ModuleType):
    train, evaluate = _function("train"), _function("evaluate")


sys.modules[__name__].__class__ = _Package
