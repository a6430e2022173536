"""What a task's recipe sets for one agent and leaves other agents without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snnrl.errors import ConfigError, did_you_mean, require, shown
from snnrl.types import Setting, Settings
from snnrl.words import merge

Written = Settings
"""What a recipe's file holds."""

SECTION = "tuned"


def parents(written: Written) -> list[str]:
    """Names of the recipes of its own group that a recipe begins with."""
    defaults = written.get("defaults")
    own = [name for name in defaults if isinstance(name, str)] if isinstance(defaults, list) else []
    return [name for name in own if name != "_self_"]


def lineage(name: str, recipes: Mapping[str, Written], seen: tuple[str, ...] = ()) -> list[str]:
    """A recipe and those that it begins with, the farthest first."""
    if name not in recipes or name in seen:
        return []
    before = [each for parent in parents(recipes[name]) for each in lineage(parent, recipes, (*seen, name))]
    return [*dict.fromkeys(before), name]


def tuned_settings(envs: Mapping[str, Written], agents: Mapping[str, Written]) -> dict[tuple[str, str], Settings]:
    """The settings that each task's recipe has for each agent, where it has any.

    They stand in the section ``tuned`` of an environment's recipe under the name of an agent's recipe. A task that
    begins with another takes over what that one says. An agent's recipe that begins with the named one takes them as
    well, but what it sets itself comes after them.

    Args:
        envs: recipes of environments as they are written, by name.
        agents: recipes of agents.

    Raises:
        ConfigError: ``tuned`` is no mapping, or names no agent.

    >>> tuned_settings({"Task": {"tuned": {"a": {"x": 1}}}}, {"a": {}, "b": {"defaults": ["a"], "y": 2}})
    {('Task', 'a'): {'x': 1}, ('Task', 'b'): {'x': 1, 'y': 2}}
    """
    ancestors = {agent: lineage(agent, agents) for agent in agents}
    found: dict[tuple[str, str], Settings] = {}
    for env in envs:
        sections = [_section(name, envs[name], agents) for name in lineage(env, envs)]
        for agent, line in ancestors.items():
            changes = list(_in_order(line, sections, agents))
            if changes:
                settings: Settings = {}
                for change in changes:
                    settings = changed(settings, change)
                found[env, agent] = settings
    return found


def changed(settings: Settings, change: Settings) -> dict[str, Setting]:
    """Nested settings with what ``change`` has in their place; a part of another name comes without the old one's.

    >>> changed({"neuron": {"name": "lif", "tau_mem": 5}, "gamma": 0.9}, {"neuron": {"name": "if"}})
    {'gamma': 0.9, 'neuron': {'name': 'if'}}
    """
    return merge(_without_parts_of_other_name(settings, change), change)


def _without_parts_of_other_name(settings: Written, change: Written) -> dict[str, Setting]:
    """Settings without those of an encoder, a neuron or whatever else ``change`` has another in place of.

    >>> _without_parts_of_other_name({"encoder": {"scale": [1.0]}, "gamma": 0.9}, {"encoder": {"name": "one_hot"}})
    {'gamma': 0.9}
    """
    kept = dict(settings)
    for key, new in change.items():
        old = kept.get(key)
        if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
            continue
        if new.get("name") is not None and new["name"] != old.get("name"):
            del kept[key]
        else:
            kept[key] = _without_parts_of_other_name(old, new)
    return kept


def _in_order(line: list[str], sections: list[Settings], agents: Mapping[str, Written]) -> Iterable[Written]:
    """What an agent of this lineage is set in a task, after its own recipe; the last counts."""
    named = [name for name in line if any(name in section for section in sections)]
    for name in line[line.index(named[0]) :] if named else []:
        if name != named[0]:
            yield {key: value for key, value in agents[name].items() if key not in ("defaults", "name")}
        yield from (section[name] for section in sections if name in section)


def _section(env: str, written: Written, agents: Mapping[str, Written]) -> Settings:
    section = written.get(SECTION) or {}
    require(isinstance(section, Mapping), f"env={env}: {SECTION}", shown(section), "a mapping of agents to settings")
    for agent, settings in section.items():
        if agent not in agents:
            raise ConfigError(f"env={env}: {SECTION}.{agent}: there is no such agent; {did_you_mean(agent, agents)}")
        require(isinstance(settings, Mapping), f"env={env}: {SECTION}.{agent}", settings, "a mapping of settings")
    return section
