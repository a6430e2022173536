"""A run from the first step to the summary, whatever it learns from: logs, evaluations, checkpoints, resume."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from torch import Generator, Tensor, nn

from snnrl.errors import ConfigError, one_line
from snnrl.output import lasting_output
from snnrl.ranks import LostRankError
from snnrl.training.callbacks import AnyCallback, as_callback
from snnrl.training.checkpoints import load_checkpoint, taking_over
from snnrl.training.clock import Clock, passed
from snnrl.training.device import repeat_results
from snnrl.training.divergence import check_finite
from snnrl.training.evaluation import Evaluation, Stopped
from snnrl.training.files import Files, History, NoFiles, RunFiles
from snnrl.training.filming import Filming
from snnrl.training.loggers import Logger
from snnrl.training.memory import FreeMemory
from snnrl.training.metrics import RunningMetrics
from snnrl.training.progress import Progress
from snnrl.training.run import Run
from snnrl.training.shutdown import GracefulShutdown
from snnrl.training.summary import Summary, git_commit, versions
from snnrl.training.task import AnyTask, Finished, architecture, generator_of
from snnrl.types import Saved

LOGS = 200
"""Rows of metrics in a whole run."""


class Trainer:
    """One training run.

    >>> from snnrl.loading import make_task
    >>> task = make_task(env="CartPole", env_steps=64, seed=0, eval={"episodes": 1}, progress="none")
    >>> Trainer(task).train().steps
    64

    Args:
        task: what is learned from, and what learns.
        run_dir: the run's folder, by default the one that the task's settings name; made here once everything that can
            be wrong has been found right. Without one nothing is written.
        resume: go on from the folder's latest checkpoint, or from the start where it was stopped before the first; or
            from the checkpoint of this name: ``last``, ``best``, or a file.
        callback: told of every step, see :mod:`snnrl.training.callbacks`; it may end the run.
        epoch: how often the model has begun fresh episodes in earlier runs, of which it plays none again.
        log_every: steps between two rows of metrics; ``None`` is a 200th of the run.
        evaluate: whether there is an evaluation at the end.

    Raises:
        ConfigError: a checkpoint that does not fit, a folder that cannot be made, or one that another process uses.
    """

    def __init__(
        self,
        task: AnyTask,
        run_dir: str | Path | None = None,
        *,
        resume: bool | str = False,
        callback: AnyCallback = None,
        epoch: int = 0,
        log_every: int | None = None,
        evaluate: bool = True,
    ) -> None:
        self.task, self.settings, self.ranks = task, task.config, task.ranks
        self.callback = task.callback = as_callback(callback)
        self.epoch, self._evaluates = epoch, evaluate
        self.steps = task.steps
        self._log_every = log_every or max(task.total // LOGS, 1)
        self.best: float | None = None
        self.saved_at: int | None = None
        self.evaluated_at = self.steps
        self.evaluation: Evaluation | Tensor | None = None
        self.training_clock, self.wall_clock = Clock(), Clock()
        self.history = History()
        self.stopped_by: str | None = None
        self._warned: set[str] = set()
        self._filming = Filming(task)
        self._commit = git_commit()
        self.loggers: list[Logger] = [self.history]
        folder = self.settings.run_dir if run_dir is None else Path(run_dir)
        self.files: Files = NoFiles()
        if folder is not None and self.ranks.leads:
            self.files = RunFiles(folder, self.settings.resolved, self.settings.logger)
        try:
            self._begin(resume)
        except BaseException:
            self.files.release()
            raise

    def _begin(self, resume: bool | str) -> None:
        """Take over what there is, and then the folder."""
        metrics_position = 0
        if self._evaluates:
            self.task.check_evaluation()
        self.ranks.told(lambda: self._filming.check(logs=self.files.run_dir is not None))
        path, saved = self.ranks.told(lambda: self._saved(resume))
        if saved is not None:
            with taking_over(path):
                metrics_position = self._restore(saved)
        repeat_results(self.task.device)
        self.task.begin(self.epoch, self.steps)
        self.ranks.told(lambda: self.files.begin(bool(resume), metrics_position))

    def _saved(self, resume: bool | str) -> tuple[Path | None, Saved | None]:
        """The checkpoint that the run goes on from, if there is one, and what it holds."""
        path = self.files.start_from(resume)
        if path is None:
            return None, None
        return path, load_checkpoint(path, architecture=architecture(self.task.model))

    def train(self) -> Run:
        """Run to the end; a signal stops it before, its state saved.

        Raises:
            RunError: the folder cannot be written to any more; what it holds is whole.
        """
        self.wall_clock.start()
        with lasting_output(), GracefulShutdown() as self.shutdown:
            try:
                with self._writing():
                    self.loggers = [self.history, *self.files.open_loggers(self.steps)]
                self.callback.init_callback(self.task.learning)
                self.callback.on_training_start({"self": self.task.learning, "total_timesteps": self.task.total}, {})
                summary = self._run()
                self.callback.on_training_end()
                with self._writing():
                    self._close(summary)
            except Exception:
                self._abandon()
                raise
            finally:
                self.files.release()
        model, rows = self.task.model, self.history.rows
        return Run(model, self.steps, summary, rows, self.evaluation, self.files.run_dir, self.stopped_by)

    def _run(self) -> Summary | None:
        task, mode = self.task, self.settings.progress if self.ranks.leads else "none"
        with Progress(task.total, self.steps, mode, unit=task.unit, score=task.score) as self.progress:
            try:
                self._loop()
                return self._finish()
            except Stopped as stopped:
                self.stopped_by = str(stopped)
                if self.saved_at != self.steps:
                    self._save()
            except LostRankError as error:
                so_far = f"so this one stopped at {self._reached()}; the last checkpoint is whole"
                raise LostRankError(f"{error}, {so_far}") from error
        return None

    def _reached(self) -> str:
        return f"{self.steps:,} {self.task.unit}"

    def _writing(self) -> AbstractContextManager[None]:
        """Around what writes to the folder."""
        return self.files.writing(self._reached)

    def _loop(self) -> None:
        task, settings = self.task, self.settings
        metrics, memory, log_every = RunningMetrics(), FreeMemory(), self._log_every
        logged_seconds, logged_steps = self.training_clock.seconds, self.steps
        while self.steps < task.total:
            self._stop_if_asked()
            if self._evaluation_is_due():
                self._evaluate()
            self.training_clock.start()
            stepped = task.step()
            before, self.steps = self.steps, self.steps + stepped.steps
            metrics.add(stepped.metrics)
            self.progress.update(min(self.steps, task.total), task.recent())
            if passed(log_every, before, self.steps):
                seconds = self.training_clock.seconds - logged_seconds
                rate = (self.steps - logged_steps) / max(seconds, 1e-9)
                logged_seconds, logged_steps = self.training_clock.seconds, self.steps
                self._log({**task.row(), **metrics.take(), f"time/{task.key}_per_second": rate})
            memory.release_when_due()
            self.training_clock.stop()
            if self._evaluates and (self._evaluation_is_due() or self.steps >= task.total):
                self._look()  # before a checkpoint, after which a task begins anew
            if self._filming.is_due(before, self.steps):
                self.ranks.told(self._film)
            if not stepped.proceed:
                return
            due = passed(settings.checkpoint_every, before, self.steps) and task.can_checkpoint
            if due and self.steps < task.total:
                self._save()
                metrics = RunningMetrics()
                task.begin(self.epoch, self.steps)

    @property
    def _generator(self) -> Generator:
        """What the model draws from."""
        return generator_of(self.task.model)

    def _stop_if_asked(self) -> None:
        if (signal := self.ranks.agreed(self.shutdown.requested)) is not None:
            raise Stopped(signal)

    def _between(self, note: str) -> None:
        """While an evaluation goes on, in one process: show it, and end it where a signal asks for that."""
        if self.shutdown.requested:
            raise Stopped(self.shutdown.requested)
        self.progress.tell(note)

    def _log(self, metrics: Mapping[str, float]) -> None:
        with self._writing():
            for logger in self.loggers:
                logger.log(metrics, self.steps)

    def _evaluation_is_due(self) -> bool:
        every = self.settings.eval_every
        return self.steps // every > self.evaluated_at // every

    def _look(self) -> None:
        """Look into the model: metrics for the log, histograms for loggers that take some, and each warning once."""
        seen = self.task.look()
        if seen.metrics:
            self._log(seen.metrics)
        if self.files.run_dir is not None:
            with self._writing():
                for logger in self.loggers:
                    logger.histograms(seen.values, self.steps)
        for warning in seen.warnings:
            if warning.partition(" in ")[0] not in self._warned:
                self._warned.add(warning.partition(" in ")[0])
                self.progress.message(f"{self._reached()}: {warning}")

    def _film(self) -> None:
        """Show the loggers an episode."""
        film = self.task.film(self._between)
        if film is not None:
            with self._writing():
                for logger in self.loggers:
                    logger.video(film.name, film.gif, self.steps)
            self.progress.message(f"{self._reached()}: {film.message}")

    def _evaluate(self) -> None:
        """An evaluation on the way; the best one's weights are kept."""
        found, draws = self.ranks.told(lambda: (self.task.evaluate(self._between), self._generator.get_state()))
        self._generator.set_state(draws)
        self._log(found.metrics)
        self.evaluated_at = self.steps
        self.progress.message(f"{self.steps:,} {self.task.unit}: {found.message}")
        if found.score is not None and (self.best is None or found.score > self.best):
            check_finite(self.task.model, f"after {self._reached()}")
            self.best = found.score
            with self._writing():
                self.files.save_best(self._payload)

    def _finish(self) -> Summary:
        """Save, make the final evaluation and write ``summary.json``."""
        completed = self.ranks.told(lambda: self.task.complete(self._between))
        if completed or self.saved_at != self.steps:
            self._save()
        found = self.ranks.told(self._final) if self._evaluates else None
        self.evaluation = found and found.evaluation
        self.wall_clock.stop()
        seconds = self.training_clock.seconds
        summary = {
            **(found.summary if found else {}),
            self.task.key: self.steps,
            "wall_seconds": round(self.wall_clock.seconds, 2),
            "train_seconds": round(seconds, 2),
            self.task.rate: round(self.steps / max(seconds, 1e-9), 1),
            "device": str(self.task.device),
            "versions": versions(),
            **({} if self._commit is None else {"git_commit": self._commit}),
        }
        with self._writing():
            self.files.summarise(summary)
        if found:
            self.progress.message(found.message)
        return summary

    def _final(self) -> Finished:
        """The evaluation at the end."""
        found = self.task.finish(self._between, self.progress.message)
        self.progress.tell("")
        self._log(found.metrics)
        if self.files.run_dir is not None:
            with self._writing():
                self.task.picture(self.files.run_dir, self.loggers, self.steps)
        return found

    def _close(self, summary: Summary | None) -> None:
        for logger in self.loggers:
            logger.close(summary)
        self.task.close()

    def _abandon(self) -> None:
        """Close what a failure has left open."""
        self.files.abandon()
        with suppress(Exception):
            self.task.close()

    def _payload(self) -> Saved:
        model: nn.Module = self.task.model
        return {
            "architecture": architecture(model),
            self.task.part: model.state_dict(),
            "generator": self._generator.get_state(),
            "world_size": self.ranks.size,
            "steps": self.steps,
            "epoch": self.epoch,
            **self.task.payload(),
            "best": self.best,
            "evaluated_at": self.evaluated_at,
            "train_seconds": self.training_clock.seconds,
            "wall_seconds": self.wall_clock.seconds,
            "metrics_position": self.files.metrics_position(),
            "wandb_id": self.files.wandb_id,
        }

    def _save(self) -> None:
        """Write a checkpoint, after which a task begins anew."""
        check_finite(self.task.model, f"after {self._reached()}")
        self.ranks.require_alike(self.task.model, f"after {self._reached()}")
        self.epoch += 1
        with self._writing():
            self.files.save(self._payload, self.steps)
        self.saved_at = self.steps

    def _restore(self, saved: Saved) -> int:
        """Take over what a checkpoint holds; returns where its metrics end."""
        task = self.task
        if "epoch" not in saved:
            raise ConfigError(
                f"resume={self.files.run_dir}: holds weights alone, to be played; must be a run that was trained"
            )
        for name, (kinds, least) in _HELD.items():
            value = saved[name]
            fits = type(value) in kinds and not (isinstance(value, int | float) and not value >= least)
            if not fits:
                raise ValueError(f"its {name!r} is {one_line(repr(value), 40)}")
        task.model.load_state_dict(saved[task.part])
        self._generator.set_state(saved["generator"].cpu())
        self.steps, self.epoch = saved["steps"], saved["epoch"]
        self.saved_at = self.steps
        task.restore(saved)
        self.best, self.evaluated_at, self.files.wandb_id = saved["best"], saved["evaluated_at"], saved["wandb_id"]
        self.training_clock, self.wall_clock = Clock(saved["train_seconds"]), Clock(saved["wall_seconds"])
        ended = self.ranks.told(lambda: self.files.summary().get(task.key))
        if self.steps >= task.total and ended == self.steps:
            raise ConfigError(
                f"resume={self.files.run_dir}: the run has all its {task.total} {task.unit}; "
                f"give {task.setting} a higher number to go on"
            )
        return int(saved["metrics_position"])


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
