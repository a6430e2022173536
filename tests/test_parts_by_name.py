"""A part by a new name comes without the settings of the one before, whichever way it is written; by the same, with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from snnrl.agents import AGENTS
from snnrl.agents.encoder_factory import SETTING
from snnrl.encoders import ENCODERS
from snnrl.errors import ConfigError
from snnrl.recipes import compose_run, recipe_names
from snnrl.settings import Settings, declarations
from snnrl.settings.declared import entries_of
from snnrl.textfiles import write_yaml
from snnrl.tuning import changed
from snnrl.words import as_words

Parts = Mapping[str, Any]
"""What is said of each part, by its place in the settings of an agent."""


def places(config: type, section: str = "") -> Iterator[tuple[str, Any]]:
    """Where settings hold parts, and the registry of each."""
    for name, declared in declarations(config).items():
        if declared.registry is not None:
            yield f"{section}{name}", declared.registry
        elif isinstance(declared.default, Settings):
            yield from places(type(declared.default), f"{section}{name}.")
        elif (entry := entries_of(declared)) is not None:
            yield from places(entry, f"{section}{name}.0.")


AGENT_PLACES = {agent: dict(places(AGENTS.find(agent, "agent.name").Config)) for agent in AGENTS.names()}
AGENT_PLACES["rstdp"] |= {SETTING.removeprefix("agent."): ENCODERS}
WITH_PARTS = [agent for agent, found in AGENT_PLACES.items() if found and agent in recipe_names("agent")]
"""Agents that have parts, and a recipe by their own name."""


def said(agent: str, which: int, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The same of all parts of an agent: the first or the second name of each kind, and settings."""
    names = {key: registry.names()[which] for key, registry in AGENT_PLACES[agent].items()}
    return {key: name if settings is None else {"name": name, **settings} for key, name in names.items()}


def nested(parts: Parts) -> dict[str, Any]:
    """Settings of an agent that hold these parts."""
    found: dict[str, Any] = {}
    for key, part in parts.items():
        *sections, name = key.split(".")
        place = found
        for step, after in pairwise([*sections, name]):
            if step != "0":
                inner = place.setdefault(step, [{"size": 3}] if after == "0" else {})
                place = inner[0] if after == "0" else inner
        place[name] = part
    return found


def parts_in(agent: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The parts that an agent's settings hold at these places."""
    found = {}
    for key in keys:
        place: Any = agent
        for step in key.split("."):
            place = place[int(step)] if step == "0" else place[step]
        found[key] = {"name": place} if isinstance(place, str) else place
    return found


def recipe(group: str, name: str, settings: Mapping[str, Any]) -> None:
    Path(group).mkdir(exist_ok=True)
    write_yaml(Path(group) / f"{name}.yaml", settings)


def composed(*words: str) -> dict[str, Any]:
    return dict(compose_run(["env=Gymnasium", "env.id=CartPole-v1", "agent=base", *words])["agent"])


def by_an_experiment(parts: Parts) -> dict[str, Any]:
    defaults = [{"override /env": "CartPole"}, {"override /agent": "base"}]
    recipe("experiments", "mine", {"defaults": defaults, "agent": nested(parts)})
    return dict(compose_run(["experiment=mine"])["agent"])


def by_a_recipe_that_begins_with_it(parts: Parts) -> dict[str, Any]:
    recipe("agents", "later", {"defaults": ["base"], **nested(parts)})
    return dict(compose_run(["env=CartPole", "agent=later"])["agent"])


def by_a_task(parts: Parts) -> dict[str, Any]:
    recipe("envs", "Mine", {"id": "CartPole-v1", "tuned": {"base": nested(parts)}})
    return dict(compose_run(["env=Mine", "agent=base"])["agent"])


def by_words_of_a_program(parts: Parts) -> dict[str, Any]:
    return composed(*as_words({"agent": nested(parts)}))


def by_settings_of_a_program(parts: Parts) -> dict[str, Any]:
    return changed(composed(), nested(parts))


def by_the_sections_around_them(parts: Parts) -> dict[str, Any]:
    words = [as_words({f"agent.{key}": [value]})[0] for key, value in nested(parts).items()]
    return composed(*(word.replace("=[", "=", 1)[:-1] for word in words))


def by_their_keys(parts: Parts) -> dict[str, Any]:
    return composed(*as_words({f"agent.{key}": part for key, part in parts.items()}))


def by_their_names(parts: Parts) -> dict[str, Any]:
    settings = [(key, {"name": part} if isinstance(part, str) else part) for key, part in parts.items()]
    return composed(*(f"agent.{key}.{name}={value}" for key, part in settings for name, value in part.items()))


def by_words_and_their_settings(parts: Parts) -> dict[str, Any]:
    words = []
    for key, part in parts.items():
        settings = {"name": part} if isinstance(part, str) else dict(part)
        words.append(f"agent.{key}={settings.pop('name')}")
        words += [f"agent.{key}.{name}={value}" for name, value in settings.items()]
    return composed(*words)


ENTRY_BY_ENTRY = [by_their_keys, by_their_names, by_words_and_their_settings]
"""Ways that reach an entry of a list; by the others a list takes the place of the list."""
WAYS: list[Callable[[Parts], dict[str, Any]]] = [
    *(by_an_experiment, by_a_recipe_that_begins_with_it, by_a_task, by_words_of_a_program, by_settings_of_a_program),
    *(by_the_sections_around_them, *ENTRY_BY_ENTRY),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("agent", WITH_PARTS)
def test_a_part_by_a_new_name_comes_alone_and_by_the_same_keeps_its_settings(
    agent: str, way: Callable[[Parts], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tuned, keys = said(agent, 0, {"tuned": 1}), AGENT_PLACES[agent]
    recipe("agents", "base", {"defaults": [agent], **nested(tuned)})
    assert parts_in(way(said(agent, 1)), keys) == said(agent, 1, {})
    assert parts_in(way(said(agent, 1, {"own": 2})), keys) == said(agent, 1, {"own": 2})
    kept = [key for key in keys if ".0." not in key or way in ENTRY_BY_ENTRY]
    assert parts_in(way(said(agent, 0)), kept) == {key: tuned[key] for key in kept}
    both = said(agent, 0, {"tuned": 1, "own": 2})
    assert parts_in(way(said(agent, 0, {"own": 2})), kept) == {key: both[key] for key in kept}


@pytest.mark.parametrize("agent", WITH_PARTS)
def test_a_part_that_is_a_word_takes_settings_of_its_own(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe("agents", "base", {"defaults": [agent], **nested(said(agent, 0))})
    found = composed(*(f"agent.{key}.own=2" for key in AGENT_PLACES[agent]))
    assert parts_in(found, AGENT_PLACES[agent]) == said(agent, 0, {"own": 2})


def test_parts_of_every_kind_are_among_those_that_are_tried() -> None:
    assert set(AGENT_PLACES["rstdp"]) >= {
        "encoder",
        *("network.actor.neuron", "network.critic.rule"),
        *("network.hidden.0.connection", "network.hidden.0.recurrent"),
    }


@pytest.mark.parametrize(("env", "name"), [("Pong", "objects"), ("SpaceInvaders", "frames")])
def test_the_encoder_in_use_keeps_what_the_task_tunes_where_it_is_named(env: str, name: str) -> None:
    tuned = compose_run([f"env={env}"])["agent"]["encoder"]
    assert len(tuned) > 1
    for word in (f"agent.encoder.name={name}", f"agent.encoder={name}"):
        assert compose_run([f"env={env}", word])["agent"]["encoder"] == tuned
    assert compose_run([f"env={env}", "agent.encoder.name=null"])["agent"]["encoder"] == {"name": None}


def test_names_of_an_agent_and_of_an_environments_argument_replace_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe("agents", "Mine", {"defaults": ["rstdp"], "name": "my_package.agents:Mine"})
    recipe("envs", "Mine", {"id": "CartPole-v1", "kwargs": {"name": "a", "size": 3}})
    run = compose_run(["env=Mine", "agent=Mine", "env.kwargs.name=b"])
    assert run["agent"]["gamma"] == compose_run(["env=Mine", "agent=rstdp"])["agent"]["gamma"]
    assert run["env"]["kwargs"] == {"name": "b", "size": 3}


def test_an_experiment_that_shows_something_else_of_a_game_leaves_what_is_said_of_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    defaults = [{"override /env": "Pong"}]
    recipe("experiments", "ram", {"defaults": defaults, "env": {"kwargs": {"obs_type": "ram"}}})
    assert compose_run(["experiment=ram"])["agent"]["encoder"] == {"name": None}
    own = compose_run(["experiment=ram", "agent.encoder.scale=[1]"])["agent"]["encoder"]
    assert own == {"name": None, "scale": [1]}


@pytest.mark.parametrize(
    "word", ["agent.encoder.from_0_1=true", "agent.encoder={from_0_1: true}", "+agent.encoder.from_0_1=1"]
)
def test_the_mark_of_old_runs_is_taken_from_no_one(word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^agent\.encoder\.from_0_1=\S+: there is no such setting; must be left out"):
        compose_run(["env=CartPole", word])
    recipe("agents", "mine", {"defaults": ["rstdp"], "encoder": {"from_0_1": True}})
    with pytest.raises(ConfigError, match=r"agent\.encoder\.from_0_1"):
        compose_run(["env=CartPole", "agent=mine"])
    assert compose_run(["env=CartPole", "agent=rstdp_fine"])["agent"]["encoder"]["from_0_1"] is True
