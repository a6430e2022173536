"""Folders that results are written to: found unfit before hours are spent, and named where they fail later."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snnrl.errors import ConfigError, RunError

_TRIED = 4096
"""Bytes that a folder must have room for."""


def require_writable(folder: Path, setting: str) -> None:
    """Raise unless a file can be made in ``folder``, or in the nearest one above that is there.

    It is tried: permissions do not tell of a file system that is read-only or full, nor mean anything to root.

    Args:
        folder: that will be written to.
        setting: the name that the message gives to it.

    Raises:
        ConfigError: no file can be made.
    """
    try:
        nearest = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
        with tempfile.TemporaryFile(dir=nearest, buffering=0) as file:
            file.write(bytes(_TRIED))
    except OSError as error:
        raise ConfigError(
            f"{setting}={folder}: cannot be written to ({error.strerror}); must be a folder that can"
        ) from error


def make_folder(folder: Path, setting: str) -> None:
    """Make a folder, found fit to be written to.

    Args:
        folder: that is made where it is missing.
        setting: the name that the message gives to it.

    Raises:
        ConfigError: it cannot be made or written to.
    """
    require_writable(folder, setting)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{setting}={folder}: cannot be made ({error.strerror}); must be a folder") from error


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Around the writing of a result, which has been printed by then.

    Raises:
        RunError: the folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written to ({error.strerror or error}); nothing is kept there but what was before"
        ) from error
