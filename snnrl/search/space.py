"""Search spaces: which settings are searched, in which ranges. Imports neither Optuna nor torch."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snnrl.config import check_values
from snnrl.errors import ConfigError, did_you_mean, require, shown
from snnrl.recipes import GROUPS, chosen_recipes, compose_run, recipe_folders
from snnrl.settings import Settings, is_number, is_whole, read, setting
from snnrl.textfiles import read_yaml
from snnrl.tuning import is_part
from snnrl.types import Setting
from snnrl.words import as_words, split

if TYPE_CHECKING:
    from optuna.trial import Trial

FOLDER = "spaces"
"""Beside recipes, the folder that holds their search spaces."""
NOT_SEARCHED = ("seed", "split", "eval", "run_dir", "resume", "logger", "progress", "wandb", "checkpoint", "video")
"""Settings on which the score of a trial depends in another way than by what is learned, or not at all."""


@dataclass(frozen=True)
class Range(Settings):
    """The values that a setting may have."""

    @abstractmethod
    def suggest(self, trial: Trial, name: str) -> Setting:
        """The value that a trial has, drawn where it has none yet."""

    @abstractmethod
    def ends(self) -> Sequence[Setting]:
        """Values of which all must be right if every value is."""

    @abstractmethod
    def stored(self, value: Setting) -> Setting:
        """A value as Optuna keeps it; ``None`` where it is not in the range."""


@dataclass(frozen=True, kw_only=True)
class Float(Range):
    """Numbers between two bounds, both included."""

    low: float = setting(help="the lowest value")
    high: float = setting(help="the highest value")
    log: bool = setting(False, "whether factors count rather than differences")
    start: float | None = setting(None, "what the first trial takes where the recipe has null")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_bounds(self, self.low, self.high, self.log)
        self.require(self.start is None or self.low <= self.start <= self.high, "start", "between low and high")

    def suggest(self, trial: Trial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def ends(self) -> Sequence[Setting]:
        return self.low, self.high

    def stored(self, value: Setting) -> Setting:
        value = self.start if value is None else value
        return float(value) if is_number(value) and self.low <= value <= self.high else None


@dataclass(frozen=True, kw_only=True)
class Int(Range):
    """Integers between two bounds, both included."""

    low: int = setting(help="the lowest value")
    high: int = setting(help="the highest value")
    step: int = setting(1, "between two values", at_least=1)
    log: bool = setting(False, "whether factors count rather than differences")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_bounds(self, self.low, self.high, self.log)
        self.require(not self.log or self.step == 1, "step", "left out with log: true")
        self.require((self.high - self.low) % self.step == 0, "step", f"a divisor of {self.high} - {self.low}")

    def suggest(self, trial: Trial, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def ends(self) -> Sequence[Setting]:
        return self.low, self.high

    def stored(self, value: Setting) -> Setting:
        fits = is_whole(value) and self.low <= value <= self.high and (value - self.low) % self.step == 0
        return int(value) if fits else None


@dataclass(frozen=True, kw_only=True)
class Categorical(Range):
    """One of a few values, of whatever kind a setting may have."""

    choices: tuple[Setting, ...] = setting(help="the values", expected="a list of at least two values")

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [_label(choice) for choice in self.choices]
        self.require(len(names) > 1, "choices", "a list of at least two values")
        self.require(len(set(names)) == len(names), "choices", "different values")

    def suggest(self, trial: Trial, name: str) -> Setting:
        return self.of_stored(trial.suggest_categorical(name, [_label(choice) for choice in self.choices]))

    def of_stored(self, label: Setting) -> Setting:
        """The choice that Optuna keeps under ``label``."""
        return self.choices[[_label(choice) for choice in self.choices].index(label)]

    def ends(self) -> Sequence[Setting]:
        return self.choices

    def stored(self, value: Setting) -> Setting:
        return _label(value) if _label(value) in [_label(choice) for choice in self.choices] else None


KINDS: Mapping[str, type[Range]] = {"float": Float, "int": Int, "categorical": Categorical}


def _check_bounds(given: Float | Int, low: float, high: float, log: bool) -> None:
    given.require(high > low, "high", f"above low, which is {low}")
    given.require(not log or low > 0, "low", "above 0 with log: true")


def _label(choice: Setting) -> str | int | float | bool | None:
    """A choice as Optuna keeps it: lists and mappings as text."""
    return choice if choice is None or isinstance(choice, (str, int, float, bool)) else json.dumps(choice)


@dataclass(frozen=True)
class Space:
    """Settings that are searched, each with its range, by their full names: ``agent.gamma``."""

    name: str
    ranges: Mapping[str, Range]

    def suggest(self, trial: Trial) -> dict[str, Setting]:
        """The values of a trial; those that it has already stay."""
        return {name: each.suggest(trial, name) for name, each in self.ranges.items()}

    def stored(self, settings: Settings | Mapping[str, Setting]) -> dict[str, Setting]:
        """Values that a run has already, of those that lie in their ranges, as Optuna keeps them."""
        assert isinstance(settings, Mapping)
        found = {name: each.stored(_at(settings, name)) for name, each in self.ranges.items()}
        return {name: value for name, value in found.items() if value is not None}

    def as_json(self) -> dict[str, Setting]:
        """The ranges as plain values."""
        return {name: asdict(each) for name, each in self.ranges.items()}

    def without(self, words: Sequence[str]) -> Space:
        """The space but for settings that the words of a command line give.

        Raises:
            ConfigError: nothing is left.
        """
        given = {split(word).key for word in words}
        kept = {
            name: each
            for name, each in self.ranges.items()
            if not any(f"{name}.".startswith(f"{key}.") for key in given - set(GROUPS))
        }
        require(bool(kept), "space", self.name, "one with a setting that the command line does not give itself")
        return Space(self.name, kept)

    def check(self, words: Sequence[str]) -> None:
        """Raise unless every setting is one of the run that ``words`` describe, and takes the ends of its range.

        Raises:
            ConfigError: as said, in the words of a run that is given such a value.
        """
        ends = {name: each.ends() for name, each in self.ranges.items()}
        together = [
            {name: values[min(place, len(values) - 1)] for name, values in ends.items()}
            for place in range(max(map(len, ends.values())))
        ]
        try:
            composed = [compose_run([*words, *as_words(values)]) for values in together]
            for settings in composed:
                check_values(settings)
            alone = [name for name in ends if is_part(composed[0], name)]
        except ConfigError:  # a setting that is wrong, or two ends that do not go together, as trials may find out
            alone = list(ends)
        for name in alone:
            for value in ends[name]:
                self._check_value(words, name, value)

    def _check_value(self, words: Sequence[str], name: str, value: Setting) -> None:
        """Raise unless a setting takes a value; what only a part's class knows is found out by making it."""
        try:
            settings = compose_run([*words, *as_words({name: value})])
            check_values(settings)
            if is_part(settings, name):
                from snnrl.loading import task_of

                task_of({**settings, "progress": "none", "run_dir": None}).close()
        except ConfigError as error:
            raise ConfigError(f"space={self.name}: {error}") from error


def _at(settings: Mapping[str, Setting], name: str) -> Setting:
    """The value of a dotted name; ``None`` where there is none."""
    place: Setting = settings
    for key in name.split("."):
        if isinstance(place, list) and key.isdecimal() and int(key) < len(place):
            place = place[int(key)]
        elif isinstance(place, Mapping):
            place = place.get(key)
        else:
            return None
    return place


def spaces() -> dict[str, Path]:
    """Every search space that lies beside the recipes, by name; a user's own come before those of snnrl."""
    found: dict[str, Path] = {}
    for group in ("agent", "experiment"):
        for folder in recipe_folders(group):
            for path in sorted((folder / FOLDER).glob("*.yaml")):
                found.setdefault(path.stem, path)
    return found


def find_space(asked: str | None, words: Sequence[str]) -> Space:
    """The space of this name or in this file, by default that of the recipes that a command line chooses.

    Args:
        asked: a name, or a path that ends in ``.yaml``.
        words: what runs are told.

    Raises:
        ConfigError: there is none, or it is no space.
    """
    known = spaces()
    if asked is not None:
        path = Path(asked).expanduser() if asked.endswith((".yaml", ".yml")) else known.get(asked)
        if path is None:
            raise ConfigError(f"space={shown(asked)}: there is no such space; {did_you_mean(asked, known)}")
        return read_space(path, asked)
    chosen = [name for group in ("agent", "experiment") for kind, name in chosen_recipes(words) if kind == group]
    name = next((name for name in reversed(chosen) if name in known), None)
    if name is None:
        raise ConfigError(
            f"space is missing: must be a YAML file or one of {', '.join(known)}, as {chosen[-1]} has none"
        )
    return read_space(known[name], name)


def read_space(path: Path, name: str) -> Space:
    """The space in a YAML file, ``agent.actor_lr: {type: float, low: 0.001, high: 0.1, log: true}`` a line.

    Args:
        path: of the file.
        name: that messages give to it.

    Raises:
        ConfigError: it cannot be read, or a range is wrong.
    """
    written = read_yaml(path, f"space={name}: {path}")
    return Space(name, {key: _range(f"space={name}: {key}", key, value) for key, value in written.items()})


def _range(section: str, key: str, written: Setting) -> Range:
    if key.partition(".")[0] in NOT_SEARCHED or key in GROUPS:
        raise ConfigError(f"{section}: must be left out, as it is a recipe, or changes how a trial is judged")
    if not isinstance(written, Mapping) or "type" not in written:
        raise ConfigError(
            f"{section}={shown(written)}: must be such as {{type: float, low: 0.001, high: 0.1, log: true}}"
        )
    kind = written["type"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(f"{section}.type={shown(kind)}: must be one of {', '.join(KINDS)}")
    return read(KINDS[kind], {name: value for name, value in written.items() if name != "type"}, section)
