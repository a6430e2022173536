"""Settings: what recipes name (:class:`Registry`), and what they set (:class:`Settings`), each declared once.

A new neuron, rule, connection, encoder, decoder, agent or learner is one file with a class below :func:`named`. The
settings of an agent or a learner are a frozen dataclass derived from :class:`Settings`, each field a :func:`setting`.
Parts of them that are classes of their own, such as a neuron, are a :func:`part` and are made by :func:`build`.
"""

from snnrl.settings.declared import Declaration, declarations, part, setting
from snnrl.settings.parts import Part, accepted, build, read_part
from snnrl.settings.reading import Settings, at, read, unknown
from snnrl.settings.registry import CLASS, Registry, is_imported, named
from snnrl.settings.values import Limits, is_number, is_whole, one_of, require_whole, wrong

__all__ = [
    "CLASS",
    "Declaration",
    "Limits",
    "Part",
    "Registry",
    "Settings",
    "accepted",
    "at",
    "build",
    "declarations",
    "is_imported",
    "is_number",
    "is_whole",
    "named",
    "one_of",
    "part",
    "read",
    "read_part",
    "require_whole",
    "setting",
    "unknown",
    "wrong",
]
