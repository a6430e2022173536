"""A run from the first step to the summary, whatever it learns from: logs, evaluations, checkpoints, resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from snnrl.errors import ConfigError
from snnrl.training.checkpoints import CheckpointStore
from snnrl.training.clock import Clock
from snnrl.training.evaluation import Stopped
from snnrl.training.loggers import JsonlLogger, Logger, make_loggers
from snnrl.training.memory import FreeMemory
from snnrl.training.metrics import RunningMetrics
from snnrl.training.progress import Progress, ProgressMode
from snnrl.training.shutdown import GracefulShutdown
from snnrl.training.summary import versions, write_json
from snnrl.training.workload import Workload, architecture

LOGS = 200
"""Rows of metrics in a whole run."""


class SessionConfig(Protocol):
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


class Session:
    """One training run in one folder.

    Args:
        workload: what is learned from, and what learns.
        config: the settings.
        run_dir: the run's folder; made here once everything that can be wrong has been found right.
        resume: go on from the folder's latest checkpoint, or from the start where it was stopped before the first.

    Raises:
        ConfigError: a checkpoint that does not fit, or a folder that cannot be made.
    """

    def __init__(self, workload: Workload, config: SessionConfig, run_dir: Path, *, resume: bool = False) -> None:
        self.workload, self.settings, self.run_dir = workload, config, run_dir
        self.checkpoints = CheckpointStore(run_dir / "checkpoints")
        self.steps = self.epoch = 0
        self.best: float | None = None
        self.saved_at: int | None = None
        self.evaluated_at = 0
        self.training_clock, self.wall_clock = Clock(), Clock()
        self.wandb_id: str | None = None
        metrics_position = 0
        if resume and self.checkpoints.latest() is not None:
            metrics_position = self._restore(
                self.checkpoints.load(map_location=workload.device, architecture=architecture(workload.model))
            )
        workload.begin(self.epoch, self.steps)
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"run_dir={run_dir}: cannot be made ({error.strerror}); must be a folder") from error
        self.metrics_file = JsonlLogger(run_dir / "metrics.jsonl")
        self.metrics_file.truncate(metrics_position)

    def train(self) -> dict[str, Any] | None:
        """Run to the end and return the summary, or ``None`` if a signal stopped it, its state saved."""
        workload = self.workload
        self.wall_clock.start()
        self.loggers = self._open_loggers()
        summary = None
        with (
            GracefulShutdown() as self.shutdown,
            Progress(
                workload.total,
                self.steps,
                cast(ProgressMode, self.settings.progress),
                unit=workload.unit,
                score=workload.score,
            ) as self.progress,
        ):
            try:
                self._loop()
                summary = self._finish()
            except Stopped:
                if self.saved_at != self.steps:
                    self._save()
        self._close(summary)
        return summary

    def _open_loggers(self) -> list[Logger]:
        others = make_loggers(
            self.settings.logger,
            self.run_dir,
            self.settings.resolved,
            name=self.run_dir.name,
            resume_id=self.wandb_id,
            purge_step=self.steps + 1 if self.steps else None,
        )
        self.wandb_id = next((logger.id for logger in others if hasattr(logger, "id")), None)
        return [self.metrics_file, *others]

    def _loop(self) -> None:
        workload, settings = self.workload, self.settings
        metrics, memory = RunningMetrics(), FreeMemory()
        log_every = max(workload.total // LOGS, 1)
        logged_seconds, logged_steps = self.training_clock.seconds, self.steps
        while self.steps < workload.total:
            self._stop_if_asked()
            if self.steps // settings.eval_every > self.evaluated_at // settings.eval_every:
                self._evaluate()
            self.training_clock.start()
            stepped = workload.step()
            before, self.steps = self.steps, self.steps + stepped.steps
            metrics.add(stepped.metrics)
            self.progress.update(min(self.steps, workload.total), workload.recent())
            if _passed(log_every, before, self.steps):
                seconds = self.training_clock.seconds - logged_seconds
                rate = (self.steps - logged_steps) / max(seconds, 1e-9)
                logged_seconds, logged_steps = self.training_clock.seconds, self.steps
                self._log({**workload.row(), **metrics.take(), f"time/{workload.key}_per_second": rate})
            memory.release_when_due()
            self.training_clock.stop()
            due = _passed(settings.checkpoint_every, before, self.steps) and workload.settled
            if due and self.steps < workload.total:
                self._save()
                metrics = RunningMetrics()
                workload.begin(self.epoch, self.steps)

    def _stop_if_asked(self) -> None:
        if self.shutdown.requested:
            raise Stopped

    def _log(self, metrics: Mapping[str, float]) -> None:
        for logger in self.loggers:
            logger.log(metrics, self.steps)

    def _evaluate(self) -> None:
        """An evaluation on the way; the best one's weights are kept."""
        found = self.workload.evaluate(self._stop_if_asked)
        self._log(found.metrics)
        self.evaluated_at = self.steps
        self.progress.message(f"{self.steps:,} {self.workload.unit}: {found.message}")
        if found.score is not None and (self.best is None or found.score > self.best):
            self.best = found.score
            self.checkpoints.save_best(self._payload())

    def _finish(self) -> dict[str, Any]:
        """Save, make the final evaluation and write ``summary.json``."""
        if self.workload.complete(self._stop_if_asked) or self.saved_at != self.steps:
            self._save()
        found = self.workload.finish(self._stop_if_asked, self.progress.message)
        self._log(found.metrics)
        self.workload.picture(self.run_dir, self.loggers, self.steps)
        self.wall_clock.stop()
        seconds = self.training_clock.seconds
        summary = {
            **found.summary,
            self.workload.key: self.steps,
            "wall_seconds": round(self.wall_clock.seconds, 2),
            "train_seconds": round(seconds, 2),
            self.workload.rate: round(self.steps / max(seconds, 1e-9), 1),
            "device": str(self.workload.device),
            "versions": versions(),
        }
        write_json(self.run_dir / "summary.json", summary)
        self.progress.message(found.message)
        return summary

    def _close(self, summary: Mapping[str, Any] | None) -> None:
        for logger in self.loggers:
            logger.close(summary)
        self.workload.close()

    def _payload(self) -> dict[str, Any]:
        model = self.workload.model
        return {
            "architecture": architecture(model),
            self.workload.part: model.state_dict(),
            "generator": model.generator.get_state(),
            "steps": self.steps,
            "epoch": self.epoch,
            **self.workload.payload(),
            "best": self.best,
            "evaluated_at": self.evaluated_at,
            "train_seconds": self.training_clock.seconds,
            "wall_seconds": self.wall_clock.seconds,
            "metrics_position": self.metrics_file.position(),
            "wandb_id": self.wandb_id,
        }

    def _save(self) -> None:
        """Write a checkpoint, after which a workload begins anew."""
        self.epoch += 1
        self.checkpoints.save(self._payload(), self.steps)
        self.saved_at = self.steps

    def _restore(self, saved: Mapping[str, Any]) -> int:
        """Take over what a checkpoint holds; returns where its metrics end."""
        workload = self.workload
        if "epoch" not in saved:
            raise ConfigError(
                f"resume={self.run_dir}: holds weights alone, to be played; must be a run that was trained"
            )
        workload.model.load_state_dict(saved[workload.part])
        workload.model.generator.set_state(saved["generator"].cpu())
        self.steps, self.epoch = saved["steps"], saved["epoch"]
        self.saved_at = self.steps
        workload.restore(saved)
        self.best, self.evaluated_at, self.wandb_id = saved["best"], saved["evaluated_at"], saved["wandb_id"]
        self.training_clock, self.wall_clock = Clock(saved["train_seconds"]), Clock(saved["wall_seconds"])
        if self.steps >= workload.total and self._summarised():
            raise ConfigError(
                f"resume={self.run_dir}: the run has all its {workload.total} {workload.unit}; "
                f"give {workload.setting} a higher number to go on"
            )
        return int(saved["metrics_position"])

    def _summarised(self) -> bool:
        """Whether the folder's summary is of the steps that its last checkpoint has; one that is damaged is not."""
        try:
            summary = json.loads((self.run_dir / "summary.json").read_text(encoding="utf-8"))
        except (OSError, RecursionError, ValueError):
            return False
        return isinstance(summary, dict) and summary.get(self.workload.key) == self.steps


def _passed(every: int, before: int, now: int) -> bool:
    """Whether a multiple of ``every`` lies in ``(before, now]``."""
    return now // every > before // every
