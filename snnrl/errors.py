"""The one error that a user's setting can raise, and the one of a run that cannot go on."""

from __future__ import annotations

import difflib
import inspect
import re
from abc import ABCMeta
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Self


class ConfigError(ValueError):
    r"""A setting is wrong; the message names the setting, its value and what would be right.

    The commands print it as one line and leave with exit code 2. What a user typed, or a stranger's file says, is part
    of it, so whatever would break the line, move a terminal's cursor or not be text is written as an escape, and words
    of more than 1,000 characters are cut.

    >>> str(ConfigError("run_dir=a\nb: exists already"))
    'run_dir=a\\nb: exists already'
    """

    def __init__(self, message: str) -> None:
        super().__init__(_LONG.sub(r"\1…", printable(message)))


_LONG = re.compile(r"(\S{200})\S{800,}")


class UntrustedCodeError(ConfigError):
    """A run's folder names code outside snnrl, which nobody has allowed to run."""


class RunError(RuntimeError):
    """A run cannot go on, and no setting of snnrl's is to blame: an environment that breaks its word, say.

    The commands print it as one line and leave with exit code 1.
    """


def require(condition: bool, setting: str, value: object, expected: str) -> None:
    """Raise :class:`ConfigError` unless ``condition`` holds.

    >>> require(0 > 1, "num_envs", 0, "an integer of at least 1")
    Traceback (most recent call last):
        ...
    snnrl.errors.ConfigError: num_envs=0: must be an integer of at least 1
    """
    if not condition:
        raise ConfigError(f"{setting}={shown(value)}: must be {expected}")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Name what lies nearest to a misspelt word, or else everything there is.

    >>> did_you_mean("CartPloe", ["CartPole", "Pong"])
    'did you mean CartPole?'
    """
    known = sorted(map(str, set(known)))
    folded = {word.lower(): word for word in known}
    near = [folded[hit] for hit in difflib.get_close_matches(str(name)[:100].lower(), folded, n=3, cutoff=0.6)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are: {', '.join(known)}"


def refuse_unknown(cls: type, given: Mapping[str, Any], known: Iterable[str] = ()) -> None:
    """Raise :class:`ConfigError` for a keyword that the constructor of ``cls`` does not take.

    A constructor that takes any keyword is asked about none of them, unless ``known`` lists those that go through it.

    >>> class Layer:
    ...     def __init__(self, size, *, bias=True): ...
    >>> refuse_unknown(Layer, {"baias": False})
    Traceback (most recent call last):
        ...
    snnrl.errors.ConfigError: baias=False: Layer has no such setting; did you mean bias?
    """
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    known = list(known)
    if not known and any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    takes = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [parameter.name for parameter in parameters if parameter.kind in takes] + known
    for name, value in given.items():
        if name not in names:
            raise ConfigError(f"{name}={value}: {cls.__name__} has no such setting; {did_you_mean(name, names)}")


class KnownSettings:
    """Mixin of classes whose constructors refuse an unknown keyword as :func:`refuse_unknown` does."""

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        refuse_unknown(cls, settings)
        return super().__new__(cls)


class _Making(ABCMeta):
    """Marks what it makes as made, once every constructor is through."""

    def __call__(cls, *args: Any, **settings: Any) -> Any:
        made = super().__call__(*args, **settings)
        vars(made)["_made"] = True
        return made

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the constructor, which :func:`inspect.signature` would not find behind :meth:`__call__`."""
        whole = inspect.signature(cls.__init__)  # type: ignore[misc]
        return whole.replace(parameters=list(whole.parameters.values())[1:])


class FixedSettings(metaclass=_Making):
    """Mixin of classes that refuse to be assigned, once made, a setting of their constructor that would not count.

    That is one of :attr:`FIXED`, or one that is kept under no attribute of its name.
    """

    FIXED: ClassVar[tuple[str, ...]] = ()
    """Settings that are kept, but hold for good."""
    PASSED_ON: ClassVar[tuple[str, ...]] = ()
    """Settings that the constructor passes on and does not list."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _settings_of(type(self)) and "_made" in self.__dict__:
            parts = (self.__dict__, *(self.__dict__.get(part, {}) for part in ("_buffers", "_parameters", "_modules")))
            kept = any(name in part for part in parts) or isinstance(getattr(type(self), name, None), property)
            if name in self.FIXED or not kept:
                raise ConfigError(f"{name}={shown(value)}: cannot be changed, make a new {type(self).__name__}")
        super().__setattr__(name, value)


@cache
def _settings_of(cls: type[FixedSettings]) -> frozenset[str]:
    """Names of the settings of a class, besides ``self`` which no one assigns."""
    return frozenset([*inspect.signature(cls.__init__).parameters, *cls.PASSED_ON, *cls.FIXED])


def one_line(error: BaseException | str, limit: int = 200) -> str:
    r"""The gist of a message that may run over many lines.

    >>> one_line("too\n  long a word", limit=8)
    'too long…'
    """
    text = " ".join(str(error).split())
    return text if len(text) <= limit else f"{text[:limit]}…"


def printable(text: str) -> str:
    r"""``text`` with escapes for what would not be seen as it is: control characters, line breaks, lone surrogates.

    >>> printable("Ünï\t\udcff")
    'Ünï\\t\\udcff'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shown(value: object, limit: int = 200) -> str:
    """``value`` for a message, shortened where it is long.

    >>> shown([1] * 100, limit=10)
    '[1, 1, 1, …'
    """
    try:
        text = str(value)
    except (ValueError, RecursionError):
        text = f"a value too large to be shown ({type(value).__name__})"
    return text if len(text) <= limit else f"{text[:limit]}…"
