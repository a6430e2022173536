"""Settings that are the keyword arguments of a constructor: which there are, and what becomes of any other."""

from __future__ import annotations

import inspect
import re
from abc import ABCMeta
from collections.abc import Iterable, Sequence
from functools import cache
from typing import ClassVar, Self, get_args, get_type_hints, is_typeddict

from snnrl.errors import ConfigError, did_you_mean, shown
from snnrl.settings.values import once_per_class
from snnrl.types import Setting, Settings


def refuse_unknown(kind: type, given: Settings, known: Iterable[str] | None = None) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` for a keyword that the constructor of a class does not take.

    >>> class Layer:
    ...     def __init__(self, size, *, bias=True): ...
    >>> refuse_unknown(Layer, {"baias": False})
    Traceback (most recent call last):
        ...
    snnrl.errors.ConfigError: baias=false: Layer has no such setting; did you mean bias?

    Args:
        kind: the class.
        given: what was given, by name.
        known: what it takes; ``None`` are the names of :func:`accepted`.
    """
    for name, value in given.items():
        names = list(accepted(kind) if known is None else known)
        if name not in names:
            raise ConfigError(
                f"{name}={shown(value)}: {kind.__name__} has no such setting; {did_you_mean(name, names)}"
            )


class KnownSettings:
    """Mixin of classes whose constructors refuse an unknown keyword as :func:`refuse_unknown` does.

    A constructor that takes any keyword is asked about none of them.
    """

    def __new__(cls, *args: object, **settings: object) -> Self:
        if not is_open(cls):
            refuse_unknown(cls, settings)
        return super().__new__(cls)


class _Making(ABCMeta):
    """Marks what it makes as made, once every constructor is through."""

    def __call__(cls, *args: object, **settings: Setting) -> object:
        made = super().__call__(*args, **settings)
        vars(made)["_made"] = True
        vars(made)["_chosen"] = _chosen(cls.__signature__, args, settings)
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

    def __setattr__(self, name: str, value: object) -> None:
        if name in _settings_of(type(self)) and "_made" in self.__dict__:
            parts = (self.__dict__, *(self.__dict__.get(part, {}) for part in ("_buffers", "_parameters", "_modules")))
            kept = any(name in part for part in parts) or isinstance(getattr(type(self), name, None), property)
            if name in self.FIXED or not kept:
                raise ConfigError(f"{name}={shown(value)}: cannot be changed, make a new {type(self).__name__}")
        super().__setattr__(name, value)

    def extra_repr(self) -> str:
        """The settings, as torch shows them within the representation of a module."""
        chosen: dict[str, Setting] = self.__dict__.get("_chosen", {})
        return settings_text({name: self.__dict__.get(name, value) for name, value in chosen.items()})


def settings_text(settings: Settings) -> str:
    """Settings in a line: numbers and words as they are, of arrays the shape; what is ``None`` or else is left out.

    >>> settings_text({"pre": 4, "norm": None, "bounds": (0.0, 1.0), "kind": "hard"})
    "pre=4, bounds=(0.0, 1.0), kind='hard'"
    """
    return ", ".join(f"{name}={text}" for name, value in settings.items() if (text := _text(value)))


def _text(value: object) -> str:
    plain = (bool, int, float, str)
    if isinstance(value, _Shape):
        return f"<{tuple(value)}>"
    if isinstance(value, plain) or (isinstance(value, tuple) and all(isinstance(each, plain) for each in value)):
        return repr(value)
    shape, number = getattr(value, "shape", None), getattr(value, "item", None)
    if shape is None or number is None:
        return ""
    return f"<{tuple(shape)}>" if len(shape) else f"{number():g}"


class _Shape(tuple[int, ...]):
    """The shape of an array that was given; the array itself is not kept."""


def _chosen(signature: inspect.Signature, args: tuple[object, ...], settings: Settings) -> dict[str, Setting]:
    """What a constructor was given or takes by default, by name, as far as it can be shown."""
    bound = signature.bind(*args, **settings)
    bound.apply_defaults()
    found: dict[str, Setting] = {}
    for name, value in bound.arguments.items():
        rest = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        found |= value if rest else {name: value}
    shapes = {name: _Shape(value.shape) for name, value in found.items() if hasattr(value, "shape")}
    return {name: value for name, value in {**found, **shapes}.items() if _text(value)}


@cache
def _settings_of(cls: type[FixedSettings]) -> frozenset[str]:
    """Names of the settings of a class, besides ``self`` which no one assigns."""
    return frozenset([*inspect.signature(cls.__init__).parameters, *cls.PASSED_ON, *cls.FIXED])


@once_per_class
def accepted(kind: type) -> tuple[str, ...]:
    """Names of the keyword arguments that a constructor takes, its own before those that it passes on.

    ``**settings: Unpack[SomeTypedDict]`` counts as the keys of the TypedDict; names in the class's ``LEFT_OUT`` do not.
    """
    names: dict[str, None] = {}
    for parent in kind.__mro__:
        if "__init__" not in vars(parent):
            continue
        parameters = list(inspect.signature(vars(parent)["__init__"]).parameters.values())[1:]
        takes = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        names |= {each.name: None for each in parameters if each.kind in takes}
        rest = [each for each in parameters if each.kind is inspect.Parameter.VAR_KEYWORD]
        unpacked = _unpacked(vars(parent)["__init__"], rest[0].name) if rest else ()
        names |= dict.fromkeys(unpacked)
        if not rest or unpacked:
            break
    return tuple(name for name in names if name not in getattr(kind, "LEFT_OUT", ()))


def _unpacked(constructor: object, rest: str) -> tuple[str, ...]:
    """Keys of the TypedDict by which a constructor annotates its ``**rest``."""
    try:
        found = get_args(get_type_hints(constructor).get(rest))
    except (NameError, TypeError, AttributeError):
        return ()
    return tuple(found[0].__annotations__) if found and is_typeddict(found[0]) else ()


@once_per_class
def is_open(kind: type) -> bool:
    """Whether a constructor passes on keywords that its signature does not name."""
    for each in inspect.signature(kind.__init__).parameters.values():  # type: ignore[misc]
        if each.kind is inspect.Parameter.VAR_KEYWORD:
            return not _unpacked(kind.__init__, each.name)  # type: ignore[misc]
    return False


def missing(setting: str, name: str, kind: type, lacking: Sequence[str]) -> ConfigError:
    """The error of a part whose settings lack some that have no default.

    Args:
        setting: where the recipe names the part, with dots.
        name: of the part, as the recipe has it.
        kind: its class.
        lacking: the settings.
    """
    values = [_example(kind, each) for each in lacking]
    given = [f"{setting}.{each}={value}" for each, value in zip(lacking, values, strict=True)]
    line = " ".join([f"{setting}={name}", *given])
    hint = f", such as {line}" if all(values) and "[" not in setting else ""
    return ConfigError(f"{setting}.{lacking[0]} is missing: {name} has no default for it{hint}")


def _example(kind: type, name: str) -> str:
    """A number for a setting of a constructor, where its annotation asks for one."""
    parameter = inspect.signature(kind.__init__).parameters.get(name)  # type: ignore[misc]
    words = set() if parameter is None else set(re.findall(r"\w+", str(parameter.annotation)))
    return "0.1" if "float" in words else "2" if "int" in words else ""


@once_per_class
def required(kind: type) -> tuple[str, ...]:
    """Names of the arguments without a default that a constructor takes, in their order."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return tuple(each.name for each in parameters if each.default is each.empty and each.kind not in variable)
