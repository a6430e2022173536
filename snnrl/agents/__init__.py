"""Agents, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib import import_module
from inspect import isabstract, signature
from typing import Any

from gymnasium import spaces

from snnrl.agents.base import Agent
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, did_you_mean, shown

AGENTS: Mapping[str, str] = {
    "constant": "snnrl.agents.constant:Constant",
    "random": "snnrl.agents.random:Random",
    "rstdp": "snnrl.agents.rstdp:RSTDP",
}
"""Where the agents that recipes name are; any other ``module:Class`` can stand in a recipe as well."""

__all__ = ["AGENTS", "Agent", "find_class", "make_agent", "read_settings"]


def make_agent(
    settings: Mapping[str, Any],
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    env: EnvConfig,
    seed: int = 0,
) -> Agent[Any]:
    """The agent that a recipe describes.

    Args:
        settings: ``name``, one of :data:`AGENTS` or ``module:Class``, and the settings of that agent's ``Config``.
        observation_space: of one environment.
        action_space: of one environment.
        env: the environment's recipe.
        seed: of the agent's randomness.

    Raises:
        ConfigError: an unknown agent or setting, a value out of range, or a space that the agent cannot take.
    """
    kind = find_class("agent", "an Agent", str(settings.get("name")), AGENTS)
    _check_class(kind, str(settings.get("name")))
    config = read_settings(kind.Config, {key: value for key, value in settings.items() if key != "name"})
    agent: Agent[Any] = kind(observation_space, action_space, config, env, seed)
    return agent


def _check_class(kind: Any, name: str) -> None:
    """Raise :class:`ConfigError` unless ``kind`` is a whole :class:`Agent` that is made as those of snnrl are."""
    if not (isinstance(kind, type) and issubclass(kind, Agent)):
        raise ConfigError(f"agent.name={name}: must be a subclass of snnrl.agents.Agent")
    if isabstract(kind):
        raise ConfigError(f"agent.name={name}: lacks {', '.join(sorted(kind.__abstractmethods__))} of an Agent")
    arguments = ("observation_space", "action_space", "config", "env", "seed")
    try:
        signature(kind).bind(*arguments)
    except TypeError as error:
        raise ConfigError(f"agent.name={name}: must take ({', '.join(arguments)}); {error}") from error


def find_class(section: str, what: str, name: str, known: Mapping[str, str]) -> Any:
    """The class that ``<section>.name`` names, by a word of ``known`` or as ``module:Class``.

    Raises:
        ConfigError: there is no such class, or it has no ``Config``.
    """
    if name not in known and ":" not in name:
        raise ConfigError(f"{section}.name={name}: there is no such {section}; {did_you_mean(name, known)}")
    module, _, attribute = known.get(name, name).partition(":")
    try:
        kind = getattr(import_module(module), attribute)
        kind.Config  # noqa: B018
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{section}.name={name}: cannot be imported ({error}); must be module:Class of {what} with a Config"
        ) from error
    return kind


def read_settings(config: type[Any], settings: Mapping[str, Any], section: str = "agent") -> Any:
    """An instance of the dataclass ``config``, whose fields' defaults say which type a setting has.

    Raises:
        ConfigError: a setting that the dataclass does not have, or of another type; named as ``<section>.<setting>``.
    """
    defaults = {field.name: field.default for field in fields(config)}
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in defaults:
            raise ConfigError(f"{section}.{key}: there is no such setting; {did_you_mean(key, defaults)}")
        values[key] = _typed(f"{section}.{key}", value, defaults[key])
    return config(**values)


def _typed(setting: str, value: Any, default: Any) -> Any:
    if (
        default is MISSING
        or default is None
        or (isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool))
    ):
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise ConfigError(f"{setting}={shown(value)}: must be a number that fits in 64 bits") from error
    if isinstance(default, tuple) and isinstance(value, list) and len(value) == len(default):
        return tuple(_typed(setting, entry, like) for entry, like in zip(value, default, strict=True))
    names = {bool: "true or false", int: "an integer", float: "a number", str: "a word", tuple: "a list"}
    raise ConfigError(f"{setting}={shown(value)}: must be {names.get(type(default), type(default).__name__)}")
