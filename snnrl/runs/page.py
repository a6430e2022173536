"""What a person sees while many runs are carried out: one page in a terminal, lines in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from snnrl.output import lasting
from snnrl.runs.results import score
from snnrl.runs.work import Outcome, Run, State

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

INTERVAL = 30.0
"""Seconds between two plain lines while no run ends."""


class Page:
    """Progress of all runs, read from their folders, so that it does not matter who carries them out.

    In a terminal a bar for all and one for each that is under way; elsewhere a line for each that has ended.

    Args:
        runs: all of them.
        mode: ``bar``, ``plain``, ``none``, or ``auto``: a bar in a terminal.
        stream: where to print; standard error by default.
    """

    def __init__(self, runs: Sequence[Run], mode: str = "auto", stream: TextIO | None = None) -> None:
        self._stream = lasting(sys.stderr if stream is None else stream)
        self.mode = ("bar" if self._stream.isatty() else "plain") if mode == "auto" else mode
        self._count, self._done, self._failed = len(runs), 0, 0
        self._here, self._part = 0, 0.0
        self._began = self._told = time.monotonic()
        self._bar: RichProgress | None = None
        self._tasks: dict[Run, TaskID] = {}

    def __enter__(self) -> Page:
        if self.mode == "bar":
            self._bar = self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def look(self, under_way: Sequence[Run]) -> None:
        """Show how far the runs are that are under way."""
        self._part = sum(run.steps() / run.total for run in under_way if run.total)
        if self._bar is not None:
            self._draw(self._bar, under_way)
        elif self.mode == "plain" and time.monotonic() - self._told > INTERVAL:
            begun = [_far(run) for run in under_way if run.steps()]
            self._print(f"{self._line()}; under way, in per cent: {', '.join(begun) or 'none yet'}")

    def ended(self, outcome: Outcome) -> None:
        """Show how a run has ended."""
        self._done += 1
        self._failed += outcome.state is State.FAILED
        self._here += outcome.seconds > 0 and outcome.state is State.FINISHED
        if self.mode == "none" or (outcome.seconds == 0 and outcome.state is State.FINISHED):
            return
        said = _told(outcome)
        if self._bar is None:
            self._print(f"{self._line()}; {said}")
            return
        self._bar.console.print(said, markup=False, highlight=False, soft_wrap=True)
        self._bar.update(self._bar.task_ids[0], completed=self._done, description=self._line())
        if outcome.run in self._tasks:
            self._bar.remove_task(self._tasks.pop(outcome.run))
        self._bar.refresh()

    def _line(self) -> str:
        """``3 of 8 runs, 1 failed, about 5 minutes left``."""
        parts = [f"{self._done:,} of {self._count:,} runs"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        left, done = self._count - self._done - self._part, self._here + self._part
        if self._done < self._count and done > 0:
            minutes = (time.monotonic() - self._began) / done * max(left, 0) / 60
            parts.append(f"about {max(round(minutes), 1)} {'minute' if minutes < 1.5 else 'minutes'} left")
        return ", ".join(parts)

    def _print(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()
        self._told = time.monotonic()

    def _start(self) -> RichProgress:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
        console = Console(file=self._stream, force_terminal=True)
        bar = Progress(BarColumn(bar_width=24), text, console=console, auto_refresh=False)
        bar.add_task(self._line(), total=self._count, completed=self._done)
        bar.start()
        return bar

    def _draw(self, bar: RichProgress, under_way: Sequence[Run]) -> None:
        bar.update(bar.task_ids[0], completed=self._done, description=self._line())
        for run in under_way[:SHOWN]:
            if run not in self._tasks:
                self._tasks[run] = bar.add_task(run.name, total=run.total)
            bar.update(self._tasks[run], completed=run.steps())
        bar.refresh()


SHOWN = 20
"""Runs under way that have a bar of their own."""


def _far(run: Run) -> str:
    return f"{100 * run.steps() // run.total}" if run.total else f"{run.steps():,} steps"


def _told(outcome: Outcome) -> str:
    """What is said of a run that has ended."""
    name, found = outcome.run.name, score(outcome.run.summary())
    if outcome.state is State.FAILED:
        return f"{name} failed: {outcome.lines[-1] if outcome.lines else 'it printed nothing'}; see {outcome.run.log}"
    if outcome.state is State.STOPPED:
        return f"{name} stopped, saved"
    return f"{name} finished in {outcome.seconds:.0f} s{'' if found is None else f', {found:.4g}'}"
