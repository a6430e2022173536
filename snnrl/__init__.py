"""Reinforcement learning with spiking neural networks that learn by local rules.

>>> import snnrl
>>> agent = snnrl.make_agent("CartPole")
>>> action, state = agent.predict([0.0, 0.0, 0.0, 0.0], deterministic=True)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snnrl.loading import load, make_agent, make_env, make_envs

__version__ = "0.1.0"
__all__ = ["load", "make_agent", "make_env", "make_envs"]


def __getattr__(name: str) -> Any:
    """Import torch and the rest only when they are used, so that the commands answer a typing error at once."""
    if name in __all__:
        from snnrl import loading

        return getattr(loading, name)
    raise AttributeError(f"module 'snnrl' has no attribute {name!r}")
