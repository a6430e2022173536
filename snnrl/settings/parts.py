"""Parts that a recipe names: a neuron, a rule, an encoder, with the settings of their constructors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_type_hints, is_typeddict

from snnrl.errors import ConfigError, did_you_mean, one_line, shown
from snnrl.settings.registry import Registry
from snnrl.settings.values import once_per_class, wrong

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """What a recipe says of a part: ``lif``, or ``{name: lif, tau_mem: 10}``.

    Attributes:
        name: as its registry knows it, or ``module:Class``.
        settings: keyword arguments of its constructor.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def at(self, setting: str) -> str:
        """The full name of the setting that holds the part's name, the part being that of ``setting``."""
        return f"{setting}.name" if self.settings else setting


def read_part(setting: str, value: Any, registry: Registry[Any] | None = None) -> Part:
    """The part that a recipe names, by a word or by a mapping with ``name``.

    Args:
        setting: its full name, for error messages.
        value: as read from YAML.
        registry: where the name is looked up, so that a misspelt one is found at once; ``None`` looks nowhere.

    Raises:
        ConfigError: neither of the two, or a name that is not known.
    """
    if isinstance(value, str):
        part = Part(value)
    elif isinstance(value, Mapping):
        if "name" not in value:
            raise ConfigError(f"{setting}.name is missing: it says which {registry.kind if registry else 'part'} it is")
        part = Part(value["name"], {str(key): entry for key, entry in value.items() if key != "name"})
    elif isinstance(value, Part):
        part = value
    else:
        kind = registry.kind if registry else "part"
        raise wrong(setting, value, f"the name of a {kind}, or a mapping with name and its settings")
    if registry is not None:
        registry.find(part.name, part.at(setting))
    return part


def build(registry: Registry[T], part: Part, setting: str, *arguments: Any, **given: Any) -> T:
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
        if name not in names and not _is_open(kind):
            own = [known for known in names if known not in given]
            raise ConfigError(
                f"{setting}.{name}={shown(value)}: {part.name} has no such setting; {did_you_mean(name, own)}"
            )
    fitting = {name: value for name, value in given.items() if name in names}
    for name in _required(kind)[len(arguments) :]:
        if name not in fitting and name not in part.settings:
            raise ConfigError(f"{setting}.{name} is missing: {part.name} has no default for it")
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


def _unpacked(constructor: Any, rest: str) -> tuple[str, ...]:
    """Keys of the TypedDict by which a constructor annotates its ``**rest``."""
    try:
        found = get_args(get_type_hints(constructor).get(rest))
    except (NameError, TypeError, AttributeError):
        return ()
    return tuple(found[0].__annotations__) if found and is_typeddict(found[0]) else ()


@once_per_class
def _required(kind: type) -> tuple[str, ...]:
    """Names of the arguments without a default that a constructor takes, in their order."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return tuple(each.name for each in parameters if each.default is each.empty and each.kind not in variable)


@once_per_class
def _is_open(kind: type) -> bool:
    """Whether a constructor passes on keywords that its signature does not name."""
    for each in inspect.signature(kind.__init__).parameters.values():  # type: ignore[misc]
        if each.kind is inspect.Parameter.VAR_KEYWORD:
            return not _unpacked(kind.__init__, each.name)  # type: ignore[misc]
    return False
