"""Checkpoints that survive a kill at any instant, and that never run code when they are read.

A checkpoint is one file of tensors and plain Python containers. It is complete the moment its name appears, because it
is written beside and then renamed; it is read without unpickling objects, so that a stranger's checkpoint is only data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import torch

from snnrl.errors import ConfigError, one_line, require
from snnrl.legacy import upgraded_checkpoint
from snnrl.training.archives import ForeignObject, check_plain, fault, most_bytes
from snnrl.training.weights_file import NAME, load_weights
from snnrl.types import Saved, Setting

CHECKPOINT_VERSION = 2
"""The layout that this snnrl writes; it reads this one and the older ones."""

_STEP_FILE = re.compile(r"step_([0-9]{12,})\.pt")


def save_checkpoint(path: str | Path, payload: Saved) -> None:
    """Write ``payload`` to ``path`` so that a reader finds the old file or the whole new one, never a part.

    Args:
        path: the file; its folder is made where it is missing.
        payload: tensors and plain containers under string keys; ``"architecture"`` (a string) names what the weights
            fit, and :func:`load_checkpoint` compares it. ``"version"`` is set here.

    Raises:
        TypeError: something in ``payload`` could be written but not be read back; found now, not at the resume.
        OSError: the disk is full, or the folder cannot be written to; the old file is as it was.
    """
    path = Path(path)
    if type(payload.get("architecture")) is not str:
        raise TypeError('a checkpoint needs payload["architecture"], a string')
    check_plain(payload, "payload")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.tmp")
    if os.path.lexists(unfinished):
        unfinished.unlink()
    try:
        with open(unfinished, "xb") as file:
            sink = _Sink(file)
            try:
                torch.save({**payload, "version": CHECKPOINT_VERSION}, cast(IO[bytes], sink))
            except RuntimeError as error:
                raise sink.failure or error from error
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(path.parent)


def load_checkpoint(
    path: str | Path, *, map_location: str | torch.device = "cpu", architecture: str | None = None
) -> dict[str, Setting]:
    """Read what :func:`save_checkpoint` wrote; no code in the file is ever run.

    Args:
        path: the file.
        map_location: the device for the tensors.
        architecture: what the weights must fit; ``None`` takes any.

    Raises:
        ConfigError: the file is missing, damaged, newer than this snnrl, of another architecture, or no checkpoint.
    """
    path = Path(path)
    if not is_file(path):
        raise ConfigError(f"checkpoint {path} does not exist: {_alternatives(path, 'there are')}")
    if path.suffix == Path(NAME).suffix:
        weights = load_weights(path)
        if architecture is not None:
            check_architecture(f"checkpoint {path}", weights["architecture"], architecture)
        return weights
    try:
        wrong = fault(path)
        payload: Any = None if wrong else torch.load(path, map_location=map_location, weights_only=True)
        check_plain(payload, "it", most_bytes(path))
    except ForeignObject:
        raise ConfigError(
            f"checkpoint {path} holds objects other than tensors and plain containers, and loading those could run "
            "code: refused; convert it with the program that wrote it"
        ) from None
    except OSError as error:
        raise ConfigError(f"checkpoint {path} cannot be read ({error.strerror or one_line(error)})") from error
    except Exception as error:  # torch documents none; whatever it is, the file is not one that was written here
        raise damaged(path, one_line(error)) from error
    if wrong:
        raise damaged(path, wrong)
    version = payload.get("version") if isinstance(payload, dict) else None
    if type(version) is not int or type(payload.get("architecture")) is not str:
        raise ConfigError(f"{path} was not written by snnrl: {_alternatives(path, 'checkpoints in its folder')}")
    if version > CHECKPOINT_VERSION:
        raise ConfigError(
            f"checkpoint {path} was written by a newer snnrl (checkpoint version {version}, this one reads up to "
            f"{CHECKPOINT_VERSION}): upgrade snnrl"
        )
    if version == 1:
        payload = upgraded_checkpoint(payload)
    if architecture is not None:
        check_architecture(f"checkpoint {path}", payload["architecture"], architecture)
    return dict(payload)


def check_architecture(checkpoint: str, found: str, expected: str) -> None:
    """Raise a ConfigError that names both unless ``found`` is as ``expected``."""
    if found != expected:
        raise ConfigError(
            f"{checkpoint} is of another architecture (expected {expected}, found {found}): give the "
            "settings that it was trained with, or another checkpoint"
        )


def damaged(path: Path | None, why: str) -> ConfigError:
    """The error for a checkpoint that cannot be used, with what can be used in its place; ``None`` is the run's."""
    if path is None:
        return ConfigError(f"the run's checkpoint is damaged ({why}): give checkpoint= another one")
    advice = _alternatives(path, "give checkpoint= an earlier one")
    return ConfigError(f"checkpoint {path} is damaged ({why}): {advice}, or delete it")


@contextmanager
def taking_over(path: Path | None = None) -> Iterator[None]:
    """Around the lines that take over what a checkpoint holds: a part that is missing or wrong is said in one line.

    The file may be whole and still not fit, as when another program or another version wrote its parts.

    Raises:
        ConfigError: as said.
    """
    try:
        yield
    except ConfigError:
        raise
    except KeyError as error:
        raise damaged(path, f"it has no {error.args[0]!r}") from error
    except (ArithmeticError, AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise damaged(path, one_line(error)) from error


class CheckpointStore:
    """The checkpoints of one run in one folder: the newest few, and the best.

    A new checkpoint is complete before an old one goes, so a run killed at any instant can be resumed. One process
    writes; any may read.

    Args:
        folder: made at the first save.
        keep: how many step checkpoints stay; ``best.pt`` stays besides.

    Raises:
        ConfigError: what is called like the folder is something else.
    """

    def __init__(self, folder: str | Path, keep: int = 3) -> None:
        require(keep >= 1, "keep", keep, "an integer of at least 1")
        self.folder = Path(folder)
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            raise ConfigError(f"{self.folder}: is no folder, and checkpoints belong in one; must be moved away")
        self.keep = keep

    def save(self, payload: Saved, step: int) -> Path:
        """Write ``step_<step>.pt``, then remove all but the newest ``keep``.

        Checkpoints of later steps go too: a run resumed from before them has left them behind, and
        :meth:`latest` would otherwise jump back to them.
        """
        path = self.folder / f"step_{step:012d}.pt"
        self._save(path, payload)
        steps = self._steps()
        kept = sorted(known for known in steps if known <= step)[-self.keep :]
        for known in steps.keys() - set(kept):
            steps[known].unlink()
        return path

    def save_best(self, payload: Saved) -> Path:
        """Write ``best.pt`` over the one before."""
        path = self.folder / "best.pt"
        self._save(path, payload)
        return path

    def latest(self) -> Path | None:
        """The checkpoint of the highest step, or what was exported, if there is one."""
        steps, exported = self._steps(), self.folder.parent / NAME
        return steps[max(steps)] if steps else exported if exported.is_file() else None

    def best(self) -> Path | None:
        """``best.pt``, if there is one."""
        path = self.folder / "best.pt"
        return path if path.is_file() else None

    def find(self, checkpoint: str) -> Path:
        """The file of ``last``, of ``best``, or of a path or a name in the folder.

        Raises:
            ConfigError: there is none.
        """
        require(checkpoint != "", "checkpoint", checkpoint, "last, best or a file")
        if checkpoint == "best" and self.best() is None:
            raise ConfigError(
                f"checkpoint=best: {self.folder.parent} has none, as no evaluation was made while training; "
                "must be last"
            )
        named = {"last": self.latest(), "best": self.best()}
        if checkpoint not in named:
            within, path = self.folder / checkpoint, Path(os.path.expanduser(checkpoint))
            return within if is_file(within) or path.name == checkpoint else path
        found = named[checkpoint]
        if found is None:
            raise ConfigError(f"there is no checkpoint in {self.folder}: start the run anew, or name another folder")
        return found

    def load(
        self,
        path: str | Path | None = None,
        *,
        map_location: str | torch.device = "cpu",
        architecture: str | None = None,
    ) -> dict[str, Setting]:
        """Read ``path``, or the latest; see :func:`load_checkpoint`."""
        chosen = self.find("last") if path is None else path
        return load_checkpoint(chosen, map_location=map_location, architecture=architecture)

    def _save(self, path: Path, payload: Saved) -> None:
        for stray in self.folder.glob(".*.pt.tmp"):
            stray.unlink()
        save_checkpoint(path, payload)

    def _steps(self) -> dict[int, Path]:
        """The step checkpoints by step."""
        if not self.folder.is_dir():
            return {}
        named = ((_STEP_FILE.fullmatch(path.name), path) for path in self.folder.iterdir())
        return {int(match[1]): path for match, path in named if match}


class _Sink:
    """A file that remembers why it could not be written, of which torch says only that it was."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        self._file.flush()


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _alternatives(path: Path, words: str) -> str:
    """Name the other checkpoints in the folder of ``path``, newest step first."""
    others = sorted((other.name for other in path.parent.glob("*.pt") if other != path), reverse=True)
    return f"{words}: {', '.join(others)}" if others else "its folder holds no other, start the run anew"


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system can open a folder."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
