"""Words for a terminal that may go away: a pipe that is closed or a window that is gone ends no run."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Lasting:
    """A stream whose writing never fails; what it cannot take is dropped."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream is None:
            return len(text)
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError) as error:
            self._drop(error)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            if self._stream is not None:
                self._stream.flush()
        except (OSError, ValueError) as error:
            self._drop(error)

    def isatty(self) -> bool:
        try:
            return self._stream is not None and self._stream.isatty()
        except (OSError, ValueError):
            return False

    def close_up(self) -> None:
        """Write what is left, so that nothing fails when the process ends."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except (OSError, ValueError):
            self._lose()

    def _drop(self, error: Exception) -> None:
        """Let a text go; a disk that is full may have room for the next, a terminal that is gone has not."""
        if not (isinstance(error, OSError) and error.errno in _FULL):
            self._lose()

    def _lose(self) -> None:
        """Let all that is still written, also by other libraries, go nowhere."""
        with suppress(AttributeError, OSError, ValueError):
            assert self._stream is not None
            descriptor, nowhere = self._stream.fileno(), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def lasting(stream: TextIO | None) -> TextIO:
    """The stream, with writes that never fail; ``None``, which Python has where a stream was closed, takes anything."""
    return stream if isinstance(stream, _Lasting) else cast(TextIO, _Lasting(stream))


@contextmanager
def lasting_output(stream: TextIO | None = None) -> Iterator[None]:
    """Standard output and error that outlive their terminal: no write to them fails, and none changes the exit code.

    A long run must not end because nobody watches it any more, or because there is no room for what it prints.

    Args:
        stream: that takes what is printed in place of both.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams = tuple(lasting(stream or each) for each in before)
    try:
        yield
    finally:
        for stream in streams:
            if isinstance(stream, _Lasting):
                stream.close_up()
        sys.stdout, sys.stderr = before
