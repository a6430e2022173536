"""From the words of a command line, some of which are several values, to one line of words for each combination."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice, product
from math import prod

from snnrl.errors import ConfigError, one_line, shown
from snnrl.recipes import GROUPS, recipe_names
from snnrl.words import TEXT, Word, as_text, split

MOST_RUNS = 1000
"""Runs that are started without being asked for twice."""
MOST_VALUES = 100_000
"""Values of one word, which are counted before they are looked at."""
NAMES = frozenset({"env.id", "agent.name", "learner.name", "dataset", "split", "device"})
"""Settings that are text and may be several values; in others, such as folders, a comma is a comma."""
OWN = {"run_dir": "out= says where runs are", "resume": "what was stopped in out= goes on by itself"}
"""What a run among many cannot be told."""
_NAME = re.compile(r"[^\w.=+,-]+")
_LONGEST = 120


@dataclass(frozen=True)
class Variant:
    """One combination of values.

    Attributes:
        words: of a command line, each with one value.
        labels: what was chosen of several values, by setting.
    """

    words: tuple[str, ...]
    labels: Mapping[str, str]


def variants(words: Sequence[str]) -> list[Variant]:
    """Every combination of the values that words have, in the grammar of Hydra's sweeps.

    >>> [each.words for each in variants(["env=CartPole,Acrobot", "agent.gamma=range(0.8,1.0,0.1)", "seed=3"])][:2]
    [('env=CartPole', 'agent.gamma=0.8', 'seed=3'), ('env=CartPole', 'agent.gamma=0.9', 'seed=3')]
    >>> [each.labels for each in variants(["env=glob(Cart*)", "env_steps=1000"])]
    [{'env': 'CartPole'}, {'env': 'CartPolePartial'}]

    Args:
        words: ``key=value``, where the value may be ``a,b``, ``choice(a,b)``, ``range(0,3)``, ``glob(a*)`` of recipes,
            and what Hydra makes of these, such as ``sort(...)``.

    Raises:
        ConfigError: a word that is no such thing, or one that no run among many can be told.
    """
    read = [split(word) for word in words]
    chosen = [_values(word) for word in read]
    several = [word.key for word, values in zip(read, chosen, strict=True) if len(values) > 1]
    for key in several:
        if several.count(key) > 1:
            raise ConfigError(f"{key}: is several values twice; must be one word")
    return [
        Variant(
            tuple(_word(word, value) for word, value in zip(read, values, strict=True)),
            {word.key: plain(value) for word, value in zip(read, values, strict=True) if word.key in several},
        )
        for values in product(*chosen)
    ]


def count(words: Sequence[str]) -> int:
    """How many combinations :func:`variants` makes."""
    return prod(len(_values(split(word))) for word in words)


def _word(word: Word, value: str) -> str:
    return f"{'+' if word.adds else ''}{word.key}={value}"


def _values(word: Word) -> list[str]:
    """The values of a word, each as it is written."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Glob
    from hydra.errors import HydraException

    if word.key in OWN:
        raise ConfigError(f"{shown(word.written)}: must be left out, {OWN[word.key]}")
    if word.key in TEXT and word.key not in NAMES:
        return [word.value]
    try:
        override = OverridesParser.create().parse_override(word.written)
        if not override.is_sweep_override():
            return [word.value]
        if override.is_interval_sweep():
            raise ConfigError(f"{shown(word.written)}: has no end of values; must be a list, range(...) or choice(...)")
        value = override.value()
        found = (
            _matching(word, value)
            if isinstance(value, Glob)
            else [
                each.lower() if each in ("True", "False") else each
                for each in map(str, islice(override.sweep_string_iterator(), MOST_VALUES + 1))
            ]
        )
    except (HydraException, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{shown(word.written)}: cannot be read ({one_line(error)}); must be key=value") from error
    if word.key in TEXT:  # which is taken as it is written
        found = [_unescaped(each) for each in found]
    if len(found) > MOST_VALUES:
        raise ConfigError(f"{shown(word.written)}: has more than {MOST_VALUES:,} values; must be fewer")
    repeated = next((each for each, times in Counter(found).items() if times > 1), None)
    if not found:
        raise ConfigError(f"{shown(word.written)}: is no value at all; must be at least one")
    if repeated is not None:
        raise ConfigError(f"{shown(word.written)}: has {shown(repeated)} twice; must be different values")
    return found


def _matching(word: Word, pattern: object) -> list[str]:
    from hydra.core.override_parser.types import Glob

    assert isinstance(pattern, Glob)
    if word.key not in GROUPS:
        raise ConfigError(f"{shown(word.written)}: must be a list, as glob(...) chooses among recipes of env or agent")
    known = recipe_names(word.key)
    found = list(pattern.filter(known))
    if not found:
        raise ConfigError(f"{shown(word.written)}: fits no recipe; there are: {', '.join(known)}")
    return found


def plain(value: str) -> str:
    """A value as one reads it, without quotes around it and without Hydra's escapes."""
    return as_text(_unescaped(value)) or value


def _unescaped(value: str) -> str:
    r"""A value without the backslashes that Hydra puts before what means something to it.

    >>> _unescaped(r"cuda\:1"), _unescaped(r"'a\:b'")
    ('cuda:1', "'a\\:b'")
    """
    return value if value[:1] in ("'", '"') else re.sub(r"\\(.)", r"\1", value)


def file_name(labels: Mapping[str, str]) -> str:
    """The name of a run's folder.

    >>> file_name({"env.id": "ALE/Pong-v5", "seed": "3"})
    'env.id=ALE-Pong-v5,seed=3'
    """
    name = ",".join(f"{key}={value}" for key, value in labels.items())
    found = _NAME.sub("-", name)
    return found if len(found) <= _LONGEST else f"{found[:_LONGEST]}-{digest([name])}"


def digest(words: Sequence[str]) -> str:
    """What tells one list of words from another, in eight letters."""
    return sha256("\n".join(words).encode()).hexdigest()[:8]


def title(command: str, words: Sequence[str]) -> str:
    """What runs of a command are called: the recipes that it names, and what tells them from others of the same.

    >>> title("sweep", ["env=CartPole,Acrobot", "agent.gamma=0.9,0.95"])
    'sweep-CartPole+Acrobot-2173920e'
    """
    return "-".join([command, *_chosen(words), digest(sorted(words))])


def _chosen(words: Sequence[str]) -> Iterator[str]:
    for word in map(split, words):
        if word.key in (*GROUPS, "env.id"):
            names = "+".join(plain(value).rpartition("/")[2] for value in _values(word))
            yield _NAME.sub("-", names)[:40]
