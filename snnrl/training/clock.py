"""Time spent on one thing, with pauses."""

from __future__ import annotations

import time


class Clock:
    """A stopwatch.

    Args:
        seconds: what it shows at first.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """The time that it has run."""
        running = 0.0 if self._since is None else time.perf_counter() - self._since
        return self._before + running

    def start(self) -> None:
        """Run on."""
        if self._since is None:
            self._since = time.perf_counter()

    def stop(self) -> None:
        """Stand still."""
        self._before, self._since = self.seconds, None


def passed(every: int, before: int, now: int) -> bool:
    """Whether a multiple of ``every`` lies in ``(before, now]``.

    >>> passed(100, 90, 100), passed(100, 100, 199)
    (True, False)
    """
    return now // every > before // every
