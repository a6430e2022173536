"""The one error that a user's setting can raise, and the one of a run that cannot go on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


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


def did_you_mean(name: object, known: Iterable[str], listed_by: str | None = None) -> str:
    """Name what lies nearest to a misspelt word, or else everything there is.

    >>> did_you_mean("CartPloe", ["CartPole", "Pong"])
    'did you mean CartPole?'
    >>> did_you_mean("x", ["CartPole", "Pong"], "python -m snnrl.train --help")
    'python -m snnrl.train --help lists all that there are'

    Args:
        name: the misspelt word.
        known: what there is.
        listed_by: a command that lists it, where it is too much for a message.
    """
    known = sorted(map(str, set(known)))
    hint = near(name, known)
    if listed_by is not None:
        return f"{hint} {listed_by} lists all that there are".lstrip()
    return hint or f"there are: {', '.join(known)}"


def near(name: object, known: Iterable[str], count: int = 3) -> str:
    """Name what lies nearest to a misspelt word, or nothing where all else is far.

    >>> near("CartPloe", ["CartPole", "Pong"]), near("x", ["CartPole", "Pong"])
    ('did you mean CartPole?', '')

    Args:
        name: the misspelt word.
        known: what there is.
        count: how many are named at most.
    """
    folded = {word.lower(): word for word in sorted(known)}
    hits = difflib.get_close_matches(str(name)[:100].lower(), folded, n=count, cutoff=0.6)
    return f"did you mean {' or '.join(folded[hit] for hit in hits)}?" if hits else ""


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
    """``value`` for a message, shortened where it is long; ``null``, ``true`` and ``false`` are YAML's words.

    >>> shown([1] * 100, limit=10)
    '[1, 1, 1, …'
    >>> shown(None), shown({"name": None, "sizes": [True]})
    ('null', "{'name': null, 'sizes': [true]}")
    """
    try:
        text = value if isinstance(value, str) else _as_yaml(value)
    except (ValueError, RecursionError):
        text = f"a value too large to be shown ({type(value).__name__})"
    return text if len(text) <= limit else f"{text[:limit]}…"


def _as_yaml(value: object) -> str:
    """Python's way to write a value, but for the words that YAML writes in another way."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if type(value) is dict:
        return f"{{{', '.join(f'{key!r}: {_entry(entry)}' for key, entry in value.items())}}}"
    if type(value) is list:
        return f"[{', '.join(map(_entry, value))}]"
    return str(value)


def _entry(value: object) -> str:
    return _as_yaml(value) if value is None or isinstance(value, (bool, dict, list)) else repr(value)
