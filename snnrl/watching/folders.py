"""Which runs there are to be looked at; read without torch, so that a wrong folder is told at once."""

from __future__ import annotations

from pathlib import Path

from snnrl.config import folder

MOST_RUNS = 100
"""Runs of a folder between which a page lets one choose, the newest ones."""


def runs_in(run: Path) -> dict[str, Path]:
    """The run itself, or the runs that lie in a folder, by their names.

    Raises:
        ConfigError: it is neither.
    """
    place = folder("run", run)
    if place.is_dir() and not (place / "config.yaml").exists():
        found = [path.parent for path in place.glob("*/config.yaml")]
        if found:
            newest = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[:MOST_RUNS]
            return {path.name: path for path in sorted(newest)}
    return {place.resolve().name: run}
