"""What ``--help`` and documents say of settings, taken from their declarations."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING

from snnrl.settings.declared import Declaration, declarations, entries_of
from snnrl.settings.parts import Part
from snnrl.settings.reading import Settings, at
from snnrl.settings.values import plain
from snnrl.types import Setting

WIDTH = 120


def help_text(
    config: type,
    section: str = "",
    values: Mapping[str, Setting] | None = None,
    *,
    column: int = 0,
    leave_out: Collection[str] = (),
) -> str:
    """A line for each setting: its name, what it is, its default and range; those first that must be given.

    >>> from dataclasses import dataclass
    >>> from snnrl.settings import setting
    >>> @dataclass(frozen=True)
    ... class Options(Settings):
    ...     run: str = setting(help="folder of a run")
    ...     episodes: int = setting(100, "full episodes to play", at_least=1)
    >>> print(help_text(Options))
      run       folder of a run
      episodes  full episodes to play (100; at least 1)

    Args:
        config: a dataclass of settings; sections within it are listed with their names, as ``eval.every``,
            and those of a list's entries as ``network.hidden[].size``.
        section: before each name, with dots.
        values: what to show in place of the defaults, such as a recipe's.
        column: where the helps begin at least, so that several lists stand under one another.
        leave_out: names of settings that are not listed.
    """
    entries = list(_entries(config, section, values or {}, leave_out))
    column = max([column, *(len(name) + 4 for name, _ in entries)])
    indent = " " * column
    return "\n".join(
        textwrap.fill(
            text, WIDTH, initial_indent=f"  {name}".ljust(column), subsequent_indent=indent, break_on_hyphens=False
        )
        or f"  {name}"
        for name, text in entries
    )


def _entries(
    config: type, section: str, values: Mapping[str, Setting], leave_out: Collection[str]
) -> Iterator[tuple[str, str]]:
    for name, declared in sorted(declarations(config).items(), key=lambda entry: entry[1].default is not MISSING):
        value = values.get(name, declared.default)
        if name in leave_out:
            continue
        if isinstance(declared.default, Settings):
            inner = value if isinstance(value, Mapping) else {}
            yield from _entries(type(declared.default), at(section, name), inner, ())
        else:
            default = "" if name not in values and declared.default_text else _shown(value)
            if value is None and "null" in declared.help and not declared.default_text:
                default = "null"
            remarks = [remark for remark in (default or declared.default_text, _range(declared)) if remark]
            brackets = f" ({'; '.join(remarks)})" if remarks else ""
            yield at(section, name), f"{declared.help}{_choices(declared)}{brackets}".strip()
            entry = entries_of(declared)
            if entry is not None:
                yield from _entries(entry, f"{at(section, name)}[]", {}, ())


def _choices(declared: Declaration) -> str:
    """The only values, where the help does not name them itself."""
    named = [plain(choice) for choice in declared.limits.choices or ()]
    return "" if all(name in declared.help for name in named) else f": {', '.join(named[:-1])} or {named[-1]}"


def _range(declared: Declaration) -> str:
    limits = declared.limits
    return limits.words() if limits.expected is None else ""


def _shown(value: object) -> str:
    """A default as a recipe writes it; nothing where there is none."""
    if value is MISSING or value is None or value in ({}, [], ()):
        return ""
    if isinstance(value, Part):
        value = {"name": value.name, **value.settings} if value.settings else value.name
    if isinstance(value, Mapping):
        given = ", ".join(f"{name}: {plain(each)}" for name, each in value.items() if each is not None)
        return f"{{{given}}}" if given else ""
    return plain(list(value) if isinstance(value, tuple) else value)
