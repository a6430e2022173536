"""Parts made: the arguments of their constructors, checked as their signatures annotate them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import reduce
from operator import or_
from typing import TypeVar, get_args, get_type_hints, is_typeddict

from snnrl.errors import ConfigError, did_you_mean, one_line, shown
from snnrl.settings.constructor import accepted, is_open, missing, required
from snnrl.settings.declared import Declaration
from snnrl.settings.parts import Part
from snnrl.settings.reading import alternatives, typed
from snnrl.settings.registry import Registry
from snnrl.settings.values import Limits, once_per_class
from snnrl.types import Setting, Settings

T = TypeVar("T")

_PLAIN = (bool, int, float, str, list, tuple, Mapping, type(None))
"""Types of what a recipe can hold; what else a program gives is checked by whoever takes it."""


def build(registry: Registry[T], part: Part, setting: str, *arguments: object, **given: Setting) -> T:
    """Make what a recipe names.

    Args:
        registry: of its kind.
        part: name and settings, as read from the recipe.
        setting: where the recipe has it, with dots; error messages begin with it.
        *arguments: positional arguments of the constructor.
        **given: keyword arguments that are not the recipe's to set, such as ``dt`` or ``generator``; those that the
            constructor does not take are left out.

    Raises:
        ConfigError: an unknown name or setting, or whatever the constructor refuses, under the setting's full name.
    """
    kind = registry.find(part.name, part.at(setting))
    names = accepted(kind)
    for name, value in part.settings.items():
        if name in given:
            raise ConfigError(f"{setting}.{name}={shown(value)}: cannot be set here, it follows from other settings")
        if name not in names and not is_open(kind):
            own = [known for known in names if known not in given]
            raise ConfigError(
                f"{setting}.{name}={shown(value)}: {part.name} has no such setting; {did_you_mean(name, own)}"
            )
    check_arguments(part.settings, annotated(kind), setting)
    fitting = {name: value for name, value in given.items() if name in names}
    needed = required(kind)[len(arguments) :]
    if lacking := [name for name in needed if name not in fitting and name not in part.settings]:
        raise missing(setting, part.name, kind, lacking)
    make: Callable[..., T] = kind
    try:
        return make(*arguments, **fitting, **part.settings)
    except ConfigError as error:
        text = str(error)
        about = re.split(r"\W", text, maxsplit=1)[0] in {*names, *part.settings}.difference(given)
        raise ConfigError(f"{setting}{'.' if about else f'={part.name}: '}{text}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{setting}={part.name}: cannot be made ({one_line(error)})") from error


@once_per_class
def annotated(kind: type) -> Mapping[str, Declaration]:
    """The arguments of a class's constructor, and of those that it passes further ones on to, as they are annotated."""
    found: dict[str, Declaration] = {}
    for parent in kind.__mro__:
        if "__init__" in vars(parent):
            found = {**of_signature(vars(parent)["__init__"]), **found}
    return found


def of_signature(function: Callable[..., object]) -> dict[str, Declaration]:
    """The arguments of a function as they are annotated, the keys of ``**settings: Unpack[SomeTypedDict]`` among them.

    >>> def make(size: int, *, gain: float = 1.0): ...
    >>> {name: each.type for name, each in of_signature(make).items()}
    {'size': <class 'int'>, 'gain': <class 'float'>}
    """
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        hints = {}
    found: dict[str, Declaration] = {}
    for name, each in inspect.signature(function).parameters.items():
        unpacked = get_args(hints.get(name)) if each.kind is inspect.Parameter.VAR_KEYWORD else ()
        if unpacked and is_typeddict(unpacked[0]):
            found |= {key: _declared(key, hint) for key, hint in get_type_hints(unpacked[0]).items()}
        elif each.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY) and name in hints:
            found[name] = _declared(name, hints[name], each.default)
    return found


def _declared(name: str, hint: object, default: Setting = inspect.Parameter.empty) -> Declaration:
    """An argument; an object that a program alone can give, such as a dataclass, is nothing that a recipe may hold."""
    kinds = [kind for kind in alternatives(hint) if not is_dataclass(kind)]
    return Declaration(name, reduce(or_, kinds) if kinds else hint, default, "", Limits(finite=False), None, None)


def check_arguments(settings: Settings, known: Mapping[str, Declaration], section: str) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` for an argument of another type than is annotated, or that is NaN.

    Args:
        settings: from a recipe, by name; ranges are checked by whoever takes them.
        known: what is annotated; the others are left as they are.
        section: where the recipe has them, for error messages.
    """
    for name, value in settings.items():
        if name in known and isinstance(value, _PLAIN):
            typed(f"{section}.{name}", value, known[name])
