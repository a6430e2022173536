"""Settings at random: what stands on a command line or in a run's config.yaml is valid, or is refused in one line."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from snnrl.agents import AGENTS
from snnrl.config import RunConfig, write_settings
from snnrl.config import read_settings as read_run_settings
from snnrl.errors import ConfigError
from snnrl.learners import LEARNERS
from snnrl.loading import checked
from snnrl.recipes import GROUPS, compose_run, recipe_names
from snnrl.settings import read_named

ROUNDS = (25, 500)
LONGEST = 4000

NUMBERS = (0, 1, -1, 2, 3, 7, 255, 2**31, 2**32, 2**63, 2**64, 10**40, 10**400, 0.5, -0.5, 1.0, 1e-320, 1e308, -1e308)
ODD = (float("nan"), float("inf"), float("-inf"), True, False, None, "", " ", "null", "true", "1", "1.0", "auto")
TEXTS = ("ünïcödé", "日本", "🙂", "a b", "a\tb", "a\nb", "\x1b[31m", "\u202e", "../..", "~", "${env.id}", "${", "%s")
NESTED = ([], {}, [1, 2], [None], {"a": 1}, {1: 2}, [[[]]], {"a": {"b": {"c": [1]}}}, ["x"] * 50, {"name": "x"})
GRAMMAR = (
    *("", "[", "{", "]", "'", '"', "[1,2", "a,b", "range(1,3)", "choice(1,2)", "${oc.env:HOME}", "${seed}", "1 2"),
    *("a=b", "1e999", "-", "0x10", "1_000", "[" * 300, "9" * 4500, "{a:1}", "[1,2]", "int(3.5)", "null", "???"),
    *("x" * 5000, "\\", "="),
)
ANY = (*NUMBERS, *ODD, *TEXTS, *NESTED)


def try_settings(chance: random.Random, count: int, folder: Path) -> None:
    """Try ``count`` settings; a failure tells the case that found it."""
    outcomes = {"valid": 0, "refused": 0}
    for case in range(count):
        what = chance.choice((typed, saved))
        described: list[str] = []
        try:
            what(chance, described, folder)
            outcomes["valid"] += 1
        except ConfigError as error:
            outcomes["refused"] += 1
            if not str(error).isprintable() or not 10 < len(str(error)) < LONGEST:
                pytest.fail(f"case {case}, {described}: not one line: {str(error)!r}")
        except Exception as error:
            pytest.fail(f"case {case}, {described}: {type(error).__name__}: {error}")
    print(outcomes)
    assert min(outcomes.values()) >= count // 20, outcomes


def typed(draw: random.Random, described: list[str], folder: Path) -> None:
    """A command line with a word or two that nobody has in mind."""
    words = [chosen(draw)]
    settings = dict(leaves(compose_run(words)))
    for _ in range(draw.choice((1, 1, 1, 2))):
        key = draw.choice(list(settings))
        value = draw.choice(GRAMMAR) if draw.random() < 0.25 else as_typed(near(draw, settings[key]))
        words.append(f"{mangled(draw, key) if draw.random() < 0.1 else key}={value}")
    described[:] = [word[:200] for word in words]
    build(compose_run(words))


def saved(draw: random.Random, described: list[str], folder: Path) -> None:
    """A run's config.yaml in which a setting or two were changed, left out, renamed or put in."""
    composed = compose_run([chosen(draw)])
    for _ in range(draw.choice((1, 1, 1, 2))):
        section = draw.choice([composed, *(value for value in composed.values() if isinstance(value, dict) and value)])
        key = draw.choice(list(section))
        change = draw.choice((*("value",) * 7, "left out", "added", "renamed"))
        value = near(draw, section[key])
        described.append(f"{change} {key} {hex(value) if isinstance(value, int) else value!r:.100}")
        if change == "value":
            section[key] = value
        elif change == "added":
            section[draw.choice(("x", 3, None, True, "ünï", "env.id", mangled(draw, str(key))))] = value
        else:
            old = section.pop(key)
            if change == "renamed":
                section[mangled(draw, str(key))] = old
    write_settings(folder, composed)
    build(read_run_settings(folder))


def near(draw: random.Random, value: Any) -> Any:
    """Another value: often of the same kind, at times any."""
    if draw.random() < 0.5 or value is None:
        return draw.choice(ANY)
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return draw.choice((0, -value, value + 1, value * 2, value / 2, int(value), float(value), str(value)))
    if isinstance(value, list):
        return draw.choice((value[::-1], value[1:], [*value, *value], value[0] if value else 0, [value]))
    return draw.choice((str(value).upper(), str(value)[:-1], f"{value}x", [value], str(value)))


def build(settings: Mapping[str, Any]) -> None:
    """All that is made of settings before environments, data and networks are."""
    config = checked(settings)
    if not isinstance(config, RunConfig):
        read_named(LEARNERS, config.learner, "learner")
    else:
        read_named(AGENTS, config.agent, "agent")
    assert config.title
    assert config.announcement(0)


def chosen(draw: random.Random) -> str:
    """A word that chooses a recipe."""
    group = draw.choice(list(GROUPS))
    return f"{group}={draw.choice(recipe_names(group))}"


def leaves(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every dotted key of nested settings, with its value."""
    for key, value in settings.items():
        yield f"{prefix}{key}", value
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")


def mangled(draw: random.Random, key: str) -> str:
    """A key as it may be mistyped."""
    at = draw.randrange(len(key) + 1)
    slips = [f"{key[:at]}{key[at + 1 :]}", f"{key[:at]}x{key[at:]}", key.upper(), f"{key}.x"]
    return draw.choice([*slips, f"+{key}", f"{key}@x", f".{key}"])


def as_typed(value: Any) -> str:
    """A value as somebody may type it."""
    if isinstance(value, int) and abs(value) > 2**400:
        return hex(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder, in a working folder that is empty besides."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.mark.timeout(3600)
def test_settings_at_random_are_valid_or_refused_in_one_line(rounds: int, chance: random.Random, folder: Path) -> None:
    try_settings(chance, rounds, folder)


def test_a_campaign_is_repeated_by_its_seed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for _ in range(2):
        try_settings(random.Random(5), 3, folder)
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
