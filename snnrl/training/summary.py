"""What a result depends on besides its settings, and how sure it is."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from snnrl.intervals import bootstrap_interval as bootstrap_interval
from snnrl.textfiles import write_text
from snnrl.types import Settings

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


def write_json(path: Path, content: Settings) -> None:
    """Write ``content`` so that a reader, or a run killed meanwhile, finds the old file or the whole new one."""
    write_text(path, json.dumps(content, indent=2) + "\n")
