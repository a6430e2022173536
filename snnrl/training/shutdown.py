"""Leaving a training run in order: a signal becomes a flag, and the loop ends where its state is whole."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TypeAlias

_SIGNALS: tuple[signal.Signals, ...] = (
    signal.SIGINT,
    signal.SIGTERM,
    *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()),
)
Handler: TypeAlias = "Callable[[int, FrameType | None], object] | int | signal.Handlers | None"
"""What a signal is answered by; ``None`` is a handler that was not set from Python."""


class GracefulShutdown:
    """Turn the first SIGINT, SIGTERM or SIGHUP into :attr:`requested`, which the training loop polls.

    So Ctrl-C, a scheduler that takes the machine back, or a window that is closed ends a run with a checkpoint; under
    ``nohup`` a run outlives its window. A SIGINT after that interrupts at once. Workers forked inside are covered: the
    Ctrl-C that a terminal sends to all of them does not take an environment from under the last step, and
    ``terminate()`` still ends them. Outside the main thread, where Python allows no handlers, it does nothing.

    >>> with GracefulShutdown() as shutdown:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     shutdown.requested
    'SIGTERM'
    """

    def __init__(self) -> None:
        self.requested: str | None = None
        """The name of the signal that came first, or ``None``."""
        self._previous: dict[int, Handler] = {}
        self._owner = os.getpid()

    def __enter__(self) -> GracefulShutdown:
        self._owner = os.getpid()
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in _heeded()}
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
        """In a forked worker, which inherits the handlers: SIGTERM ends it, the others are its parent's business."""
        if number == signal.SIGTERM:
            _die_by(number)


class Interrupted(KeyboardInterrupt):
    """A signal where there is no state to save; ``number`` is its own.

    Attributes:
        so_far: what is said of what was written.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number, self.so_far = number, ""


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP raise :class:`Interrupted`, for what surrounds a :class:`GracefulShutdown`.

    A library that waits in compiled code may make a KeyboardInterrupt of whatever a handler raises, as Ray does; it is
    raised as what it was. Outside the main thread, where Python allows no handlers, nothing is done.
    """
    owner = os.getpid()
    heard: list[Interrupted] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:
            heard.append(Interrupted(number))
            raise heard[-1]
        if number == signal.SIGTERM:
            _die_by(number)

    previous: dict[int, Handler] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _heeded():
                previous[number] = signal.getsignal(number)
                signal.signal(number, interrupt)
        yield
    except KeyboardInterrupt as error:
        if heard and not isinstance(error, Interrupted):
            raise heard[-1] from error
        raise
    finally:
        for heeded, handler in previous.items():
            signal.signal(heeded, signal.SIG_DFL if handler is None else handler)


def stoppable(command: Callable[[Sequence[str]], int], then: str = "") -> Callable[[Sequence[str]], int]:
    """A command that a signal ends with one line and the exit code that shells expect, 128 and the signal's number.

    Args:
        command: takes the words of a command line, returns an exit code.
        then: what is said behind the signal's name, unless the command knows better.
    """

    def run(words: Sequence[str]) -> int:
        try:
            with interruptible():
                return command(words)
        except Interrupted as interrupted:
            print(f"stopped by {interrupted}{interrupted.so_far or then}", file=sys.stderr)
            return 128 + interrupted.number

    return run


def _die_by(number: int) -> None:
    """End this process by a signal, whatever its parent answered it by before: Ray, for one, by an exit code."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _heeded() -> list[signal.Signals]:
    """The signals that end a run: all but a SIGHUP that ``nohup`` has turned off."""
    return [
        number
        for number in _SIGNALS
        if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) is not signal.SIG_IGN
    ]
