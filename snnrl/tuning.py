"""How settings are laid over one another: recipes, what a task tunes for one agent, and what a user gives."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from snnrl.errors import ConfigError, did_you_mean, require, shown
from snnrl.legacy import FROM_0_1
from snnrl.types import Setting, Settings

SECTION = "tuned"
"""The section of an environment's recipe that holds, by the name of an agent's recipe, what the task sets for it."""
WITH_PARTS = ("agent", "learner")
"""Sections in which whatever has a ``name`` is a part, such as a neuron."""


class Layer(NamedTuple):
    """What one recipe says."""

    group: str
    """``env``, ``agent`` or ``experiment``; empty for the defaults of all runs."""
    name: str
    settings: Settings
    """Of a run, from the top; beside them what a task tunes, under :data:`SECTION`."""


def combined(layers: Sequence[Layer], changes: Sequence[Settings] = ()) -> dict[str, Setting]:
    """The settings of a run.

    What a task tunes for an agent's recipe comes right after that recipe: before what another agent's recipe that
    begins with it says, before experiments and before ``changes``. A task that begins with another takes over what that
    one tunes. What a task says of an encoder is left out where the game is told, by ``env.kwargs.obs_type``, to show
    something else.

    >>> layers = [Layer("agent", "a", {"agent": {"x": 1, "y": 1}}), Layer("agent", "b", {"agent": {"y": 2}})]
    >>> combined([*layers, Layer("env", "Task", {"tuned": {"a": {"x": 3, "y": 3}}})])
    {'agent': {'x': 3, 'y': 2}}

    Args:
        layers: recipes in their order, the last counts.
        changes: what comes after all recipes, each from the top.
    """
    envs = [layer.settings for layer in layers if layer.group == "env"]
    tuned = [section for env in envs for section in [env.get(SECTION)] if section]
    if _observations([*(layer.settings for layer in layers), *changes]) != _observations(envs):
        tuned = [{agent: _without(own, "encoder") for agent, own in section.items()} for section in tuned]
    settings: dict[str, Setting] = {}
    for layer in layers:
        settings = laid_over(settings, _without(layer.settings, SECTION))
        if layer.group == "agent":
            for section in tuned:
                settings = laid_over(settings, {"agent": section.get(layer.name, {})})
    for change in changes:
        settings = laid_over(settings, change)
    return settings


def laid_over(settings: Settings, change: Settings) -> dict[str, Setting]:
    """The settings of a run with what ``change`` has in their place.

    >>> laid_over({"env": {"kwargs": {"name": "a", "size": 3}}}, {"env": {"kwargs": {"name": "b"}}})
    {'env': {'kwargs': {'name': 'b', 'size': 3}}}
    """
    return {
        **settings,
        **{key: _replaced(settings.get(key), new, key in WITH_PARTS, top=True) for key, new in change.items()},
    }


def changed(settings: Settings, change: Settings) -> dict[str, Setting]:
    """The settings of an agent with what ``change`` has in their place.

    A section keeps what is not changed, and so does a part that keeps its name. A part of another name comes without
    the settings of the one before. A part that is a word alone is one without settings. ``{"0": ...}`` is an entry of a
    list.

    >>> agent = {"neuron": {"name": "lif", "tau_mem": 5}, "gamma": 0.9}
    >>> changed(agent, {"neuron": {"name": "if"}}), changed(agent, {"neuron": "if"})
    ({'neuron': {'name': 'if'}, 'gamma': 0.9}, {'neuron': 'if', 'gamma': 0.9})
    >>> changed(agent, {"neuron": "lif"})["neuron"], changed({"neuron": "lif"}, {"neuron": {"tau_mem": 3}})["neuron"]
    ({'name': 'lif', 'tau_mem': 5}, {'name': 'lif', 'tau_mem': 3})
    """
    return {**settings, **{key: _replaced(settings.get(key), new, parts=True) for key, new in change.items()}}


def _replaced(old: Setting, new: Setting, parts: bool, top: bool = False) -> Setting:
    """A value with another in its place; a mapping is laid over the one before.

    Args:
        old: ``None`` where there is none.
        new: in its place.
        parts: whether a name makes a mapping a part.
        top: of a whole section, whose name is that of its class: another class may take the same settings.
    """
    if isinstance(old, list) and isinstance(new, Mapping) and _are_places(new, old):
        given = {str(place): entry for place, entry in new.items()}
        return [_replaced(entry, given[str(n)], parts) if str(n) in given else entry for n, entry in enumerate(old)]
    if parts and not top:
        if isinstance(new, str) and isinstance(old, Mapping) and old.get("name") == new:
            return old
        if isinstance(old, str) and isinstance(new, Mapping):
            old = {"name": old}
        if (
            isinstance(old, Mapping)
            and isinstance(new, Mapping)
            and new.get("name", old.get("name")) != old.get("name")
        ):
            return dict(new)
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    return {**old, **{key: _replaced(old.get(key), entry, parts) for key, entry in new.items()}}


def _are_places(names: Iterable[object], entries: Sequence[object]) -> bool:
    """Whether names are numbers of entries that a list has, as words or, from YAML and Python, as integers."""
    return {str(name) for name in names} <= {str(place) for place in range(len(entries))}


def is_part(settings: Settings, key: str) -> bool:
    """Whether a dotted key is of a part, whose settings only its class knows, or of what lies within one or in a list.

    >>> run = {"agent": {"name": "rstdp", "neuron": {"name": "lif"}, "rule": "stdp", "hidden": [{"size": 3}]}}
    >>> [is_part(run, f"agent.{key}") for key in ("neuron.tau", "rule.tau", "hidden.0.size", "size", "name.x")]
    [True, True, True, False, False]
    """
    section, *path = key.split(".")
    place = settings.get(section)
    if section not in WITH_PARTS or not isinstance(place, Mapping):
        return False
    for step in path[:-1]:
        if not isinstance(place, Mapping) or step == "name":
            return False
        place = place.get(step)
        if isinstance(place, (str, list)) or (isinstance(place, Mapping) and "name" in place):
            return True
    return False


def _observations(layers: Sequence[Settings]) -> Setting:
    """What a game shows, where a recipe or a user says so."""
    merged: dict[str, Setting] = {}
    for layer in layers:
        merged = laid_over(merged, {"env": layer.get("env")} if isinstance(layer.get("env"), Mapping) else {})
    kwargs = merged.get("env", {}).get("kwargs")
    return kwargs.get("obs_type") if isinstance(kwargs, Mapping) else None


def _without(settings: Settings, name: str) -> Settings:
    return {key: value for key, value in settings.items() if key != name}


def parents(written: Settings) -> list[str]:
    """Names of the recipes of its own group that a recipe begins with."""
    defaults = written.get("defaults")
    own = [name for name in defaults if isinstance(name, str)] if isinstance(defaults, list) else []
    return [name for name in own if name != "_self_"]


def check_tuned(env: str, written: Settings, agents: Collection[str]) -> None:
    """Raise :class:`ConfigError` unless what an environment's recipe tunes are settings of agents that there are."""
    section = written.get(SECTION) or {}
    require(isinstance(section, Mapping), f"env={env}: {SECTION}", shown(section), "a mapping of agents to settings")
    for agent, settings in section.items():
        if agent not in agents:
            raise ConfigError(f"env={env}: {SECTION}.{agent}: there is no such agent; {did_you_mean(agent, agents)}")
        require(isinstance(settings, Mapping), f"env={env}: {SECTION}.{agent}", settings, "a mapping of settings")
        check_own(settings)


def check_own(agent: object) -> None:
    """Raise :class:`ConfigError` where settings of an agent hold a mark that only version 0.1 left.

    It stands in the settings of runs of that version and of those by its names of agents.
    """
    encoder = agent.get("encoder") if isinstance(agent, Mapping) else None
    if isinstance(encoder, Mapping) and FROM_0_1 in encoder:
        raise ConfigError(
            f"agent.encoder.{FROM_0_1}={shown(encoder[FROM_0_1])}: there is no such setting; must be left out, it "
            "marks runs of version 0.1"
        )
