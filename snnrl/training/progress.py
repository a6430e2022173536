"""What a person sees while training runs: a live bar in a terminal, a line now and then in a log file."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from snnrl.errors import require
from snnrl.output import lasting

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress


_RATE_WINDOW_SECONDS = 60.0
_SAMPLE_SECONDS = 1.0
_REDRAW_SECONDS = 0.2
_FIRST_LINE_SECONDS = 1.0


class Progress:
    """Steps, their rate, the time left and a score, while training runs.

    The rate is that of the last minute, so that the time left follows a run which changes pace; the last line
    gives the rate since ``start``; steps before it were taken before a resume and count in no rate.
    A terminal that goes away ends no run: what it cannot show is dropped.
    The bar is drawn from :meth:`update`, not from a thread: environments fork workers, and a fork beside a thread can
    hang.

    Args:
        total: the steps of the whole run.
        start: how far the run is already; above 0 after a resume.
        mode: ``"auto"`` is ``"bar"`` on a terminal and ``"plain"`` elsewhere; ``"none"`` prints nothing at all.
        stream: where to print; standard error by default.
        interval_seconds: the time between two plain lines.
        clock: seconds that only grow.
        unit: the word for the steps; its last word stands in the rate.
        score: how the line shows the number of :meth:`update`.
    """

    def __init__(
        self,
        total: int,
        start: int = 0,
        mode: str = "auto",
        stream: TextIO | None = None,
        interval_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        unit: str = "env steps",
        score: str = "return {:.1f}",
    ) -> None:
        require(mode in ("auto", "bar", "plain", "none"), "progress", mode, "auto, bar, plain or none")
        self._stream = lasting(sys.stderr if stream is None else stream)
        if mode == "auto":
            mode = "bar" if self._stream.isatty() and os.environ.get("TERM") != "dumb" else "plain"
        self.mode = mode
        self._total = total
        self._start = start
        self._interval = interval_seconds
        self._unit, self._score = unit, score
        self._clock = clock
        self._bar: RichProgress | None = None
        self._steps = start
        self._recent: float | None = None
        self._note = ""
        self._began = clock()
        self._samples: deque[tuple[float, int]] = deque([(self._began, start)])
        self._next_output = self._began + min(_FIRST_LINE_SECONDS, interval_seconds)

    def __enter__(self) -> Progress:
        if self.mode == "bar":
            self._bar = self._start_bar()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        text = self._describe(finished=True)
        if self._bar is not None:
            self._draw(self._bar, text)
            self._bar.stop()
            self._bar = None
        elif self.mode == "plain":
            self._print(text)

    def update(self, steps: int, recent: float | None, note: str = "") -> None:
        """Tell how far the run is.

        Args:
            steps: steps of the whole run so far, those before ``start`` included.
            recent: the mean return of recent episodes, or another score; ``None`` before there is one.
            note: a word on what goes on, shown at the end of the line.
        """
        now = self._clock()
        self._steps, self._recent, self._note = steps, recent, note
        if now - self._samples[-1][0] >= _SAMPLE_SECONDS:
            self._samples.append((now, steps))
        while len(self._samples) > 1 and now - self._samples[1][0] >= _RATE_WINDOW_SECONDS:
            self._samples.popleft()
        self._show(now)

    def tell(self, note: str) -> None:
        """Tell what goes on while no step is taken, such as an evaluation; the rate is as it was.

        Args:
            note: shown at the end of the line.
        """
        self._note = note
        if self.mode != "none":
            self._show(self._clock())

    def _show(self, now: float) -> None:
        """Print or draw the line where that is due."""
        if self.mode == "none" or now < self._next_output:
            return
        if self._bar is not None:
            self._draw(self._bar, self._describe())
            self._next_output = now + _REDRAW_SECONDS
        elif self.mode == "plain":
            self._print(self._describe())
            self._next_output = now + self._interval

    def message(self, text: str) -> None:
        """Print a line of its own, above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        elif self.mode != "none":
            self._print(text)

    def _describe(self, finished: bool = False) -> str:
        """The whole line: ``120,000/1,000,000 env steps (12 %) | 2,134 steps/s | ETA 6:52 | return 213.4``."""
        now = self._clock()
        since, steps_then = (self._began, self._start) if finished else self._samples[0]
        rate = (self._steps - steps_then) / (now - since) if now > since else 0.0
        if finished:
            when = f"took {_duration(now - self._began)}"
        else:
            when = f"ETA {_duration(max(self._total - self._steps, 0) / rate)}" if rate > 0 else "ETA ?"
        percent = 100 * self._steps // self._total if self._total > 0 else 100
        word = self._unit.split()[-1]
        parts = [f"{self._steps:,}/{self._total:,} {self._unit} ({percent} %)", f"{rate:,.0f} {word}/s", when]
        if self._recent is not None:
            parts.append(self._score.format(self._recent))
        if self._note:
            parts.append(self._note)
        return " | ".join(parts)

    def _print(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def _start_bar(self) -> RichProgress:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
        console = Console(file=self._stream, force_terminal=True)
        bar = RichProgress(
            BarColumn(bar_width=24),
            text,
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )
        bar.add_task(self._describe(), total=self._total, completed=self._start)
        bar.start()
        return bar

    def _draw(self, bar: RichProgress, text: str) -> None:
        bar.update(bar.task_ids[0], completed=self._steps, description=text, refresh=True)


@contextmanager
def evaluating(total: int, unit: str, mode: str) -> Iterator[Callable[[int], None]]:
    """Show how far an evaluation is: ``evaluating, 12 of 100 episodes``. Gives what is to be told how many are done.

    Args:
        total: how many there are.
        unit: the word for them.
        mode: as for :class:`Progress`.
    """
    with Progress(total, mode=mode, unit=unit) as progress:

        def tell(done: int) -> None:
            progress.update(done, None, note=evaluating_note(done, total, unit))

        yield tell
        progress.update(total, None)


def evaluating_note(done: int, total: int, unit: str) -> str:
    """What a progress line says of an evaluation.

    >>> evaluating_note(500, 10_000, "images")
    'evaluating, 500 of 10,000 images'
    """
    return f"evaluating, {done:,} of {total:,} {unit}"


def _duration(seconds: float) -> str:
    """``6:52``, or ``1:06:52`` from an hour on.

    >>> _duration(412.4), _duration(4012)
    ('6:52', '1:06:52')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
