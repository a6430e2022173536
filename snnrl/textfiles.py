"""Text that is kept in files: always UTF-8, whatever the locale, and never anything but data when it is read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import yaml

from snnrl.errors import ConfigError, near, one_line, shown
from snnrl.types import Setting, Settings

DEEPEST = 120
"""Levels of nested settings that are read."""
LARGEST = 4_000_000
"""Bytes of the longest file of settings or results that is read."""


def read_text(path: Path, name: str) -> str:
    """What a small text file holds.

    Args:
        path: the file.
        name: what an error message calls it, such as ``run=runs/a: its config.yaml``.

    Raises:
        ConfigError: the file cannot be read, is longer than :data:`LARGEST`, or is not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name} cannot be read ({_reason(error)})") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{name} is damaged (longer than {LARGEST:,} bytes)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is damaged (not UTF-8: {one_line(error)})") from error


def read_json(path: Path, name: str) -> dict[str, Setting]:
    """The object in a JSON file.

    Args:
        path: the file.
        name: what an error message calls it.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        read = json.loads(read_text(path, name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{name} is damaged ({one_line(error)})") from error
    if not isinstance(read, dict):
        raise ConfigError(f"{name} is damaged (it holds no object)")
    return read


def read_yaml(path: Path, name: str, *, aliases: bool = False) -> dict[str, Setting]:
    """The settings in a YAML file, ``key: value`` a line.

    Args:
        path: the file.
        name: what an error message calls it.
        aliases: whether ``*name`` may stand for what ``&name`` marks; a few lines of them can stand for terabytes.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    text = read_text(path, name)
    try:
        read = parse_yaml(text, aliases=aliases)
    except ValueError as error:
        raise ConfigError(f"{name} is damaged ({one_line(error)})") from error
    if not isinstance(read, dict) or not read:
        raise ConfigError(f"{name} is damaged (it holds no settings, one `key: value` a line)")
    return {str(key): value for key, value in read.items()}


def parse_yaml(text: str, *, aliases: bool = False) -> Setting:
    """The plain value that a YAML text stands for: mappings, lists, text, numbers, true, false and null.

    ``1e-3`` is a number, as in YAML 1.2; a date is text; a repeated key and a tag are errors.

    Raises:
        ValueError: the text is not YAML, or nested too deeply.
    """
    try:
        return yaml.load(text, Loader=_AliasLoader if aliases else _Loader)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise ValueError(one_line(error)) from error


def write_yaml(path: Path, settings: Settings) -> None:
    """Write settings so that a reader, or a run killed meanwhile, finds the old file or the whole new one."""
    write_text(path, as_yaml(settings))


def as_yaml(settings: Settings) -> str:
    """Settings as YAML."""
    return str(yaml.dump(_plain(settings), Dumper=_Dumper, allow_unicode=True, sort_keys=False))


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a reader finds the old one or the whole new one."""
    with replacing(path) as file:
        file.write(text.encode())


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` once it is whole; links there are replaced, never followed."""
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.unlink(missing_ok=True)
    try:
        with open(unfinished, "xb") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML as data, without aliases."""

    def compose_node(self, parent: object, index: object) -> object:
        if not self._aliases and self.check_event(yaml.events.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken here")
        if self._depth == DEEPEST:
            raise yaml.composer.ComposerError(None, None, "nested too deeply")
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    _aliases = False
    _depth = 0

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Setting]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        repeated = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
        if repeated is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {repeated} stands there twice")
        return dict(super().construct_mapping(node, deep=deep))


class _AliasLoader(_Loader):
    """YAML as data."""

    _aliases = True


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Text is quoted where :class:`_Loader` would read something else."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_str(self, data: str) -> object:
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


_FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?$|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$|[-+]?\.[0-9][0-9_]*([eE][-+]?[0-9]+)?$"
    r"|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)
for _kind in (_Loader, _AliasLoader, _Dumper):
    _kind.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":float"))]
        for first, resolvers in _kind.yaml_implicit_resolvers.items()
    }
    _kind.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def usable(setting: str, path: Path) -> Path:
    """``path``, which need not exist, or a ConfigError if no file of this machine can have this name."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{setting}={shown(path)}: cannot be used ({_reason(error)}); must be another path"
        ) from error
    return path


def not_there(path: Path, kind: str) -> str:
    """What an error says of a path where nothing is, with what is called much like it beside it.

    Args:
        path: as a user named it.
        kind: what was looked for, such as ``folder``.
    """
    try:
        beside = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"there is no folder {shown(path.parent)}"
    hint = near(path.name, beside)
    return f"there is no such {kind}{'; ' if hint else ''}{hint.removesuffix('?')}"


def _plain(value: object) -> Setting:
    """Mappings and lists as YAML's own."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _reason(error: Exception) -> str:
    return (error.strerror or one_line(error)) if isinstance(error, OSError) else one_line(error)
