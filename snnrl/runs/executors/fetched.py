"""Runs on machines that do not see the command's folders: what they write is sent to it, and back where they go on."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from snnrl.runs.work import Outcome, Run
from snnrl.textfiles import replacing

EVERY = 15.0
"""Seconds between two looks for a new checkpoint to be sent."""
Files = dict[str, bytes]
"""Contents by where they belong: ``folder/<path>``, ``log`` and ``play``."""


class Keeper:
    """On the command's machine: gives and takes the files of runs that are carried out elsewhere."""

    def __init__(self) -> None:
        self._holders: dict[str, int] = {}

    def begin(self, line: str) -> tuple[int, Files]:
        """The number of a process that takes a run up, after which no other may send, and what there is of the run.

        Args:
            line: of :meth:`~snnrl.runs.work.Run.as_json`.
        """
        holder = self._holders[line] = self._holders.get(line, 0) + 1
        return holder, files_of(Run.from_json(line))

    def keep(self, line: str, holder: int, files: Files) -> None:
        """Write what a process sends; nothing where another has taken the run up since."""
        if self._holders.get(line) == holder:
            write_files(Run.from_json(line), files)


def files_of(run: Run) -> Files:
    """All that a run has written; settings and checkpoints come first, as rows of metrics may be newer, never older."""
    paths = [run.folder / "config.yaml", *sorted(run.folder.glob("checkpoints/*")), *sorted(run.folder.rglob("*"))]
    found: Files = {}
    for path in dict.fromkeys(paths):
        if not path.name.startswith(".") and path.is_file():
            with suppress(FileNotFoundError):  # an old checkpoint makes way for a new one
                found[f"folder/{path.relative_to(run.folder).as_posix()}"] = path.read_bytes()
    others = {"log": run.log} if run.play is None else {"log": run.log, "play": run.play.path}
    return found | {name: path.read_bytes() for name, path in others.items() if path.is_file()}


def write_files(run: Run, files: Files) -> None:
    """Write what :func:`files_of` gave of the same run elsewhere, each file whole or not at all."""
    for name, content in files.items():
        path = _path(run, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content)
    for path in run.folder.glob("checkpoints/*"):
        if f"folder/checkpoints/{path.name}" not in files:
            path.unlink(missing_ok=True)


def _path(run: Run, name: str) -> Path:
    if name == "log":
        return run.log
    if name == "play" and run.play is not None:
        return run.play.path
    return run.folder / name.removeprefix("folder/")


def perform_apart(
    line: str,
    perform: Callable[[Run], Outcome],
    begin: Callable[[str], tuple[int, Files]],
    keep: Callable[[str, int, Files], object],
) -> Outcome:
    """Carry a run out in a folder of this machine alone, from what the command's machine has of it.

    It is sent back at each checkpoint, looked for every :data:`EVERY` seconds, and in the end.

    Args:
        line: of :meth:`~snnrl.runs.work.Run.as_json`.
        perform: carries a run out.
        begin: see :meth:`Keeper.begin`.
        keep: see :meth:`Keeper.keep`.
    """
    with tempfile.TemporaryDirectory(prefix="snnrl-run-", ignore_cleanup_errors=True) as folder:
        own = _in_folder(Run.from_json(line), Path(folder))
        holder, files = begin(line)
        write_files(own, files)
        ended, known = threading.Event(), _checkpoints(own)

        def send() -> None:
            sent = known
            while not ended.wait(EVERY):
                if (now := _checkpoints(own)) != sent:
                    keep(line, holder, files_of(own))
                    sent = now

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        try:
            return perform(own)
        finally:
            ended.set()
            sender.join()
            keep(line, holder, files_of(own))


def _in_folder(run: Run, folder: Path) -> Run:
    """The same run, all of whose files lie in a folder."""
    play = None if run.play is None else replace(run.play, path=folder / "play.json")
    return replace(run, folder=folder / run.name, log=folder / "log" / run.log.name, play=play)


def _checkpoints(run: Run) -> list[str]:
    return sorted(path.name for path in run.folder.glob("checkpoints/*.pt"))
