"""The file that keeps the trials of a study, whatever becomes of who writes to it and of the room on the disk."""

from __future__ import annotations

import os
from pathlib import Path

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

_BLOCK = 65_536
"""Bytes that are looked through at a time for the end of the last whole line."""


class _WholeLines(JournalFileSymlinkLock):
    """Optuna's lock of a journal, under which its last line is a whole one.

    Of a line that the disk had no room for, the beginning is written. Optuna reads over it as long as it is the last,
    but what is added behind it makes a line of both, which nobody can read. Whoever wrote it was told that it failed,
    or died before anything else, so that it counts for nothing and is taken away before the next line is added.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._journal = path

    def acquire(self) -> bool:
        taken = super().acquire()
        try:
            take_torn_line_away(self._journal)
        except BaseException:
            self.release()
            raise
        return taken


def take_torn_line_away(path: Path) -> None:
    """Cut a file behind its last whole line."""
    with open(path, "r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            begin = max(end - _BLOCK, 0)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                end = begin + found + 1
                break
            end = begin
        if end < size:
            file.truncate(end)


def journal(path: Path) -> JournalFileBackend:
    """The journal in a file, which is made where it is missing."""
    return JournalFileBackend(str(path), lock_obj=_WholeLines(path))
