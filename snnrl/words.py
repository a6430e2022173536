"""The words of a command line: which setting each is of, and which are text and nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import NamedTuple

from snnrl.errors import ConfigError, require, shown
from snnrl.textfiles import parse_yaml
from snnrl.types import Setting, Settings

TEXT = frozenset(
    {
        *("logger", "run_dir", "resume", "device", "progress", "data_dir", "dataset", "split"),
        *("env.id", "agent.name", "learner.name"),
        *("wandb.project", "wandb.name", "wandb.group"),
    }
)
"""Settings of a run whose values are text: commas, backslashes, digits and ``${`` in them mean nothing further."""


class Word(NamedTuple):
    """``key=value``."""

    written: str
    """As it was typed."""
    key: str
    value: str
    adds: bool = False
    """Whether it begins with ``+``, which adds a setting."""


@dataclass(frozen=True)
class Words:
    """A command line, read."""

    choices: Mapping[str, str | None]
    """The recipe chosen for each group; ``None`` is none."""
    texts: Mapping[str, str | None]
    """Values of settings that are text; ``None`` is ``null``."""
    settings: Sequence[Word]
    """What is left, in Hydra's grammar."""
    all: Sequence[Word] = field(default_factory=list)
    """Every word, in order."""

    def under(self, section: str, keys: Collection[str]) -> Words:
        """With ``section.`` before the given keys."""

        def moved(word: Word) -> Word:
            if word.key not in keys:
                return word
            return word._replace(written=f"{section}.{word.written}", key=f"{section}.{word.key}")

        return replace(self, settings=[moved(word) for word in self.settings], all=[moved(word) for word in self.all])

    def put_texts(self, settings: dict[str, Setting]) -> None:
        """Set in ``settings`` what is text; it never passes through Hydra."""
        for key, value in self.texts.items():
            put(settings, key, value)


def read_line(words: Iterable[str], groups: Collection[str]) -> Words:
    """Sort the words of a command line.

    Args:
        words: as typed.
        groups: keys that choose a recipe.

    Raises:
        ConfigError: a word that is not ``key=value``, deletes a setting, or asks for more than one value.
    """
    choices: dict[str, str | None] = {}
    texts: dict[str, str | None] = {}
    read = [split(word) for word in words]
    settings = []
    for word in read:
        if word.key in groups:
            choices[word.key] = _one_recipe(word)
        elif word.key in TEXT:
            texts[word.key] = as_text(word.value)
        else:
            check_grammar(word)
            settings.append(word)
    _check_braces(settings)
    return Words(choices, texts, settings, read)


_QUOTES = "must be in quotes as a whole, such as 'agent.encoder={name: population, width: 0.5}'"
_PIECE = re.compile(r"\[?\w+:[^:]*")
"""What a shell leaves of a value in braces: ``{a:1,b:2}`` becomes two words, with ``a:1`` and ``b:2``."""


def _check_braces(words: Sequence[Word]) -> None:
    """Raise a ConfigError where a shell seems to have taken a value in braces apart."""
    pieces = [word.key for word in words if _PIECE.fullmatch(word.value)]
    for word in words:
        if pieces.count(word.key) > 1:
            raise ConfigError(
                f"{shown(word.written)}: is a piece of a value in braces, which a shell expands; {_QUOTES}"
            )


def split(word: str) -> Word:
    """``key=value`` in its parts.

    Raises:
        ConfigError: the word is something else.
    """
    check_text(word)
    key, equals, value = word.partition("=")
    if key.startswith("~"):
        raise ConfigError(f"{shown(word)}: a setting cannot be left out; must be key=value")
    if not equals and word[-1:] in (",", ":", "}", "]"):
        raise ConfigError(f"{shown(word)}: is a piece of a value with spaces; {_QUOTES}")
    if word in ("-m", "--multirun"):
        raise ConfigError(f"{word}: must be left out; {_SWEEP}")
    if not equals or not key.strip("+") or key.startswith("-"):
        raise ConfigError(f"{shown(word)}: must be key=value, such as env=CartPole or env_steps=80000")
    return Word(word, key.lstrip("+"), value, key.startswith("+"))


_SWEEP = "python -m snnrl.sweep makes a run of each value"


def check_text(word: str) -> None:
    """Raise a ConfigError unless a word is text, which can be written as UTF-8."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{shown(word)}: holds bytes that are no text; must be UTF-8") from None


def as_text(value: str) -> str | None:
    r"""A value that is text: quotes around it are not part of it, and ``null`` alone is nothing.

    >>> as_text("'a run'"), as_text(r"a\b"), as_text("null"), as_text("'null'")
    ('a run', 'a\\b', None, 'null')
    """
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return None if value == "null" else value


def quoted(text: str) -> str:
    """``text`` as a quoted value in Hydra's grammar."""
    escaped = text.replace("'", "\\'")
    return f"'{escaped}'"


def check_grammar(word: Word) -> None:
    """Raise a ConfigError unless a word is one value of one setting in Hydra's grammar."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        override = OverridesParser.create().parse_override(word.written)
        plain = not override.is_delete() and override.package is None
        sweeps = override.is_sweep_override()
    except (HydraException, ValueError, RecursionError) as error:
        kind = "with fewer digits" if isinstance(error, ValueError) else "in quotes where it holds special characters"
        depth = "not nested so deeply" if isinstance(error, RecursionError) else kind
        raise ConfigError(f"{shown(word.written)}: cannot be read; must be key=value, the value {depth}") from error
    if sweeps:
        raise ConfigError(f"{shown(word.written)}: is several values; must be one, or a list such as [1, 2]; {_SWEEP}")
    if not plain:
        raise ConfigError(f"{shown(word.written)}: must be key=value, such as env_steps=80000")


def value_of(word: Word) -> Setting:
    """The value of a word in Hydra's grammar."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_override(word.written).value()


def as_words(settings: Settings, prefix: str = "") -> list[str]:
    """Settings of a program as the words of a command line; those of a section stand under its name.

    A part that is named, such as a neuron, is one word, which takes the place of the part as a whole.

    >>> as_words({"env_steps": 1000, "eval": {"every": None}, "device": "cpu"})
    ['env_steps=1000', 'eval.every=null', "device='cpu'"]
    >>> as_words({"agent.network.hidden": [{"size": 20, "neuron": {"name": "lif", "tau_mem": 5.0}}]})
    ["agent.network.hidden=[{size:20,neuron:{name:'lif',tau_mem:5.0}}]"]
    """
    words = []
    for name, value in settings.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and not ("." in key and "name" in value):
            words += as_words(value, f"{key}.")
        else:
            words.append(f"{key}={_written(value, key in TEXT)}")
    return words


def _written(value: object, text: bool) -> str:
    """A value in Hydra's grammar."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if text or isinstance(value, (str, PurePath)):
        return f"'{value}'" if text else quoted(str(value))
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_key(key)}:{_written(entry, False)}' for key, entry in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_written(entry, False) for entry in value)}]"
    return str(value)


def _key(name: object) -> str:
    """The name of a setting within a value; Hydra's grammar has no quotes around it."""
    text = str(name)
    require(text.isidentifier(), "setting", text, "a name of letters, digits and underscores")
    return text


def read_words(words: Sequence[str], as_written: Collection[str] = ()) -> dict[str, Setting]:
    """``key=value`` words as nested settings; values are YAML, except those of the keys ``as_written``, which are text.

    Raises:
        ConfigError: a word that is something else, or a value that is not valid YAML.
    """
    given: dict[str, Setting] = {}
    for written in words:
        word = split(written)
        try:
            value = as_text(word.value) if word.key in as_written else parse_yaml(word.value)
        except ValueError as error:
            raise ConfigError(f"{shown(written)}: is not valid YAML ({error})") from error
        put(given, word.key, value)
    return given


def put(settings: dict[str, Setting], key: str, value: object) -> None:
    """Set the value of a dotted key in nested settings."""
    *sections, name = key.split(".")
    place = settings
    for section in sections:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{key}={shown(value)}: {section} is {shown(inner)}; must be a mapping of settings")
        place = inner
    place[name] = value


def merge(settings: Settings, changes: Settings) -> dict[str, Setting]:
    """Nested settings with what ``changes`` has in their place; a section keeps what is not changed."""
    merged = dict(settings)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _one_recipe(word: Word) -> str | None:
    name = as_text(word.value)
    if name is not None and ("," in name or name[:1] in ("[", "{")):
        raise ConfigError(f"{shown(word.written)}: must be the name of one recipe; {_SWEEP}")
    return name
