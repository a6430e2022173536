"""Where metrics go: a JSONL file that is always there, and TensorBoard and Weights & Biases on request.

TensorBoard and wandb are imported when they are asked for: each takes a second that a run without them need not wait.
"""

from __future__ import annotations

import io
import json
import math
import mmap
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snnrl.errors import ConfigError, did_you_mean, one_line
from snnrl.types import Setting, Settings

if TYPE_CHECKING:
    import wandb

_NAMES = ("none", "tensorboard", "wandb")
_WANDB_INIT_SECONDS = 10.0
_WANDB_FINISH_SECONDS = 120.0
_WANDB_TEARDOWN_SECONDS = 5.0


_WANDB_SETTINGS: Settings = {
    "console": "off",
    "silent": True,
    "save_code": False,
    "init_timeout": _WANDB_INIT_SECONDS,
    "finish_timeout_raises": True,
}


class Logger(Protocol):
    """Something that takes metrics while a run goes on."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Record ``metrics`` as of environment step ``step``; steps do not go back."""

    def picture(self, name: str, image: NDArray[np.uint8], step: int) -> None:
        """Record a picture, ``[height, width, 3]``, where the place shows pictures."""

    def histograms(self, values: Mapping[str, NDArray[np.float32]], step: int) -> None:
        """Record how values are distributed, by name, where the place shows that."""

    def video(self, name: str, gif: bytes, step: int) -> None:
        """Record a video, the content of a GIF, where the place shows videos."""

    def close(self, summary: Settings | None = None) -> None:
        """End the record, with the results of the whole run where the place has room for them."""


class JsonlLogger:
    """One JSON object a line, ``{"step": 1000, "rollout/return_mean": 21.5}``; NaN and infinities become null.

    Every line is handed to the system at once, so a killed run loses none. A run that is resumed calls
    :meth:`truncate` with the :meth:`position` that its checkpoint holds, and the file is as if it had never stopped.

    Args:
        path: appended to where it exists, less a last line that was cut off in writing.

    Raises:
        ConfigError: the path is a symbolic link; what it leads to is not this run's to write to.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "a+b", opener=_open_unlinked)  # noqa: SIM115
        self.truncate(self.position())

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Append one line."""
        line = json.dumps({"step": step, **{key: _number(value) for key, value in metrics.items()}}, allow_nan=False)
        self._file.write(f"{line}\n".encode())
        self._file.flush()

    def picture(self, name: str, image: NDArray[np.uint8], step: int) -> None:
        """The file holds numbers only, so the picture is not written."""

    def histograms(self, values: Mapping[str, NDArray[np.float32]], step: int) -> None:
        """The file holds numbers only, so histograms are not written."""

    def video(self, name: str, gif: bytes, step: int) -> None:
        """The file holds numbers only, so the video is not written."""

    def fileno(self) -> int:
        """The file's descriptor."""
        return self._file.fileno()

    def position(self) -> int:
        """The length of the file in bytes."""
        return self._file.seek(0, 2)

    def truncate(self, position: int) -> None:
        """Drop what was written after ``position``, and what is left of a line that is not whole."""
        end = min(position, self.position())
        if end > 0:
            with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                end = content.rfind(b"\n", 0, end) + 1
        self._file.truncate(end)

    def close(self, summary: Settings | None = None) -> None:
        """Close the file; it holds steps only, so ``summary`` is not written."""
        self._file.close()


class TensorBoardLogger:
    """TensorBoard event files.

    Args:
        folder: for the event files.
        purge_step: TensorBoard hides what earlier sessions wrote at this step and after; a run that is resumed
            after step ``s`` gives ``s + 1``.
        config: the settings of the run, its hyperparameters there.
    """

    def __init__(self, folder: str | Path, purge_step: int | None = None, config: Settings | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter
        from torch.utils.tensorboard.summary import hparams

        self._writer = SummaryWriter(str(folder), purge_step=purge_step)
        self._ended: object = None
        if config:
            score = f"{config['split']}/accuracy" if "split" in config else "eval/return_mean"
            *begun, self._ended = hparams(_flat(config), {score: math.nan})
            for each in begun:
                self._write(each)

    def _write(self, record: object, step: int | None = None) -> None:
        assert self._writer.file_writer is not None
        self._writer.file_writer.add_summary(record, step)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write one scalar a metric."""
        for key, value in metrics.items():
            self._writer.add_scalar(key, value, step)

    def picture(self, name: str, image: NDArray[np.uint8], step: int) -> None:
        """Write one image."""
        self._writer.add_image(name, image, step, dataformats="HWC")

    def histograms(self, values: Mapping[str, NDArray[np.float32]], step: int) -> None:
        """Write one histogram each."""
        for name, each in values.items():
            if np.isfinite(each).all() and each.size:
                self._writer.add_histogram(name, each, step)

    def video(self, name: str, gif: bytes, step: int) -> None:
        """Write one animated image, which needs no further package."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        with Image.open(io.BytesIO(gif)) as opened:
            width, height = opened.size
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=gif)
        self._write(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def close(self, summary: Settings | None = None) -> None:
        """Write ``summary`` as a text, and the files to their end."""
        if summary:
            self._writer.add_text("summary", "\n".join(f"- {key}: {value}" for key, value in summary.items()))
            if self._ended is not None:
                self._write(self._ended)
        self._writer.close()


class WandbLogger:
    """A Weights & Biases run; without a key or a network it is kept offline, and says how to upload it later.

    wandb's own environment variables, such as ``WANDB_MODE``, ``WANDB_PROJECT`` or ``WANDB_NAME``, decide where they
    are set. Otherwise wandb is kept quiet, never asks for a key, and waits for the network some ten seconds at the
    start and two minutes at the end. A run that is resumed repeats the steps after its checkpoint; wandb drops those
    that it has, and as a resumed run repeats itself exactly, they are the same.

    Args:
        run_dir: the files go to ``run_dir/wandb``.
        config: the settings of the run.
        project: the wandb project, unless ``chosen`` or ``WANDB_PROJECT`` name one.
        name: the run's name there, likewise.
        chosen: project, name, group and tags that the run's settings name, which come before wandb's variables.
        resume_id: the :attr:`id` of the run to go on with.
    """

    def __init__(
        self,
        run_dir: str | Path,
        config: Settings,
        project: str = "snnrl",
        name: str | None = None,
        resume_id: str | None = None,
        chosen: Settings | None = None,
    ) -> None:
        import wandb

        Path(run_dir).mkdir(parents=True, exist_ok=True)
        try:
            mode = _quiet_session().mode
        except ValueError as error:
            raise ConfigError(f"logger=wandb: wandb's own settings are wrong: {one_line(error)}") from None
        init: dict[str, Setting] = {
            "config": dict(config),
            "id": resume_id,
            "resume": "allow" if resume_id else None,
            "reinit": "create_new",
            **_not_set({"dir": str(run_dir), "project": project, "name": name}),
            "group": os.environ.get("WANDB_RUN_GROUP", os.environ.get("WANDB_GROUP")),
            **{key: value for key, value in (chosen or {}).items() if value},
            "settings": wandb.Settings(**_not_set({**_WANDB_SETTINGS, "finish_timeout": _WANDB_FINISH_SECONDS})),
        }
        if mode in ("offline", "dryrun", "disabled"):
            reason = f"as WANDB_MODE={mode} asks"
            self._run = wandb.init(**init)
        else:
            self._run, reason = _online_or_offline(init)
        self._sync = f"wandb sync {Path(self._run.dir).parent.resolve()}"
        self._lost = False
        if self._run.offline:
            _say(f"this run is kept offline ({reason}); upload it with: {self._sync}")
        elif self._run.url:
            _say(f"this run is at {self._run.url}")

    @property
    def id(self) -> str:
        """What to give as ``resume_id`` to go on with this run."""
        return self._run.id

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Send ``metrics``; wandb joins calls of one step. Should its service die, training goes on without it."""
        self._send(metrics, step)

    def picture(self, name: str, image: NDArray[np.uint8], step: int) -> None:
        """Send one image."""
        import wandb

        self._send({name: wandb.Image(image)}, step)

    def histograms(self, values: Mapping[str, NDArray[np.float32]], step: int) -> None:
        """Send histograms of 64 bins."""
        import wandb

        whole = {name: each for name, each in values.items() if each.size and np.isfinite(each).all()}
        self._send({name: wandb.Histogram(np_histogram=np.histogram(each, 64)) for name, each in whole.items()}, step)

    def video(self, name: str, gif: bytes, step: int) -> None:
        """Send one video."""
        import wandb

        self._send({name: wandb.Video(io.BytesIO(gif), format="gif")}, step)

    def _send(self, content: Settings, step: int) -> None:
        if self._lost:
            return
        try:
            self._run.log(dict(content), step=step)
        except Exception as error:
            self._lost = True
            _say(f"logging has stopped ({one_line(error)}), the run goes on; upload what there is with: {self._sync}")

    def close(self, summary: Settings | None = None) -> None:
        """Set the run's summary and finish it; what wandb cannot do then is left for ``wandb sync``."""
        if self._lost:
            return
        try:
            if summary:
                self._run.summary.update(dict(summary))
            self._run.finish()
        except TimeoutError:
            _say(f"the upload did not end in {_WANDB_FINISH_SECONDS:.0f} s; finish it with: {self._sync}")
        except Exception as error:
            _say(f"the run did not finish ({one_line(error)}); upload what there is with: {self._sync}")


def validate_logger_names(names: str) -> tuple[str, ...]:
    """What ``names`` asks for besides the JSONL file; cheap, so that a misspelt name ends a command at once.

    >>> validate_logger_names("tensorboard,wandb")
    ('tensorboard', 'wandb')
    >>> validate_logger_names("none")
    ()
    """
    asked = tuple(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in asked:
        if name not in _NAMES:
            raise ConfigError(f"logger={names}: no logger is called {name!r}; {did_you_mean(name, _NAMES)}")
    if "none" in asked and len(asked) > 1:
        raise ConfigError(f"logger={names}: none stands alone")
    return tuple(name for name in asked if name != "none")


def make_loggers(
    names: str,
    run_dir: str | Path,
    config: Settings,
    *,
    project: str = "snnrl",
    name: str | None = None,
    wandb: Settings | None = None,
    resume_id: str | None = None,
    purge_step: int | None = None,
) -> list[Logger]:
    """Open the loggers that ``names`` asks for (``"none"``, ``"tensorboard"``, ``"wandb"``, ``"tensorboard,wandb"``).

    The JSONL file is not among them: every run has one, and its owner truncates it at a resume.

    Args:
        names: separated by commas.
        run_dir: event files go to ``run_dir/tensorboard``, those of wandb to ``run_dir/wandb``.
        config: the settings of the run, for wandb.
        project: see :class:`WandbLogger`, as for ``name`` and ``resume_id``.
        name: the run's name.
        wandb: project, name, group and tags that the run's settings name.
        resume_id: the wandb run to go on with.
        purge_step: see :class:`TensorBoardLogger`.
    """
    loggers: list[Logger] = []
    for asked in validate_logger_names(names):
        if asked == "tensorboard":
            loggers.append(TensorBoardLogger(Path(run_dir) / "tensorboard", purge_step, config))
        else:
            loggers.append(WandbLogger(run_dir, config, project, name, resume_id, wandb))
    return loggers


def _open_unlinked(path: str, flags: int) -> int:
    """:func:`os.open`, but for a symbolic link."""
    if os.path.islink(path):
        raise ConfigError(f"{path}: is a symbolic link, which is not written to; must be a file of the run's own")
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _flat(settings: Settings, prefix: str = "") -> dict[str, Setting]:
    """Settings by their dotted names, as TensorBoard takes hyperparameters: numbers, truth values and text."""
    found: dict[str, Setting] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return found


def _number(value: float) -> int | float | None:
    """``value`` as JSON has it, which knows no NaN and no infinity."""
    if isinstance(value, int):
        return value
    value = float(value)
    return value if math.isfinite(value) else None


def _not_set(settings: Settings) -> dict[str, Setting]:
    """Those of our settings of wandb that its environment variables leave open."""
    return {name: value for name, value in settings.items() if f"WANDB_{name.upper()}" not in os.environ}


def _quiet_session() -> wandb.Settings:
    """Start wandb without a word; in silent mode it cannot prompt either."""
    import wandb

    return wandb.setup(settings=wandb.Settings(**_not_set({"silent": True}))).settings


def _online_or_offline(init: dict[str, Setting]) -> tuple[wandb.Run, str]:
    """Start the run online, or offline with the reason why; the key comes first, as it fails sooner than a run."""
    import wandb

    try:
        if not wandb.login(prompt=False, verify=True):
            return wandb.init(**init, mode="offline"), "no API key is configured, see: wandb login"
    except wandb.errors.Error as error:
        return wandb.init(**init, mode="offline"), f"no run could be started at W&B: {one_line(error)}"
    try:
        return wandb.init(**init), ""
    except wandb.errors.Error as error:
        _renew_session()
        return wandb.init(**init, mode="offline"), f"no run could be started at W&B: {one_line(error)}"


def _renew_session() -> None:
    """Leave a service in which a failed run holds its id; one that does not go in time ends with this process."""
    import wandb

    leaving = threading.Thread(target=wandb.teardown, daemon=True)
    leaving.start()
    leaving.join(_WANDB_TEARDOWN_SECONDS)
    _quiet_session()


def _say(text: str) -> None:
    print(f"wandb: {text}", file=sys.stderr, flush=True)
