"""What a value of a setting has to be: its type, its range, and the words that an error uses for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from typing import Any, TypeVar

from snnrl.errors import ConfigError, require, shown
from snnrl.types import Setting, Settings

R = TypeVar("R")


def once_per_class(find: Callable[[type], R]) -> Callable[[type], R]:
    """A function of a class that remembers what it has found."""
    return cache(find)


def is_whole(value: object, at_least: float = -math.inf) -> bool:
    """Whether ``value`` is an integer of Python or NumPy, not a truth value, and not below ``at_least``.

    >>> is_whole(3, 1), is_whole(True), is_whole(0, 1), is_whole(3.0)
    (True, False, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= at_least


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite number of Python or NumPy that fits in 64 bits, and not a truth value.

    >>> is_number(3), is_number(0.5), is_number(True), is_number(float("nan"))
    (True, True, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def require_whole(setting: str, value: object, at_least: int = 1) -> None:
    """Raise a ConfigError unless ``value`` is an integer of at least ``at_least``.

    >>> require_whole("steps", 0)
    Traceback (most recent call last):
        ...
    snnrl.errors.ConfigError: steps=0: must be an integer of at least 1
    """
    require(is_whole(value, at_least), setting, value, f"an integer of at least {at_least}")


@dataclass(frozen=True)
class Limits:
    """Which values of its type a setting may have; what is ``None`` sets no limit.

    Those of a list hold for each of its entries.

    Attributes:
        at_least: the lowest value.
        above: a value that all are above.
        at_most: the highest value.
        below: a value that all are below.
        choices: the only values.
        check: told a value, whether it may be.
        expected: what an error says of ``check``, or in place of the words made of the limits.
        finite: whether numbers have to be finite.
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: tuple[object, ...] | None = None
    check: Callable[[Setting], bool] | None = None
    expected: str | None = None
    finite: bool = True

    def hold(self, value: Setting) -> bool:
        """Whether ``value``, of the right type, is within the limits."""
        if isinstance(value, float) and not math.isfinite(value) and (self.finite or math.isnan(value)):
            return False
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
            and (self.choices is None or value in self.choices)
            and (self.check is None or self.check(value))
        )

    def words(self) -> str:
        """What an error says of a number beyond the limits; empty where there are none.

        >>> Limits(at_least=0, below=1).words(), Limits(at_least=0, at_most=1).words(), Limits(above=0).words()
        ('at least 0 and below 1', 'in [0, 1]', 'above 0')
        """
        if self.at_least is not None and self.at_most is not None:
            return f"in [{plain(self.at_least)}, {plain(self.at_most)}]"
        low = [("at least", self.at_least), ("above", self.above)]
        parts = [*low, ("at most", self.at_most), ("below", self.below)]
        return " and ".join(f"{word} {plain(end)}" for word, end in parts if end is not None)

    def of(self, noun: str) -> str:
        """What an error says should have come: ``noun`` within the limits.

        >>> Limits(at_least=1).of("an integer"), Limits(above=0).of("a number"), Limits(choices=("a", "b")).of("a word")
        ('an integer of at least 1', 'a number above 0', 'a or b')
        """
        if self.expected is not None:
            return self.expected
        if self.choices is not None:
            return one_of(self.choices)
        words = self.words()
        return f"{noun}{' of ' if words.startswith('at ') else ' ' if words else ''}{words}"

    def merged(self, inherited: Limits) -> Limits:
        """With the limits of ``inherited`` where this one sets none at all."""
        return inherited if self == Limits() else self


def one_of(choices: Sequence[object]) -> str:
    """A choice in words.

    >>> one_of(["td", "shuffled"]), one_of(["auto", "bar", "none"])
    ('td or shuffled', 'one of auto, bar, none')
    """
    named = [plain(choice) for choice in choices]
    return " or ".join(named) if len(named) < 3 else f"one of {', '.join(named)}"


def or_null(words: str) -> str:
    """``words`` for a setting that may also be left empty.

    >>> or_null("an integer of at least 1"), or_null("a path")
    ('an integer of at least 1, or null', 'a path or null')
    """
    return f"{words}, or null" if " of " in words or ", " in words else f"{words} or null"


def wrong(setting: str, value: object, expected: str) -> ConfigError:
    """The error of a value that is not what was expected."""
    return ConfigError(f"{setting}={shown(value)}: must be {expected}")


def field_values(settings: Any) -> Settings:
    """Values of a dataclass's fields by name; nothing is copied."""
    return {each.name: getattr(settings, each.name) for each in fields(settings)}


def plain(value: object) -> str:
    """A value as a recipe writes it: a number without ``.0`` behind it, ``null`` and ``true`` in small letters.

    >>> plain(1.0), plain(None), plain(True), plain("auto")
    ('1', 'null', 'true', 'auto')
    """
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return f"{value:g}" if isinstance(value, float) else str(value)
