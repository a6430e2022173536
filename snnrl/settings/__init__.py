"""Settings: what recipes name (:class:`Registry`), and what they set (:class:`Settings`), each declared once.

A new neuron, rule, connection, encoder, decoder, agent or learner is one file with a class below :func:`register`. The
settings of an agent or a learner are a frozen dataclass derived from :class:`Settings`, each field a :func:`setting`.
Parts of them that are classes of their own, such as a neuron, are a :func:`part` and are made by :func:`build`.
"""

from snnrl.settings.building import annotated, build, check_arguments, of_signature
from snnrl.settings.constructor import (
    FixedSettings,
    KnownSettings,
    accepted,
    missing,
    refuse_unknown,
    required,
    settings_text,
)
from snnrl.settings.declared import Declaration, changed_settings, declarations, part, setting
from snnrl.settings.help import help_text
from snnrl.settings.parts import Part, read_part
from snnrl.settings.reading import Settings, at, read, read_named, renamed, unknown
from snnrl.settings.registry import CLASS, Registry, is_imported, register
from snnrl.settings.values import Limits, is_number, is_whole, one_of, require_whole, wrong

__all__ = [
    "CLASS",
    "Declaration",
    "FixedSettings",
    "KnownSettings",
    "Limits",
    "Part",
    "Registry",
    "Settings",
    "accepted",
    "annotated",
    "at",
    "build",
    "changed_settings",
    "check_arguments",
    "declarations",
    "help_text",
    "is_imported",
    "is_number",
    "is_whole",
    "missing",
    "of_signature",
    "one_of",
    "part",
    "read",
    "read_named",
    "read_part",
    "refuse_unknown",
    "register",
    "renamed",
    "require_whole",
    "required",
    "setting",
    "settings_text",
    "unknown",
    "wrong",
]
