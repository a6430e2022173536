"""A run from the first step to the summary, whatever it learns from: logs, evaluations, checkpoints, resume."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol, cast

from torch import Tensor

from snnrl.config import write_settings
from snnrl.errors import ConfigError, one_line
from snnrl.output import lasting_output
from snnrl.training.checkpoints import CheckpointStore, taking_over
from snnrl.training.clock import Clock
from snnrl.training.device import repeat_results
from snnrl.training.divergence import check_finite
from snnrl.training.evaluation import Stopped
from snnrl.training.folder import RunFolder
from snnrl.training.loggers import JsonlLogger, Logger, make_loggers
from snnrl.training.memory import FreeMemory
from snnrl.training.metrics import RunningMetrics
from snnrl.training.progress import Progress, ProgressMode
from snnrl.training.shutdown import GracefulShutdown
from snnrl.training.summary import versions, write_json
from snnrl.training.task import Task, architecture

LOGS = 200
"""Rows of metrics in a whole run."""


class TrainerConfig(Protocol):
    """The settings that every run has."""

    @property
    def logger(self) -> str: ...
    @property
    def progress(self) -> str: ...
    @property
    def eval_every(self) -> int: ...
    @property
    def checkpoint_every(self) -> int: ...
    @property
    def resolved(self) -> Mapping[str, Any]: ...


class Trainer:
    """One training run in one folder.

    Args:
        task: what is learned from, and what learns.
        config: the settings.
        run_dir: the run's folder; made here once everything that can be wrong has been found right.
        resume: go on from the folder's latest checkpoint, or from the start where it was stopped before the first; or
            from the checkpoint of this name: ``last``, ``best``, or a file.

    Raises:
        ConfigError: a checkpoint that does not fit, a folder that cannot be made, or one that another process uses.
    """

    def __init__(self, task: Task, config: TrainerConfig, run_dir: Path, *, resume: bool | str = False) -> None:
        self.task, self.settings, self.run_dir = task, config, run_dir
        self.checkpoints = CheckpointStore(run_dir / "checkpoints")
        self.steps = self.epoch = 0
        self.best: float | None = None
        self.saved_at: int | None = None
        self.evaluated_at = 0
        self.training_clock, self.wall_clock = Clock(), Clock()
        self.wandb_id: str | None = None
        self.loggers: list[Logger] = []
        self.folder = RunFolder(run_dir, config.resolved)
        try:
            self._begin(resume)
        except BaseException:
            self.folder.release()
            raise

    def _begin(self, resume: bool | str) -> None:
        """Take over what there is, and then the folder."""
        metrics_position = 0
        if resume:
            self.folder.take("resume")
            path = self.checkpoints.find(resume) if isinstance(resume, str) else self.checkpoints.latest()
            if path is not None:
                saved = self.checkpoints.load(path, architecture=architecture(self.task.model))
                with taking_over(path):
                    metrics_position = self._restore(saved)
        repeat_results(self.task.device)
        self.task.begin(self.epoch, self.steps)
        if not resume:
            self.folder.make()
        with self.folder.writing(lambda: "its start"):
            if resume:
                write_settings(self.run_dir, self.settings.resolved)
            self.metrics_file = JsonlLogger(self.run_dir / "metrics.jsonl")
            self.metrics_file.truncate(metrics_position)

    def train(self) -> dict[str, Any] | None:
        """Run to the end and return the summary, or ``None`` if a signal stopped it, its state saved.

        Raises:
            RunError: the folder cannot be written to any more; what it holds is whole.
        """
        self.wall_clock.start()
        with lasting_output(), GracefulShutdown() as self.shutdown:
            try:
                with self._writing():
                    self._open_loggers()
                summary = self._run()
                with self._writing():
                    self._close(summary)
            except Exception:
                self._abandon()
                raise
            finally:
                self.folder.release()
        return summary

    def _run(self) -> dict[str, Any] | None:
        task, mode = self.task, cast(ProgressMode, self.settings.progress)
        with Progress(task.total, self.steps, mode, unit=task.unit, score=task.score) as self.progress:
            try:
                self._loop()
                return self._finish()
            except Stopped:
                if self.saved_at != self.steps:
                    self._save()
        return None

    def _writing(self) -> AbstractContextManager[None]:
        """Around what writes to the folder."""
        return self.folder.writing(lambda: f"{self.steps:,} {self.task.unit}", self.metrics_file.fileno())

    def _open_loggers(self) -> None:
        others = make_loggers(
            self.settings.logger,
            self.run_dir,
            self.settings.resolved,
            name=self.run_dir.name,
            resume_id=self.wandb_id,
            purge_step=self.steps + 1 if self.steps else None,
        )
        self.wandb_id = next((logger.id for logger in others if hasattr(logger, "id")), None)
        self.loggers = [self.metrics_file, *others]

    def _loop(self) -> None:
        task, settings = self.task, self.settings
        metrics, memory = RunningMetrics(), FreeMemory()
        log_every = max(task.total // LOGS, 1)
        logged_seconds, logged_steps = self.training_clock.seconds, self.steps
        while self.steps < task.total:
            self._stop_if_asked()
            if self.steps // settings.eval_every > self.evaluated_at // settings.eval_every:
                self._evaluate()
            self.training_clock.start()
            stepped = task.step()
            before, self.steps = self.steps, self.steps + stepped.steps
            metrics.add(stepped.metrics)
            self.progress.update(min(self.steps, task.total), task.recent())
            if _passed(log_every, before, self.steps):
                seconds = self.training_clock.seconds - logged_seconds
                rate = (self.steps - logged_steps) / max(seconds, 1e-9)
                logged_seconds, logged_steps = self.training_clock.seconds, self.steps
                self._log({**task.row(), **metrics.take(), f"time/{task.key}_per_second": rate})
            memory.release_when_due()
            self.training_clock.stop()
            due = _passed(settings.checkpoint_every, before, self.steps) and task.can_checkpoint
            if due and self.steps < task.total:
                self._save()
                metrics = RunningMetrics()
                task.begin(self.epoch, self.steps)

    def _stop_if_asked(self) -> None:
        if self.shutdown.requested:
            raise Stopped

    def _log(self, metrics: Mapping[str, float]) -> None:
        with self._writing():
            for logger in self.loggers:
                logger.log(metrics, self.steps)

    def _evaluate(self) -> None:
        """An evaluation on the way; the best one's weights are kept."""
        found = self.task.evaluate(self._stop_if_asked)
        self._log(found.metrics)
        self.evaluated_at = self.steps
        self.progress.message(f"{self.steps:,} {self.task.unit}: {found.message}")
        if found.score is not None and (self.best is None or found.score > self.best):
            self.best = found.score
            with self._writing():
                self.checkpoints.save_best(self._payload())

    def _finish(self) -> dict[str, Any]:
        """Save, make the final evaluation and write ``summary.json``."""
        if self.task.complete(self._stop_if_asked) or self.saved_at != self.steps:
            self._save()
        found = self.task.finish(self._stop_if_asked, self.progress.message)
        self._log(found.metrics)
        with self._writing():
            self.task.picture(self.run_dir, self.loggers, self.steps)
        self.wall_clock.stop()
        seconds = self.training_clock.seconds
        summary = {
            **found.summary,
            self.task.key: self.steps,
            "wall_seconds": round(self.wall_clock.seconds, 2),
            "train_seconds": round(seconds, 2),
            self.task.rate: round(self.steps / max(seconds, 1e-9), 1),
            "device": str(self.task.device),
            "versions": versions(),
        }
        with self._writing():
            write_json(self.run_dir / "summary.json", summary)
        self.progress.message(found.message)
        return summary

    def _close(self, summary: Mapping[str, Any] | None) -> None:
        for logger in self.loggers:
            logger.close(summary)
        self.task.close()

    def _abandon(self) -> None:
        """Close what a failure has left open; wandb is not told that the run has finished."""
        closing = [logger.close for logger in self.loggers if not hasattr(logger, "id")]
        for close in (*closing, self.metrics_file.close, self.task.close):
            with suppress(Exception):
                close()

    def _payload(self) -> dict[str, Any]:
        model = self.task.model
        check_finite(model, f"after {self.steps:,} {self.task.unit}")
        return {
            "architecture": architecture(model),
            self.task.part: model.state_dict(),
            "generator": model.generator.get_state(),
            "steps": self.steps,
            "epoch": self.epoch,
            **self.task.payload(),
            "best": self.best,
            "evaluated_at": self.evaluated_at,
            "train_seconds": self.training_clock.seconds,
            "wall_seconds": self.wall_clock.seconds,
            "metrics_position": self.metrics_file.position(),
            "wandb_id": self.wandb_id,
        }

    def _save(self) -> None:
        """Write a checkpoint, after which a task begins anew."""
        self.epoch += 1
        with self._writing():
            self.checkpoints.save(self._payload(), self.steps)
        self.saved_at = self.steps

    def _restore(self, saved: Mapping[str, Any]) -> int:
        """Take over what a checkpoint holds; returns where its metrics end."""
        task = self.task
        if "epoch" not in saved:
            raise ConfigError(
                f"resume={self.run_dir}: holds weights alone, to be played; must be a run that was trained"
            )
        for name, (kinds, least) in _HELD.items():
            value = saved[name]
            fits = type(value) in kinds and not (isinstance(value, int | float) and not value >= least)
            if not fits:
                raise ValueError(f"its {name!r} is {one_line(repr(value), 40)}")
        task.model.load_state_dict(saved[task.part])
        task.model.generator.set_state(saved["generator"].cpu())
        self.steps, self.epoch = saved["steps"], saved["epoch"]
        self.saved_at = self.steps
        task.restore(saved)
        self.best, self.evaluated_at, self.wandb_id = saved["best"], saved["evaluated_at"], saved["wandb_id"]
        self.training_clock, self.wall_clock = Clock(saved["train_seconds"]), Clock(saved["wall_seconds"])
        if self.steps >= task.total and self._summarised():
            raise ConfigError(
                f"resume={self.run_dir}: the run has all its {task.total} {task.unit}; "
                f"give {task.setting} a higher number to go on"
            )
        return int(saved["metrics_position"])

    def _summarised(self) -> bool:
        """Whether the folder's summary is of the steps that its last checkpoint has; one that is damaged is not."""
        try:
            summary = json.loads((self.run_dir / "summary.json").read_text(encoding="utf-8"))
        except (OSError, RecursionError, ValueError):
            return False
        return isinstance(summary, dict) and summary.get(self.task.key) == self.steps


_HELD: Mapping[str, tuple[tuple[type, ...], float]] = {
    "steps": ((int,), 0),
    "epoch": ((int,), 0),
    "best": ((float, int, type(None)), -math.inf),
    "evaluated_at": ((int,), 0),
    "train_seconds": ((float, int), 0),
    "wall_seconds": ((float, int), 0),
    "metrics_position": ((int,), 0),
    "wandb_id": ((str, type(None)), 0),
    "generator": ((Tensor,), 0),
}
"""What every checkpoint of a run holds: its types, and the least number."""


def _passed(every: int, before: int, now: int) -> bool:
    """Whether a multiple of ``every`` lies in ``(before, now]``."""
    return now // every > before // every
