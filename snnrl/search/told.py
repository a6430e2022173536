"""What a person is told while a search goes on: a line for each trial that has ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from snnrl.output import lasting
from snnrl.search.carry_out import Ended
from snnrl.search.results import counts
from snnrl.search.space import Space

if TYPE_CHECKING:
    from optuna.study import Study


class Told:
    """Lines on standard error.

    Args:
        study: of the search.
        limit: how many trials it shall have.
        progress: ``none`` for no lines.
    """

    def __init__(self, study: Study, limit: int, progress: str) -> None:
        self._study, self._limit = study, limit
        self._stream = None if progress == "none" else lasting(sys.stderr)

    def begin(self, space: Space, fixed: Sequence[str], seeds: Sequence[int], out: Path) -> None:
        """What is searched, and what is not as the command line gives it."""
        if fixed:
            self._say(f"given, and so not searched: {', '.join(fixed)}")
        self._say(f"searched: {', '.join(space.ranges)}")
        self._say(
            f"study {self._study.study_name}: {self._limit} trials of {len(seeds)} "
            f"{'run' if len(seeds) == 1 else 'runs'} each, written to {out}; Ctrl-C saves and stops"
        )

    def ended(self, trial: Ended) -> None:
        """How a trial has ended."""
        found = counts(self._study)
        how = f"{trial.value:.4g}" if trial.value is not None else "pruned"
        if trial.failed:
            how = f"failed: {trial.failure[-1].removeprefix('error: ') if trial.failure else 'it printed nothing'}"
        best = "" if found.best is None else f"; best {found.best.value:.4g} (trial {found.best.number})"
        self._say(f"{found}, of {self._limit}; trial {trial.number} {how}{best}")

    def _say(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(f"{line}\n")
            self._stream.flush()
