"""Parts that a recipe names: a neuron, a rule, an encoder, with the settings of their constructors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from snnrl.errors import ConfigError, did_you_mean, one_line, shown
from snnrl.settings.constructor import accepted, is_open, missing, required
from snnrl.settings.registry import Registry
from snnrl.settings.values import wrong
from snnrl.types import Setting, Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """What a recipe says of a part: ``lif``, or ``{name: lif, tau_mem: 10}``.

    Attributes:
        name: as its registry knows it, or ``module:Class``.
        settings: keyword arguments of its constructor.
    """

    name: str
    settings: Settings = field(default_factory=dict)

    def at(self, setting: str) -> str:
        """The full name of the setting that holds the part's name, the part being that of ``setting``."""
        return f"{setting}.name" if self.settings else setting


def read_part(setting: str, value: object, registry: Registry[object] | None = None) -> Part:
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
