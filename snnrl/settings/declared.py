"""Settings that are declared once, on the fields of a dataclass: type, default, range and help."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, field
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from snnrl.errors import shown
from snnrl.settings.registry import Registry
from snnrl.settings.values import Limits, once_per_class
from snnrl.types import Setting, Settings

_KEY = "snnrl"


class Declared(NamedTuple):
    """What :func:`setting` says besides the default."""

    help: str = ""
    limits: Limits = Limits()
    default_text: str | None = None
    registry: Registry[object] | None = None


class Declaration(NamedTuple):
    """All that is known of one setting."""

    name: str
    type: object
    """Its annotation; the type of its default where the annotation cannot be evaluated."""
    default: Setting
    """``MISSING`` where it has to be given."""
    help: str
    limits: Limits
    default_text: str | None
    """What ``--help`` says in place of the default."""
    registry: Registry[object] | None
    """Of a setting that names a part, where its name is looked up."""


def setting(
    default: Setting = MISSING,
    help: str = "",
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: Sequence[object] | None = None,
    check: Callable[[Setting], bool] | None = None,
    expected: str | None = None,
    finite: bool = True,
    default_text: str | None = None,
    registry: Registry[object] | None = None,
) -> Setting:
    """Declare a setting as the field of a frozen dataclass that is derived from :class:`Settings`.

    The field's annotation is its type: ``bool``, ``int``, ``float``, ``str``, ``Path``, ``Literal``, a tuple, list or
    dict of them, a dataclass of further settings, a :class:`~snnrl.settings.Part`, or one of several of these with
    ``|``, ``None`` among them. A class that overrides a default inherits help and limits.

    Args:
        default: its value unless given; without one it has to be given. Lists and dicts are copied for each instance.
        help: one line for ``--help`` and documents, with units.
        at_least: the lowest value; limits of a list hold for its entries.
        above: a value that all are above.
        at_most: the highest value.
        below: a value that all are below.
        choices: the only values.
        check: told a value of the right type, whether it may be.
        expected: what an error says that the value must be; needed with ``check``, else made of type and limits.
        finite: whether numbers have to be finite; NaN is never allowed.
        default_text: what ``--help`` says in place of the default.
        registry: of a :class:`~snnrl.settings.Part`, where its name is looked up; see :func:`~snnrl.settings.part`.
    """
    only = None if choices is None else tuple(choices)
    limits = Limits(at_least, above, at_most, below, only, check, expected, finite)
    metadata = {_KEY: Declared(help, limits, default_text, registry)}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@once_per_class
def declarations(config: type) -> Mapping[str, Declaration]:
    """What a dataclass declares, by the settings' names in their order."""
    try:
        hints = get_type_hints(config)
    except (NameError, TypeError, AttributeError):
        hints = {}
    found = {}
    for each in dataclasses.fields(config):
        default = each.default
        if default is MISSING and each.default_factory is not MISSING:
            default = each.default_factory()
        fallback = Any if default is None or default is MISSING else type(default)
        said = _said(config, each.name)
        found[each.name] = Declaration(each.name, hints.get(each.name, fallback), default, *said)
    return found


def entries_of(declared: Declaration) -> type | None:
    """The dataclass of which a list's entries are, where the setting is such a list."""
    inner = get_args(declared.type)[:1] if get_origin(declared.type) in (tuple, list) else ()
    if not inner or not isinstance(inner[0], type) or declared.registry is not None:
        return None
    return inner[0] if dataclasses.is_dataclass(inner[0]) else None


def changed_settings(config: type, given: Settings, limit: int) -> str:
    """Settings that are not as they would be by default, for a representation: ``, gamma=0.9, lr=0.1``.

    Args:
        config: that declares them.
        given: by name; sections of further settings are left out.
        limit: characters, after which they are cut.
    """
    known = declarations(config)
    flat = {name: given[name] for name in known if name in given and not isinstance(given[name], Mapping)}
    changed = [f", {name}={value!r}" for name, value in flat.items() if value != known[name].default]
    return shown("".join(changed), limit)


def _said(config: type, name: str) -> Declared:
    """What was declared of a setting, by a class or else by those that it is derived from."""
    help, limits, default_text, registry = "", Limits(), None, None
    for kind in config.__mro__:
        own = vars(kind).get("__dataclass_fields__", {}).get(name)
        said = own.metadata.get(_KEY) if own is not None else None
        if said is not None:
            help, limits = help or said.help, limits.merged(said.limits)
            default_text, registry = default_text or said.default_text, registry or said.registry
    return Declared(help, limits, default_text, registry)


def part(registry: Registry[object], default: Setting = MISSING, help: str = "") -> Setting:
    """Declare a setting that names a part: a neuron, a rule, a connection, an encoder.

    Its annotation is ``Part``, or ``Part | None`` where there need be none, or ``tuple[Part, ...]``. A recipe gives a
    name, or a mapping with ``name`` and the settings of the part's constructor; :func:`~snnrl.settings.build` makes it.

    Args:
        registry: where the name is looked up.
        default: a name, a mapping or ``None``; without one it has to be given.
        help: one line for ``--help`` and documents.
    """
    return setting(default, help, registry=registry)
