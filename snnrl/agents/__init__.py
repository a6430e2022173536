"""Agents, one file each."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

from snnrl.agents.base import Agent, AnyAgent
from snnrl.agents.trainable import Trainable
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, require
from snnrl.settings import Registry, read_named
from snnrl.settings.early import AGENT_FOLDERS
from snnrl.spaces import Space
from snnrl.types import Settings

AGENTS: Registry[Trainable] = Registry(
    "agent",
    "snnrl.agents.trainable:Trainable",
    *AGENT_FOLDERS,
    config=True,
    parents="snnrl.agents.Agent or snnrl.integrations.sb3.SB3Agent",
)
"""Agents by the names that recipes give them, those that stable-baselines3 trains among them."""

__all__ = ["AGENTS", "Agent", "AnyAgent", "Trainable", "make_agent"]


def make_agent(
    settings: Settings,
    observation_space: Space,
    action_space: Space,
    env: EnvConfig,
    seed: int = 0,
) -> AnyAgent:
    """The agent that a recipe describes.

    Args:
        settings: ``name``, as :data:`AGENTS` knows it, and the settings of that agent's ``Config``.
        observation_space: of one environment.
        action_space: of one environment.
        env: the environment's recipe.
        seed: of the agent's randomness.

    Raises:
        ConfigError: an unknown agent or setting, a value out of range, or a space that the agent cannot take.
    """
    kind, config = read_named(AGENTS, settings, "agent")
    _check_constructor(kind, settings["name"])
    make: Callable[..., object] = kind
    made = make(observation_space, action_space, config, env, seed)
    assert isinstance(made, Agent)
    return made


def _check_constructor(kind: type, name: str) -> None:
    """Raise :class:`ConfigError` unless an agent is made as those of snnrl are."""
    require(issubclass(kind, Agent), "agent.name", name, "a subclass of snnrl.agents.Agent")
    arguments = ("observation_space", "action_space", "config", "env", "seed")
    try:
        signature(kind).bind(*arguments)
    except TypeError as error:
        raise ConfigError(f"agent.name={name}: must take ({', '.join(arguments)}); {error}") from error
