"""Folders that results are written to: found unfit before hours are spent, and named where they fail later."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snnrl.errors import ConfigError, RunError


def require_writable(folder: Path, setting: str) -> None:
    """Raise unless a file can be made in ``folder``, or in the nearest one above that is there.

    It is tried: permissions do not tell of a file system that is read-only, nor mean anything to root.

    Args:
        folder: that will be written to.
        setting: the name that the message gives to it.

    Raises:
        ConfigError: no file can be made.
    """
    try:
        nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise ConfigError(
            f"{setting}={folder}: cannot be written to ({error.strerror}); must be a folder that can"
        ) from error


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
