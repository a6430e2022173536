"""What a run leaves behind: a folder with its settings, checkpoints, metrics and summary, or nothing at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from snnrl.config import write_settings
from snnrl.errors import ConfigError
from snnrl.training.checkpoints import CheckpointStore
from snnrl.training.folder import RunFolder
from snnrl.training.loggers import JsonlLogger, Logger, make_loggers
from snnrl.training.summary import Summary, write_json
from snnrl.types import Saved, Settings


class History:
    """Rows of metrics, kept in memory.

    Attributes:
        rows: ``{"step": 1000, "rollout/return_mean": 21.5}``, one for each time that something was logged.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Keep one row."""
        self.rows.append({"step": step, **metrics})

    def picture(self, name: str, image: NDArray[np.uint8], step: int) -> None:
        """Rows hold numbers only."""

    def histograms(self, values: Mapping[str, NDArray[np.float32]], step: int) -> None:
        """Rows hold numbers only."""

    def video(self, name: str, gif: bytes, step: int) -> None:
        """Rows hold numbers only."""

    def close(self, summary: Summary | None = None) -> None:
        """There is nothing to close."""


class Files(Protocol):
    """Where a run's results go."""

    run_dir: Path | None
    wandb_id: str | None

    def start_from(self, resume: bool | str) -> Path | None:
        """Take the folder of a run that goes on; the checkpoint that it goes on from, if there is one."""

    def begin(self, resumed: bool, metrics_position: int) -> None:
        """Make or renew what there is to write to."""

    def open_loggers(self, steps: int) -> list[Logger]:
        """Start logging, after ``steps`` of a run that goes on."""

    def writing(self, reached: Callable[[], str]) -> AbstractContextManager[None]:
        """Around whatever writes; ``reached`` says for an error what the run has done so far."""

    def metrics_position(self) -> int:
        """Where the metrics end that a checkpoint belongs to."""

    def save(self, payload: Callable[[], Saved], steps: int) -> None:
        """Write a checkpoint of a run."""

    def save_best(self, payload: Callable[[], Saved]) -> None:
        """Write the best model's checkpoint."""

    def summarise(self, summary: Summary) -> None:
        """Write ``summary.json``."""

    def summary(self) -> Summary:
        """The summary that is there; an empty one where it is missing or damaged."""

    def abandon(self) -> None:
        """Close what a failure has left open; wandb is not told that the run has finished."""

    def release(self) -> None:
        """Leave the folder to others."""


class NoFiles:
    """Nothing is written."""

    run_dir: Path | None = None
    wandb_id: str | None = None

    def start_from(self, resume: bool | str) -> Path | None:
        if resume:
            raise ConfigError("resume: goes on with the run of a folder; must be left out without run_dir")
        return None

    def begin(self, resumed: bool, metrics_position: int) -> None:
        return

    def open_loggers(self, steps: int) -> list[Logger]:
        return []

    def writing(self, reached: Callable[[], str]) -> AbstractContextManager[None]:
        return nullcontext()

    def metrics_position(self) -> int:
        return 0

    def save(self, payload: Callable[[], Saved], steps: int) -> None:
        return

    def save_best(self, payload: Callable[[], Saved]) -> None:
        return

    def summarise(self, summary: Summary) -> None:
        return

    def summary(self) -> Summary:
        return {}

    def abandon(self) -> None:
        return

    def release(self) -> None:
        return


class RunFiles:
    """The folder of a run.

    Args:
        run_dir: its path.
        settings: those of the whole run.
        logger: names of loggers besides ``metrics.jsonl``, see :func:`~snnrl.training.loggers.make_loggers`.
    """

    def __init__(self, run_dir: Path, settings: Settings, logger: str) -> None:
        self.run_dir: Path | None = run_dir
        self.wandb_id: str | None = None
        self.checkpoints = CheckpointStore(run_dir / "checkpoints")
        self._path, self._settings, self._logger = run_dir, settings, logger
        self._folder = RunFolder(run_dir, settings)
        self._metrics: JsonlLogger | None = None
        self._loggers: list[Logger] = []

    def start_from(self, resume: bool | str) -> Path | None:
        if not resume:
            return None
        self._folder.take("resume")
        return self.checkpoints.find(resume) if isinstance(resume, str) else self.checkpoints.latest()

    def begin(self, resumed: bool, metrics_position: int) -> None:
        if not resumed:
            self._folder.make()
        with self._folder.writing(lambda: "its start"):
            if resumed:
                write_settings(self._path, self._settings)
            self._metrics = JsonlLogger(self._path / "metrics.jsonl")
            self._metrics.truncate(metrics_position)

    @property
    def metrics(self) -> JsonlLogger:
        """``metrics.jsonl``."""
        assert self._metrics is not None
        return self._metrics

    def open_loggers(self, steps: int) -> list[Logger]:
        others = make_loggers(
            self._logger,
            self._path,
            self._settings,
            name=self._path.name,
            wandb=self._settings.get("wandb") or {},
            resume_id=self.wandb_id,
            purge_step=steps + 1 if steps else None,
        )
        self.wandb_id = next((logger.id for logger in others if hasattr(logger, "id")), None)
        self._loggers = [self.metrics, *others]
        return self._loggers

    def writing(self, reached: Callable[[], str]) -> AbstractContextManager[None]:
        return self._folder.writing(reached, self.metrics.fileno())

    def metrics_position(self) -> int:
        return self.metrics.position()

    def save(self, payload: Callable[[], Saved], steps: int) -> None:
        self.checkpoints.save(payload(), steps)

    def save_best(self, payload: Callable[[], Saved]) -> None:
        self.checkpoints.save_best(payload())

    def summarise(self, summary: Summary) -> None:
        write_json(self._path / "summary.json", summary)

    def summary(self) -> Summary:
        try:
            summary = json.loads((self._path / "summary.json").read_text(encoding="utf-8"))
        except (OSError, RecursionError, ValueError):
            return {}
        return summary if isinstance(summary, dict) else {}

    def abandon(self) -> None:
        closing = [logger.close for logger in self._loggers if not hasattr(logger, "id")]
        for close in (*closing, self.metrics.close):
            with suppress(Exception):
                close()

    def release(self) -> None:
        self._folder.release()
