"""Settings read from a recipe, or given in Python, and checked as they were declared."""

from __future__ import annotations

import os
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, is_dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, TypeGuard, TypeVar, Union, get_args, get_origin

from snnrl.errors import ConfigError, did_you_mean, require, shown
from snnrl.legacy import new_name
from snnrl.settings.declared import Declaration, declarations
from snnrl.settings.parts import Part, read_part
from snnrl.settings.registry import Registry
from snnrl.settings.values import field_values, is_number, is_whole, one_of, or_null, wrong
from snnrl.types import Setting

C = TypeVar("C")


class Configurable(Protocol):
    """What a section of a recipe names: a class whose settings are a dataclass."""

    Config: ClassVar[type]


D = TypeVar("D", bound=Configurable)


def read(config: type[C], mapping: object, section: str) -> C:
    """The settings that a section of a recipe holds.

    Args:
        config: a dataclass; one that is not derived from :class:`Settings` has the types of its fields checked.
        mapping: as read from YAML.
        section: its name, with dots, for error messages; empty at the top.

    Raises:
        ConfigError: a setting that is unknown, missing, of another type or out of range.
    """
    if isinstance(mapping, config):
        return mapping
    if not isinstance(mapping, Mapping):
        raise wrong(section, mapping, "a mapping of settings")
    known = declarations(config)
    for name, value in mapping.items():
        if name not in known:
            raise unknown(section, name, value, list(known))
    for name, declared in known.items():
        if name not in mapping and declared.default is MISSING:
            expected = declared.limits.expected
            what = declared.help or "the settings are not whole" if expected is None else f"must be {expected}"
            raise ConfigError(f"{at(section, name)} is missing: {what}")
    if not issubclass(config, Settings):
        return config(**_typed(config, mapping, section))
    made = config.__new__(config)
    object.__setattr__(made, "_section", section)
    config.__init__(made, **mapping)
    return made


class Settings:
    """Base of frozen dataclasses of settings, which checks type and range of every field as it was declared.

    Integers become floats and lists tuples where the annotation says so. What two fields have to fulfil together is
    checked in the subclass's own ``__post_init__``, after this one's, with :meth:`require`.

    >>> from dataclasses import dataclass
    >>> from snnrl.settings import read, setting
    >>> @dataclass(frozen=True)
    ... class LearnerConfig(Settings, section="agent"):
    ...     gamma: float = setting(0.98, "discount of rewards, for each environment step", at_least=0, at_most=1)
    >>> LearnerConfig(gamma=2)
    Traceback (most recent call last):
        ...
    snnrl.errors.ConfigError: agent.gamma=2: must be in [0, 1]
    >>> read(LearnerConfig, {"gama": 0.9}, "agent")
    Traceback (most recent call last):
        ...
    snnrl.errors.ConfigError: agent.gama=0.9: there is no such setting; did you mean gamma?

    Args:
        section: of the recipe in which the settings stand, with dots; error messages begin with it.
    """

    _section: ClassVar[str] = ""

    def __init_subclass__(cls, section: str | None = None, **others: object) -> None:
        super().__init_subclass__(**others)
        if section is not None:
            cls._section = section

    def __post_init__(self) -> None:
        for name, value in _typed(type(self), field_values(self), self._section).items():
            object.__setattr__(self, name, value)

    def require(self, condition: bool, name: str, expected: str) -> None:
        """Raise a ConfigError that names a setting, its value and what is expected, unless ``condition`` holds."""
        value = getattr(self, name)
        require(condition, at(self._section, name), list(value) if isinstance(value, tuple) else value, expected)


def read_named(registry: Registry[D], mapping: Mapping[str, Setting], section: str) -> tuple[type[D], object]:
    """The class that a section of a recipe names, and the section's other settings as the class's ``Config``.

    Args:
        registry: of the class's kind, whose classes have a ``Config``.
        mapping: the section, ``name`` among it.
        section: its name, for error messages.

    Raises:
        ConfigError: an unknown name, or a setting that is unknown, of another type or out of range.
    """
    if not isinstance(mapping, Mapping) or "name" not in mapping:
        raise wrong(section, mapping, "a recipe with a name")
    kind = registry.find(mapping["name"], f"{section}.name")
    return kind, read(kind.Config, {key: value for key, value in mapping.items() if key != "name"}, section)


def _typed(config: type, values: Mapping[str, Setting], section: str) -> dict[str, Setting]:
    """Values with the types that a dataclass declares."""
    known = declarations(config)
    return {name: typed(at(section, name), value, known[name]) for name, value in values.items()}


def typed(setting: str, value: object, declared: Declaration) -> Setting:
    """A value as its declaration wants it.

    Raises:
        ConfigError: it cannot be had.
    """
    kinds = alternatives(declared.type)
    if value is None and (type(None) in kinds or declared.default is None):
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    optional = len(kinds) < len(alternatives(declared.type))
    for kind in kinds:
        if _is_section(kind) and (len(kinds) == 1 or isinstance(value, Mapping)):
            return _section_of(kind, setting, value, declared)
    found = _UNFIT
    for kind in kinds:
        found = _fitted(kind, setting, value, declared)
        if found is not _UNFIT:
            break
    if found is _UNFIT:
        words = " or ".join(dict.fromkeys(_words(kind, declared) for kind in kinds))
        raise wrong(setting, value, or_null(words) if optional else words)
    for entry in _entries(found):
        if not declared.limits.hold(entry):
            raise wrong(setting, value, _range_words(kinds, declared, optional))
        if is_whole(entry) and not -(2**63) <= entry < 2**63 and declared.limits.expected is None:
            raise wrong(setting, value, "an integer that fits in 64 bits")
    return found


_UNFIT: object = object()


def _entries(value: Setting) -> Iterator[Setting]:
    """A value, or all entries of a list, of those within it too."""
    if isinstance(value, (tuple, list)):
        for entry in value:
            yield from _entries(entry)
    else:
        yield value


def alternatives(hint: object) -> tuple[object, ...]:
    """The types of which a value may have any."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _is_section(kind: object) -> TypeGuard[type]:
    return isinstance(kind, type) and (kind is Part or is_dataclass(kind))


def _section_of(kind: type, setting: str, value: object, declared: Declaration) -> Setting:
    """A part, or a dataclass of further settings."""
    return read_part(setting, value, declared.registry) if kind is Part else read(kind, value, setting)


def _fitted(kind: object, setting: str, value: Setting, declared: Declaration) -> Setting:
    """``value`` as one of the type ``kind``; :data:`_UNFIT` where it is none."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is bool:
        return value if isinstance(value, bool) else _UNFIT
    if kind is int:
        return int(value) if is_whole(value) else _UNFIT
    if kind is float:
        return _as_float(setting, value, declared)
    if kind is str:
        return value if isinstance(value, str) else _UNFIT
    if kind is Path:
        return _as_path(value)
    if origin is Literal:
        return value if value in arguments else _UNFIT
    if origin is tuple or kind is tuple:
        return _as_tuple(arguments, setting, value, declared)
    if origin is Collection and arguments == (str,) and isinstance(value, str):
        return value
    if origin in (list, Sequence, Collection) or kind is list:
        entries = _as_tuple((*arguments, ...), setting, value, declared)
        return entries if entries is _UNFIT else list(entries)
    if origin in (dict, Mapping) or kind in (dict, Mapping):
        return dict(value) if isinstance(value, Mapping) else _UNFIT
    if _is_array(kind):
        return value if isinstance(value, kind) or _are_numbers(value) else _UNFIT
    if kind is Setting or not isinstance(kind, type):
        return value
    return value if isinstance(value, kind) else _UNFIT


def _is_array(kind: object) -> TypeGuard[type]:
    """Whether a type is torch's or NumPy's array, neither of which is imported for it."""
    return isinstance(kind, type) and kind.__name__ in ("Tensor", "ndarray")


def _are_numbers(value: object) -> bool:
    """Whether a value is a number, or a list of numbers or of such lists."""
    return all(_are_numbers(each) for each in value) if isinstance(value, (list, tuple)) else is_number(value)


def _as_float(setting: str, value: Setting, declared: Declaration) -> Setting:
    if isinstance(value, float):
        return value
    if is_whole(value) and not is_number(value) and declared.limits.expected is None:
        raise wrong(setting, value, "a number that fits in 64 bits")
    return float(value) if is_number(value) else _UNFIT


def _as_path(value: object) -> Setting:
    """The path, ``~`` being the home folder; a folder may be called by a number."""
    is_text = isinstance(value, (str, Path)) or is_number(value)
    return Path(os.path.expanduser(str(value))) if is_text and str(value) != "" else _UNFIT


def _as_tuple(arguments: tuple[object, ...], setting: str, value: object, declared: Declaration) -> Setting:
    """A list as a tuple, each entry of its type; ``tuple`` alone holds whatever the default does."""
    if not isinstance(value, (list, tuple)):
        return _UNFIT
    if not arguments:
        return tuple(value)
    kinds = [arguments[0]] * len(value) if arguments[-1] is ... else arguments
    if len(kinds) != len(value):
        return _UNFIT
    entries = []
    for number, (kind, entry) in enumerate(zip(kinds, value, strict=True)):
        where = f"{setting}[{number}]"
        found = (
            _section_of(kind, where, entry, declared) if _is_section(kind) else _fitted(kind, where, entry, declared)
        )
        if found is _UNFIT:
            return _UNFIT
        entries.append(found)
    return tuple(entries)


def _words(kind: object, declared: Declaration) -> str:
    """What an error says that a value of a type must be."""
    origin, arguments = get_origin(kind), get_args(kind)
    if declared.limits.expected is not None:
        return declared.limits.expected
    if origin is Literal:
        return one_of(arguments)
    if origin in (tuple, list, Sequence, Collection) or kind in (tuple, list):
        return _list_words(arguments, declared)
    if _is_array(kind):
        return "a list of numbers"
    nouns: dict[object, str] = {
        bool: "true or false",
        int: "an integer",
        float: "a number",
        str: "a word",
        Path: "a path",
    }
    mapping = origin in (dict, Mapping) or kind in (dict, Mapping)
    noun = "a mapping" if mapping else nouns.get(kind, getattr(kind, "__name__", str(kind)))
    return declared.limits.of(noun) if kind in (int, float, str) else noun


def _list_words(arguments: tuple[object, ...], declared: Declaration) -> str:
    """``a list of 2 numbers``, ``a list of integers, each at least 1``."""
    plural: dict[object, str] = {int: "integers", float: "numbers", str: "words", bool: "true or false"}
    entries = [argument for argument in arguments if argument is not ...]
    if not entries or entries[0] not in plural:
        return "a list"
    count = "" if ... in arguments or len(entries) == 1 else f"{len(entries)} "
    limits = declared.limits
    words = limits.words() if limits.choices is None else one_of(limits.choices)
    return f"a list of {count}{plural[entries[0]]}{', each ' if words else ''}{words}"


def _range_words(kinds: tuple[object, ...], declared: Declaration, optional: bool) -> str:
    """What an error says that a value of the right type must be."""
    limits = declared.limits
    if kinds == (float,) and limits.expected is None and limits.choices is None:
        words = limits.words() or "finite"
    else:
        words = " or ".join(dict.fromkeys(_words(kind, declared) for kind in kinds))
    return or_null(words) if optional else words


def at(section: str, name: object) -> str:
    """The full name of a setting in a section, which may be the top.

    >>> at("agent", "gamma"), at("", "seed")
    ('agent.gamma', 'seed')
    """
    return f"{section}.{name}" if section else str(name)


def unknown(section: str, name: object, value: object, known: Sequence[str]) -> ConfigError:
    """The error of a setting that a section does not have; one by an old name is told the new.

    >>> str(unknown("agent", "urge", 3, ["exploration_bonus"]))
    'agent.urge=3: there is no such setting; it is now agent.exploration_bonus'
    """
    full = at(section, name)
    return ConfigError(f"{full}={shown(value)}: there is no such setting; {renamed(full) or did_you_mean(name, known)}")


def renamed(setting: str) -> str | None:
    """What an error says of a setting by a name that it had in an earlier version; ``None`` of any other name.

    >>> renamed("agent.urge")
    'it is now agent.exploration_bonus'
    """
    new = new_name(setting)
    return None if new is None else f"it is now {new}"
