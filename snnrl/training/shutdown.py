"""Leaving a training run in order: a signal becomes a flag, and the loop ends where its state is whole."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class GracefulShutdown:
    """Turn the first SIGINT or SIGTERM into :attr:`requested`, which the training loop polls.

    So Ctrl-C, or a scheduler that takes the machine back, ends a run with a checkpoint. A SIGINT after that interrupts
    at once. Workers forked inside are covered: the Ctrl-C that a terminal sends to all of them does not take an
    environment from under the last step, and ``terminate()`` still ends them. Outside the main thread, where Python
    allows no handlers, it does nothing.

    >>> with GracefulShutdown() as shutdown:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     shutdown.requested
    'SIGTERM'
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        """The name of the signal that came first, or ``None``."""
        self._previous: dict[int, Any] = {}
        self._owner = os.getpid()

    def __enter__(self) -> GracefulShutdown:
        self._owner = os.getpid()
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in list(self._previous):
            self._restore(number)

    def _restore(self, number: int) -> None:
        """Put back what was there; ``None`` stands for a handler that Python cannot put back."""
        previous = self._previous.pop(number)
        signal.signal(number, signal.SIG_DFL if previous is None else previous)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            self._handle_in_fork(number)
        elif self.requested is None:
            self.requested = signal.Signals(number).name
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def _handle_in_fork(self, number: int) -> None:
        """In a forked worker, which inherits the handlers: SIGTERM ends it, SIGINT is its parent's business."""
        if number == signal.SIGTERM:
            self._restore(number)
            os.kill(os.getpid(), number)
