"""Parts that a recipe names: a neuron, a rule, an encoder, with the settings of their constructors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from snnrl.errors import ConfigError
from snnrl.settings.registry import Registry
from snnrl.settings.values import wrong
from snnrl.types import Settings


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
