"""Settings are declared once: their types and ranges are checked, whoever gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from snnrl.errors import ConfigError
from snnrl.settings import Settings, read, setting


@dataclass(frozen=True)
class Reward(Settings, section="env.reward"):
    low: float | None = setting(None, "lowest reward")
    high: float | None = setting(None, "highest reward")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low is not None and self.high is not None:
            self.require(self.low < self.high, "low", f"below high ({self.high})")


@dataclass(frozen=True)
class Layer(Settings):
    size: int = setting(10, "neurons", at_least=1)


@dataclass(frozen=True)
class Recipe(Settings, section="agent"):
    id: str = setting(help="the id of an environment")
    gamma: float = setting(0.98, "discount", at_least=0, at_most=1)
    scale: float = setting(1.0, "factor", above=0)
    ceiling: float = setting(float("inf"), "limit", finite=False)
    steps: int = setting(5, "steps of a rollout", at_least=1)
    seed: int | None = setting(None, "of all randomness", at_least=0)
    greedy: bool = setting(True, "whether the best action is taken")
    modulator: str = setting("td", "third factor", choices=("td", "shuffled"))
    mode: Literal["a", "b", "c"] = setting("a", "mode")
    device: str = setting("auto", "device", check=lambda text: text in ("auto", "cpu"), expected="auto or cpu")
    limits: tuple[float, float] = setting((-1.0, 1.0), "lowest and highest value")
    net_arch: tuple[int, ...] = setting((64, 64), "sizes of hidden layers", at_least=1)
    folder: Path | None = setting(None, "where to write")
    kwargs: dict[str, Any] = setting({}, "passed on")
    reward: Reward = setting(Reward(), "what is learned from")
    hidden: tuple[Layer, ...] = setting((), "hidden layers")
    plain: float = 2.0


def made(**settings: Any) -> Recipe:
    return Recipe("x", **settings)


WRONG: Mapping[str, tuple[Any, str]] = {
    "gamma": (2, "agent.gamma=2: must be in [0, 1]"),
    "scale": (0.0, "agent.scale=0.0: must be above 0"),
    "ceiling": (float("nan"), "agent.ceiling=nan: must be finite"),
    "steps": (0, "agent.steps=0: must be an integer of at least 1"),
    "seed": (-1, "agent.seed=-1: must be an integer of at least 0, or null"),
    "greedy": (1, "agent.greedy=1: must be true or false"),
    "modulator": ("dt", "agent.modulator=dt: must be td or shuffled"),
    "mode": ("d", "agent.mode=d: must be one of a, b, c"),
    "device": ("gpu", "agent.device=gpu: must be auto or cpu"),
    "limits": ([1], "agent.limits=[1]: must be a list of 2 numbers"),
    "net_arch": ([64, 0], "agent.net_arch=[64, 0]: must be a list of integers, each at least 1"),
    "folder": ("", "agent.folder=: must be a path or null"),
    "kwargs": ([1], "agent.kwargs=[1]: must be a mapping"),
    "reward": (3, "agent.reward=3: must be a mapping of settings"),
    "hidden": (3, "agent.hidden=3: must be a list"),
    "id": (3, "agent.id=3: must be a word"),
    "plain": ("fast", "agent.plain=fast: must be a number"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_is_one_line_whoever_gives_it(name: str) -> None:
    value, said = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        Recipe(**{"id": "x", name: value})
    assert str(caught.value) == said
    with pytest.raises(ConfigError) as caught:
        read(Recipe, {"id": "x", name: value}, "experiment")
    assert str(caught.value) == said.replace("agent.", "experiment.", 1)


@pytest.mark.parametrize("value", [True, "1", 1.5, None, [1]])
def test_a_whole_number_is_no_truth_value_and_no_text(value: object) -> None:
    with pytest.raises(ConfigError, match=r"agent\.steps=.*: must be an integer of at least 1$"):
        made(steps=value)


@pytest.mark.parametrize("value", [True, "0.5", None, [0.5]])
def test_a_number_is_no_truth_value_and_no_text(value: object) -> None:
    with pytest.raises(ConfigError, match=r"agent\.gamma=.*: must be a number in \[0, 1\]$"):
        made(gamma=value)


def test_integers_lists_and_texts_become_what_was_declared() -> None:
    found = read(Recipe, {"id": "x", "gamma": 1, "limits": [0, 2], "net_arch": [8], "folder": "runs"}, "agent")
    assert isinstance(found.gamma, float)
    assert (found.limits, found.net_arch, found.folder) == ((0.0, 2.0), (8,), Path("runs"))
    assert made(limits=[0, 2]).limits == (0.0, 2.0)
    assert made(ceiling=float("inf")).ceiling == float("inf")


def test_a_number_beyond_64_bits_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be a number that fits in 64 bits"):
        made(plain=10**400)


def test_sections_within_sections_are_read_and_named() -> None:
    found = read(Recipe, {"id": "x", "reward": {"low": 0}, "hidden": [{"size": 3}, {}]}, "agent")
    assert found.reward == Reward(low=0.0)
    assert found.hidden == (Layer(3), Layer(10))
    with pytest.raises(ConfigError, match=r"^agent\.reward\.hihg=1: there is no such setting; did you mean high\?"):
        read(Recipe, {"id": "x", "reward": {"hihg": 1}}, "agent")
    with pytest.raises(ConfigError, match=r"^agent\.hidden\[1\]\.size=0: must be an integer of at least 1"):
        read(Recipe, {"id": "x", "hidden": [{}, {"size": 0}]}, "agent")


def test_what_two_settings_have_to_fulfil_is_named_by_the_section_it_is_read_from() -> None:
    with pytest.raises(ConfigError, match=r"^env\.reward\.low=2\.0: must be below high \(1\.0\)"):
        Reward(2, 1)
    with pytest.raises(ConfigError, match=r"^agent\.reward\.low=2\.0"):
        read(Recipe, {"id": "x", "reward": {"low": 2, "high": 1}}, "agent")


def test_a_setting_without_a_default_has_to_be_given() -> None:
    with pytest.raises(ConfigError, match=r"^agent\.id is missing: the id of an environment$"):
        read(Recipe, {}, "agent")


def test_an_unknown_setting_is_told_what_lies_near_or_has_come_in_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^agent\.gama=0\.9: there is no such setting; did you mean gamma\?"):
        read(Recipe, {"id": "x", "gama": 0.9}, "agent")

    @dataclass(frozen=True)
    class Exploring(Settings, section="agent"):
        entropy_coef: float = setting(0.0, "weight of entropy")

    with pytest.raises(ConfigError, match=r"^agent\.entropy=0\.1: there is no such .*; it is now agent\.entropy_coef$"):
        read(Exploring, {"entropy": 0.1}, "agent")


def test_a_class_that_overrides_a_default_inherits_range_and_help() -> None:
    @dataclass(frozen=True)
    class Shorter(Recipe):
        steps: int = 2
        scale: float = setting(0.5)

    assert Shorter("x").steps == 2
    for wrong in ({"steps": 0}, {"scale": 0.0}, {"gamma": 2.0}):
        with pytest.raises(ConfigError, match=f"agent.{next(iter(wrong))}="):
            Shorter("x", **wrong)  # type: ignore[arg-type]


def test_lists_and_mappings_are_not_shared() -> None:
    one, other = made(), made()
    one.kwargs["a"] = 1
    assert other.kwargs == {}


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"agent\.gamma=3"):
        replace(made(), gamma=3)


@dataclass(frozen=True)
class Ordinary:
    rate: float = 0.1
    size: int | None = None
    names: dict[str, int] = field(default_factory=dict)


def test_a_dataclass_of_somebody_else_has_its_types_checked() -> None:
    assert read(Ordinary, {"rate": 1, "size": 3}, "agent") == Ordinary(1.0, 3)
    for wrong in ({"rate": "fast"}, {"size": "large"}, {"names": 3}, {"raet": 1}):
        with pytest.raises(ConfigError, match=f"agent.{next(iter(wrong))}="):
            read(Ordinary, wrong, "agent")
