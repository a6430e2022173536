"""The one error that a user's setting can raise, and the one of a run that cannot go on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ConfigError(ValueError):
    """A setting is wrong; the message names the setting, its value and what would be right.

    The commands print it as one line and leave with exit code 2.
    """


class RunError(RuntimeError):
    """A run cannot go on, and no setting of snnrl's is to blame: an environment that breaks its word, say.

    The commands print it as one line and leave with exit code 1.
    """


def require(condition: bool, setting: str, value: Any, expected: str) -> None:
    """Raise :class:`ConfigError` unless ``condition`` holds.

    >>> require(0 > 1, "num_envs", 0, "an integer of at least 1")
    Traceback (most recent call last):
        ...
    snnrl.errors.ConfigError: num_envs=0: must be an integer of at least 1
    """
    if not condition:
        raise ConfigError(f"{setting}={value}: must be {expected}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Name what lies nearest to a misspelt word, or else everything there is.

    >>> did_you_mean("CartPloe", ["CartPole", "Pong"])
    'did you mean CartPole?'
    """
    known = sorted(set(known))
    folded = {word.lower(): word for word in known}
    near = [folded[hit] for hit in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are: {', '.join(known)}"


def one_line(error: BaseException | str, limit: int = 200) -> str:
    r"""The gist of a message that may run over many lines.

    >>> one_line("too\n  long a word", limit=8)
    'too long…'
    """
    text = " ".join(str(error).split())
    return text if len(text) <= limit else f"{text[:limit]}…"
