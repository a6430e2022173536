"""The folder of a run: made whole or not at all, and written to by one process at a time."""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from snnrl.config import write_settings
from snnrl.errors import ConfigError, RunError, one_line
from snnrl.training.writable import make_folder
from snnrl.trust import names_code
from snnrl.types import Settings

IN_USE = "another process is training in this folder"
"""What is said of a run's folder that another process has."""
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


class FolderInUseError(ConfigError):
    """Another process writes to the folder."""


class RunFolder:
    """A run's folder, which is this process's from :meth:`make` or :meth:`take` until :meth:`release`.

    The lock dies with its process, however that ends. Where a file system knows no locks, a warning says so.

    Args:
        path: of the folder.
        settings: those of the whole run.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path, self.settings = path, settings
        self._lock = FileLock(path / ".lock", timeout=0, thread_local=False)

    def make(self) -> None:
        """Make the folder, with its ``config.yaml`` from the first instant on, so that it can always be gone on with.

        Raises:
            ConfigError: it exists already, or cannot be made.
        """
        unfinished = self.path.parent / f".{secrets.token_hex(8)}.tmp"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.mkdir()
            write_settings(unfinished, self.settings)
            unfinished.rename(self.path)
        except OSError as error:
            if os.path.lexists(self.path):
                raise ConfigError(exists_already(self.path)) from error
            raise ConfigError(f"run_dir={self.path}: cannot be made ({error.strerror}); must be a folder") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        self.take("run_dir")

    def take(self, setting: str) -> None:
        """Take the folder for this process; ``setting`` is the name that an error gives to it.

        Raises:
            ConfigError: another process has it, or it cannot be written to.
        """
        _acquire(self._lock, self.path, setting, IN_USE)

    def release(self) -> None:
        """Leave the folder to others."""
        self._lock.release(force=True)

    @contextmanager
    def writing(self, reached: Callable[[], str], written: int | None = None) -> Iterator[None]:
        """Around what writes to the folder: a disk that is full, or a folder that is gone, is said in one line.

        Args:
            reached: what the run has done so far.
            written: the descriptor of ``metrics.jsonl``, by which it is seen whether the folder is still there.

        Raises:
            RunError: as said; what was written before is as it was.
        """
        try:
            if written is not None and not self._holds(written):
                raise RunError(
                    f"run_dir={self.path}: was removed or renamed while the run wrote to it, so the run stopped at "
                    f"{reached()}; if it was renamed, go on with: python -m snnrl.train resume=ITS_NEW_NAME"
                )
            yield
        except OSError as error:
            raise RunError(
                f"run_dir={self.path}: cannot be written to ({error.strerror or one_line(error)}), so the run stopped "
                f"at {reached()}; its last checkpoint is whole, and when there is room go on with: "
                f"{resume_line(self.path, self.settings)}"
            ) from error

    def _holds(self, written: int) -> bool:
        """Whether the open ``metrics.jsonl`` is the one in the folder."""
        try:
            return os.path.samestat(os.fstat(written), os.stat(self.path / "metrics.jsonl"))
        except (FileNotFoundError, NotADirectoryError):
            return False


@contextmanager
def alone(path: Path, setting: str) -> Iterator[None]:
    """Within, no other command writes its runs to a folder, which is made where it is missing.

    Args:
        path: of the folder.
        setting: the name that an error message gives to it.

    Raises:
        ConfigError: another process has it, or it cannot be written to.
    """
    while True:
        made = [each for each in (path.absolute(), *path.absolute().parents) if not each.exists()]
        make_folder(path, setting)
        lock = FileLock(path / ".lock", timeout=0, thread_local=False)
        _acquire(lock, path, setting, "another command is carrying out runs in this folder")
        if (path / ".lock").exists() or not lock.is_locked:
            break
        lock.release(force=True)  # of a folder that another command has just removed
    try:
        yield
    finally:
        with suppress(OSError):
            if made and os.listdir(path) == [".lock"]:  # nothing came of it
                (path / ".lock").unlink()
                for each in made:
                    each.rmdir()
        lock.release(force=True)


def _acquire(lock: BaseFileLock, path: Path, setting: str, busy: str) -> None:
    """Take the lock of a folder; where the file system knows none, a warning says so."""
    if (path / ".lock").is_symlink():
        raise ConfigError(
            f"{setting}={path}: its .lock is a symbolic link, which is not written to; must be a file or none"
        )
    try:
        lock.acquire()
    except Timeout:
        raise FolderInUseError(
            f"{setting}={path}: {busy}; must be left to it until it has ended or was stopped"
        ) from None
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise ConfigError(
                f"{setting}={path}: cannot be written to ({error.strerror}); must be a folder that can"
            ) from error
        warnings.warn(f"{path} cannot be locked ({error}): let no other run write to it", stacklevel=3)


def exists_already(run_dir: Path) -> str:
    """What to say where a new run would write over something."""
    return (
        f"run_dir={run_dir}: exists already and is never overwritten; "
        f"must be a new folder, or resume={run_dir} to go on with it"
    )


def resume_line(run_dir: Path, settings: Settings, processes: int = 1) -> str:
    """The command that goes on with a run; whoever named code of their own trusts it.

    Args:
        run_dir: the run's folder.
        settings: those of the run.
        processes: how many are to train on a machine.
    """
    trust = " trust=true" if names_code(settings) else ""
    command = "python" if processes == 1 else f"torchrun --nproc-per-node={processes}"
    return f"{command} -m snnrl.train resume={shlex.quote(str(run_dir))}{trust}"
