"""Training from the first step to the summary: logs, evaluations, checkpoints, resume."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from snnrl.agents import Agent, make_agent
from snnrl.config import RunConfig
from snnrl.envs import env_seeds, make_envs
from snnrl.errors import ConfigError
from snnrl.training.checkpoints import CheckpointStore
from snnrl.training.clock import Clock
from snnrl.training.device import choose_device
from snnrl.training.evaluation import AT_THE_END, WHILE_TRAINING, Evaluation, Stopped, evaluate
from snnrl.training.loggers import JsonlLogger, Logger, make_loggers
from snnrl.training.metrics import RunningMetrics
from snnrl.training.progress import Progress, ProgressMode
from snnrl.training.rollout import Rollout
from snnrl.training.shutdown import GracefulShutdown
from snnrl.training.summary import bootstrap_interval, versions, write_json

LOGS = 200
"""Rows of metrics in a whole run."""


class Runner:
    """One training run in one folder.

    A checkpoint is a barrier: an emulator's state is awkward to save, so the run that goes on starts fresh episodes
    there just as the run that is resumed from it does, with seeds derived from the run's seed and the number of the
    barrier. That is what makes resuming exact.

    Args:
        config: the settings.
        run_dir: the run's folder; made here once everything that can be wrong has been found right.
        resume: go on from the folder's latest checkpoint, or from the start where it was stopped before the first.

    Raises:
        ConfigError: a setting that the environment or agent cannot take, or a checkpoint that does not fit.
    """

    def __init__(self, config: RunConfig, run_dir: Path, *, resume: bool = False) -> None:
        self.config, self.run_dir = config, run_dir
        self.device = choose_device(config.device)
        self.envs = envs = make_envs(config.env, config.num_envs)
        self.agent = make_agent(
            config.agent, envs.single_observation_space, envs.single_action_space, config.env, config.seed
        ).to(self.device)
        self.checkpoints = CheckpointStore(run_dir / "checkpoints")
        self.steps = self.epoch = self.episodes = 0
        self.recent: deque[tuple[float, int]] = deque(maxlen=100)
        self.best: float | None = None
        self.saved_at: int | None = None
        self.evaluated_at = 0
        self.training_clock, self.wall_clock = Clock(), Clock()
        self.wandb_id: str | None = None
        metrics_position = 0
        if resume and self.checkpoints.latest() is not None:
            metrics_position = self._restore(
                self.checkpoints.load(map_location=self.device, architecture=architecture(self.agent))
            )
        self.rollout = self._fresh_episodes()
        try:
            run_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"run_dir={run_dir}: cannot be made ({error.strerror}); must be a folder") from error
        self.metrics_file = JsonlLogger(run_dir / "metrics.jsonl")
        self.metrics_file.truncate(metrics_position)

    def train(self) -> dict[str, Any] | None:
        """Run to the end and return the summary, or ``None`` if a signal stopped it, its state saved."""
        config = self.config
        self.wall_clock.start()
        self.loggers = self._open_loggers()
        summary = None
        with (
            GracefulShutdown() as self.shutdown,
            Progress(config.env_steps, self.steps, cast(ProgressMode, config.progress)) as self.progress,
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
        config = self.config
        others = make_loggers(
            config.logger,
            self.run_dir,
            config.resolved,
            name=self.run_dir.name,
            resume_id=self.wandb_id,
            purge_step=self.steps + 1 if self.steps else None,
        )
        self.wandb_id = next((logger.id for logger in others if hasattr(logger, "id")), None)
        return [self.metrics_file, *others]

    def _loop(self) -> None:
        config = self.config
        metrics = RunningMetrics()
        log_every = max(config.env_steps // LOGS, 1)
        logged_seconds, logged_steps = self.training_clock.seconds, self.steps
        while self.steps < config.env_steps:
            self._stop_if_asked()
            if self.steps // config.eval_every > self.evaluated_at // config.eval_every:
                self._evaluate()
            self.training_clock.start()
            stepped = self.rollout.step()
            before, self.steps = self.steps, self.steps + stepped.decisions
            self.episodes += len(stepped.episodes)
            self.recent.extend((episode.return_, episode.length) for episode in stepped.episodes)
            metrics.add(stepped.metrics)
            self.agent.anneal(min(self.steps / config.env_steps, 1.0))
            self.progress.update(min(self.steps, config.env_steps), self._recent_return())
            if _passed(log_every, before, self.steps):
                seconds = self.training_clock.seconds - logged_seconds
                rate = (self.steps - logged_steps) / max(seconds, 1e-9)
                logged_seconds, logged_steps = self.training_clock.seconds, self.steps
                self._log({**self._rollout_metrics(), **metrics.take(), "time/env_steps_per_second": rate})
            self.training_clock.stop()
            if _passed(config.checkpoint_every, before, self.steps) and self.steps < config.env_steps:
                self._save()
                metrics = RunningMetrics()
                self.rollout = self._fresh_episodes()

    def _stop_if_asked(self) -> None:
        if self.shutdown.requested:
            raise Stopped

    def _fresh_episodes(self) -> Rollout:
        seeds = env_seeds(self.config.seed, "train", self.epoch, self.config.num_envs)
        return Rollout(self.agent, self.envs, self.config.env, seeds)

    def _recent_return(self) -> float | None:
        return float(np.mean([return_ for return_, _ in self.recent])) if self.recent else None

    def _rollout_metrics(self) -> dict[str, float]:
        if not self.recent:
            return {}
        returns, lengths = zip(*self.recent, strict=True)
        return {
            "rollout/return_mean": float(np.mean(returns)),
            "rollout/length_mean": float(np.mean(lengths)),
            "rollout/episodes": float(self.episodes),
        }

    def _log(self, metrics: Mapping[str, float]) -> None:
        for logger in self.loggers:
            logger.log(metrics, self.steps)

    def _play(self, episodes: int, epoch: int) -> Evaluation:
        found = evaluate(
            self.agent,
            self.config.env,
            episodes=episodes,
            seed=self.config.seed,
            epoch=epoch,
            between_steps=self._stop_if_asked,
        )
        self._log(
            {
                "eval/return_mean": float(found.returns.mean()),
                "eval/return_std": float(found.returns.std()),
                "eval/length_mean": float(found.lengths.mean()),
            }
        )
        return found

    def _evaluate(self) -> None:
        """An evaluation on the way; the best one's weights are kept."""
        found = self._play(self.config.eval_during, WHILE_TRAINING)
        mean = float(found.returns.mean())
        self.evaluated_at = self.steps
        self.progress.message(f"{self.steps:,} env steps: {len(found.returns)} evaluation episodes, return {mean:.1f}")
        if self.best is None or mean > self.best:
            self.best = mean
            self.checkpoints.save_best(self._payload())

    def _finish(self) -> dict[str, Any]:
        """Save, play the final evaluation and write ``summary.json``."""
        if self.saved_at != self.steps:
            self._save()
        episodes = self.config.eval_episodes
        self.progress.message(f"trained for {self.steps:,} env steps; playing {episodes} evaluation episodes")
        found = self._play(episodes, AT_THE_END)
        mean, std = float(found.returns.mean()), float(found.returns.std())
        self.wall_clock.stop()
        summary = {
            "env": self.config.env.id,
            "agent": self.config.agent["name"],
            "seed": self.config.seed,
            "eval/return_mean": mean,
            "eval/return_std": std,
            "eval/return_interval_95": list(bootstrap_interval(found.returns)),
            "eval/episodes": episodes,
            "env_steps": self.steps,
            "wall_seconds": round(self.wall_clock.seconds, 2),
            "train_seconds": round(self.training_clock.seconds, 2),
            "env_steps_per_second": round(self.steps / max(self.training_clock.seconds, 1e-9), 1),
            "device": str(self.device),
            "versions": versions(),
        }
        write_json(self.run_dir / "summary.json", summary)
        self.progress.message(f"return {mean:.1f} ± {std:.1f} over {episodes} evaluation episodes")
        return summary

    def _close(self, summary: Mapping[str, Any] | None) -> None:
        for logger in self.loggers:
            logger.close(summary)
        self.envs.close()

    def _payload(self) -> dict[str, Any]:
        return {
            "architecture": architecture(self.agent),
            "agent": self.agent.state_dict(),
            "generator": self.agent.generator.get_state(),
            "steps": self.steps,
            "epoch": self.epoch,
            "episodes": self.episodes,
            "recent": [[return_, length] for return_, length in self.recent],
            "best": self.best,
            "evaluated_at": self.evaluated_at,
            "train_seconds": self.training_clock.seconds,
            "wall_seconds": self.wall_clock.seconds,
            "metrics_position": self.metrics_file.position(),
            "wandb_id": self.wandb_id,
        }

    def _save(self) -> None:
        """Write a checkpoint, after which episodes start afresh."""
        self.epoch += 1
        self.checkpoints.save(self._payload(), self.steps)
        self.saved_at = self.steps

    def _restore(self, saved: Mapping[str, Any]) -> int:
        """Take over what a checkpoint holds; returns where its metrics end."""
        self.agent.load_state_dict(saved["agent"])
        self.agent.generator.set_state(saved["generator"].cpu())
        self.steps, self.epoch, self.episodes = saved["steps"], saved["epoch"], saved["episodes"]
        self.saved_at = self.steps
        self.recent.extend((return_, length) for return_, length in saved["recent"])
        self.best, self.evaluated_at, self.wandb_id = saved["best"], saved["evaluated_at"], saved["wandb_id"]
        self.training_clock, self.wall_clock = Clock(saved["train_seconds"]), Clock(saved["wall_seconds"])
        if self.steps >= self.config.env_steps and self._summarised():
            raise ConfigError(
                f"resume={self.run_dir}: the run has all its {self.config.env_steps} env steps; "
                "give env_steps a higher number to go on"
            )
        return int(saved["metrics_position"])

    def _summarised(self) -> bool:
        """Whether the folder's summary is of the steps that its last checkpoint has."""
        path = self.run_dir / "summary.json"
        return path.is_file() and json.loads(path.read_text()).get("env_steps") == self.steps


def _passed(every: int, before: int, now: int) -> bool:
    """Whether a multiple of ``every`` lies in ``(before, now]``."""
    return now // every > before // every


def architecture(agent: Agent[Any]) -> str:
    """What weights must fit: the agent's kind and the shapes of its parameters."""
    shapes = (f"{name} {tuple(value.shape)}" for name, value in agent.named_parameters())
    return f"{type(agent).__name__}({', '.join(shapes)})"


def load_agent(config: RunConfig, run_dir: Path, checkpoint: str = "last", device: str = "auto") -> Agent[Any]:
    """The trained agent of a run.

    Args:
        config: the run's settings.
        run_dir: its folder.
        checkpoint: ``last``, ``best`` (by the evaluations while training), or a checkpoint's path.
        device: to put it on, whatever it was trained on.

    Raises:
        ConfigError: there is no such checkpoint, or it does not fit.
    """
    place = choose_device(device)
    envs = make_envs(config.env, 1)
    agent = make_agent(config.agent, envs.single_observation_space, envs.single_action_space, config.env, config.seed)
    envs.close()
    store = CheckpointStore(run_dir / "checkpoints")
    if checkpoint == "best" and store.best() is None:
        raise ConfigError(
            f"checkpoint=best: {run_dir} has none, as no evaluation was made while training; must be last"
        )
    named: Mapping[str, Path | None] = {"last": store.latest(), "best": store.best()}
    path = named[checkpoint] if checkpoint in named else Path(checkpoint)
    saved = store.load(path, map_location=place, architecture=architecture(agent))
    agent.load_state_dict(saved["agent"])
    agent.generator.set_state(saved["generator"].cpu())
    return agent.to(place).eval()
