"""What a result depends on besides its settings, and how sure it is."""

from __future__ import annotations

import json
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from snnrl.intervals import bootstrap_interval as bootstrap_interval
from snnrl.textfiles import write_text
from snnrl.types import Settings

_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_PACKAGES = ("snnrl", "torch", "torchvision", "gymnasium", "ale-py", "numpy")


Summary = Settings
"""What a run came to, by name; values as JSON has them."""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_commit(folder: Path | None = None) -> str | None:
    """The commit of the git repository that a folder lies in, if it does; files are read, git is not run.

    >>> git_commit(Path("/"))

    Args:
        folder: ``None`` is the one that the program works in.
    """
    try:
        here = Path.cwd() if folder is None else folder
        place = next((each / ".git" for each in (here, *here.parents) if (each / ".git").exists()), None)
        if place is None:
            return None
        if place.is_file():  # a work tree of its own, or a submodule
            place = (place.parent / place.read_text(encoding="utf-8").removeprefix("gitdir:").strip()).resolve()
        head = (place / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref:"):
            return head if _COMMIT.fullmatch(head) else None
        name = head.removeprefix("ref:").strip()
        common = place / "commondir"
        homes = [place, place / common.read_text(encoding="utf-8").strip()] if common.is_file() else [place]
        for home in homes:
            if (home / name).is_file():
                found = (home / name).read_text(encoding="utf-8").strip()
                return found if _COMMIT.fullmatch(found) else None
        for home in homes:
            if (home / "packed-refs").is_file():
                rows = [line.split() for line in (home / "packed-refs").read_text(encoding="utf-8").splitlines()]
                return next((row[0] for row in rows if row[1:] == [name] and _COMMIT.fullmatch(row[0])), None)
    except (OSError, ValueError):
        return None
    return None


def write_json(path: Path, content: Settings) -> None:
    """Write ``content`` so that a reader, or a run killed meanwhile, finds the old file or the whole new one."""
    write_text(path, json.dumps(content, indent=2) + "\n")
