"""What evaluations while training found, read from the rows of a run."""

from __future__ import annotations

import json
from pathlib import Path

from snnrl.runs.results import ACCURACY, RETURN


def curve(folder: Path) -> list[float]:
    """The scores of a run's evaluations while training, in their order; none where there is no run yet.

    The evaluation at the end, after which there is no further row, is not among them.

    Args:
        folder: the run's.
    """
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    rows = [row for row in map(_row, lines) if row]
    last = max((row["step"] for row in rows), default=0)
    found = [_score(row) for row in rows if row["step"] < last]
    return [value for value in found if value is not None]


def _row(line: str) -> dict[str, float]:
    """A row by its names; nothing where a line is not whole."""
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else {}


def _score(row: dict[str, float]) -> float | None:
    for name, value in row.items():
        if (name == RETURN or name.rpartition("/")[2] == ACCURACY) and isinstance(value, int | float):
            return float(value)
    return None
