"""Training from the first step to the summary: logs, evaluations, checkpoints, resume."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snnrl.agents import Agent, make_agent
from snnrl.config import RunConfig
from snnrl.envs import env_seeds, make_envs
from snnrl.errors import ConfigError
from snnrl.training.checkpoints import CheckpointStore
from snnrl.training.device import choose_device
from snnrl.training.evaluation import AT_THE_END, WHILE_TRAINING, evaluate
from snnrl.training.loggers import JsonlLogger, Logger, make_loggers
from snnrl.training.metrics import RunningMetrics
from snnrl.training.progress import Progress, ProgressMode
from snnrl.training.rollout import Rollout
from snnrl.training.shutdown import GracefulShutdown
from snnrl.training.summary import versions

LOGS = 200
"""Rows of metrics in a whole run."""


class Runner:
    """One training run in one folder.

    A checkpoint is a barrier: an emulator's state is awkward to save, so the run that goes on starts fresh episodes
    there just as the run that is resumed from it does, with seeds derived from the run's seed and the number of the
    barrier. That is what makes resuming exact.

    Args:
        config: the settings.
        run_dir: the run's folder, with its ``config.yaml`` written.
        resume: go on from the folder's latest checkpoint.

    Raises:
        ConfigError: a setting that the environment or agent cannot take, or a checkpoint that does not fit.
    """

    def __init__(self, config: RunConfig, run_dir: Path, *, resume: bool = False) -> None:
        self.config, self.run_dir = config, run_dir
        self.device = choose_device(config.device)
        self.envs = make_envs(config.env, config.num_envs)
        self.agent = make_agent(
            config.agent,
            self.envs.single_observation_space,
            self.envs.single_action_space,
            config.env,
            config.seed,
        ).to(self.device)
        self.checkpoints = CheckpointStore(run_dir / "checkpoints")
        self.metrics_file = JsonlLogger(run_dir / "metrics.jsonl")
        self.steps = self.epoch = self.episodes = 0
        self.recent: deque[tuple[float, int]] = deque(maxlen=100)
        self.best: float | None = None
        self.seconds = 0.0
        self.wandb_id: str | None = None
        if resume:
            self._restore(self.checkpoints.load(map_location=self.device, architecture=architecture(self.agent)))

    def train(self) -> dict[str, Any] | None:
        """Run to the end and return the summary, or ``None`` if a signal stopped it, its state saved."""
        config = self.config
        self.loggers: list[Logger] = [
            self.metrics_file,
            *make_loggers(
                config.logger,
                self.run_dir,
                config.resolved,
                name=self.run_dir.name,
                resume_id=self.wandb_id,
                purge_step=self.steps or None,
            ),
        ]
        self.wandb_id = next((logger.id for logger in self.loggers if hasattr(logger, "id")), None)
        mode: ProgressMode = config.progress  # type: ignore[assignment]
        with (
            GracefulShutdown() as shutdown,
            Progress(config.env_steps, self.steps, mode) as self.progress,
        ):
            self._loop(shutdown)
            if shutdown.requested:
                self._save()
                self._close(None)
                return None
            summary = self._finish()
        self._close(summary)
        return summary

    def _loop(self, shutdown: GracefulShutdown) -> None:
        config = self.config
        metrics = RunningMetrics()
        began, before = time.perf_counter(), self.seconds
        rollout = self._fresh_episodes()
        log_every = max(config.env_steps // LOGS, 1)
        logged_at, logged_steps = began, self.steps
        while self.steps < config.env_steps and not shutdown.requested:
            stepped = rollout.step()
            previous, self.steps = self.steps, self.steps + stepped.decisions
            self.seconds = before + time.perf_counter() - began
            self.episodes += len(stepped.episodes)
            self.recent.extend((episode.return_, episode.length) for episode in stepped.episodes)
            metrics.add(stepped.metrics)
            self.agent.anneal(min(self.steps / config.env_steps, 1.0))
            self.progress.update(min(self.steps, config.env_steps), self._recent_return())

            def passed(every: int, previous: int = previous) -> bool:
                return self.steps // every > previous // every

            if passed(log_every):
                now = time.perf_counter()
                rate = (self.steps - logged_steps) / (now - logged_at)
                logged_at, logged_steps = now, self.steps
                self._log({**self._rollout_metrics(), **metrics.take(), "time/env_steps_per_second": rate})
            if passed(config.eval_every) and self.steps < config.env_steps:
                self._evaluate()
                logged_at = time.perf_counter()
            if passed(config.checkpoint_every) and self.steps < config.env_steps:
                metrics = RunningMetrics()
                self._save()
                rollout = self._fresh_episodes()

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

    def _evaluate(self) -> None:
        config = self.config
        found = evaluate(self.agent, config.env, episodes=config.eval_during, seed=config.seed, epoch=WHILE_TRAINING)
        mean = float(found.returns.mean())
        self._log(
            {
                "eval/return_mean": mean,
                "eval/return_std": float(found.returns.std()),
                "eval/length_mean": float(found.lengths.mean()),
            }
        )
        self.progress.message(f"{self.steps:,} env steps: {len(found.returns)} evaluation episodes, return {mean:.1f}")
        if self.best is None or mean > self.best:
            self.best = mean
            self.checkpoints.save_best(self._payload())

    def _finish(self) -> dict[str, Any]:
        """Save, play the final evaluation and write ``summary.json``."""
        config = self.config
        self._save()
        episodes = config.eval_episodes
        self.progress.message(f"trained for {self.steps:,} env steps; playing {episodes} evaluation episodes")
        found = evaluate(self.agent, config.env, episodes=episodes, seed=config.seed, epoch=AT_THE_END)
        mean = float(found.returns.mean())
        summary = {
            "eval/return_mean": mean,
            "eval/return_std": float(found.returns.std()),
            "eval/episodes": episodes,
            "env_steps": self.steps,
            "wall_seconds": round(self.seconds, 2),
            "env_steps_per_second": round(self.steps / max(self.seconds, 1e-9), 1),
            "seed": config.seed,
            "device": str(self.device),
            "versions": versions(),
        }
        self._log({key: float(summary[key]) for key in ("eval/return_mean", "eval/return_std")})
        (self.run_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        self.progress.message(f"return {mean:.1f} ± {found.returns.std():.1f} over {episodes} evaluation episodes")
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
            "seconds": self.seconds,
            "metrics_position": self.metrics_file.position(),
            "wandb_id": self.wandb_id,
        }

    def _save(self) -> None:
        """Write a checkpoint, after which episodes start afresh."""
        self.epoch += 1
        self.checkpoints.save(self._payload(), self.steps)

    def _restore(self, saved: Mapping[str, Any]) -> None:
        self.agent.load_state_dict(saved["agent"])
        self.agent.generator.set_state(saved["generator"].cpu())
        self.steps, self.epoch, self.episodes = saved["steps"], saved["epoch"], saved["episodes"]
        self.recent.extend((return_, length) for return_, length in saved["recent"])
        self.best, self.seconds, self.wandb_id = saved["best"], saved["seconds"], saved["wandb_id"]
        self.metrics_file.truncate(saved["metrics_position"])
        if self.steps >= self.config.env_steps:
            raise ConfigError(
                f"resume={self.run_dir}: the run has all its {self.config.env_steps} env steps; "
                "give env_steps a higher number to go on"
            )


def architecture(agent: Agent[Any]) -> str:
    """What weights must fit: the agent's kind and the shapes of its parameters."""
    shapes = (f"{name} {tuple(value.shape)}" for name, value in agent.named_parameters())
    return f"{type(agent).__name__}({', '.join(shapes)})"


def load_agent(config: RunConfig, run_dir: Path, checkpoint: str = "last") -> Agent[Any]:
    """The trained agent of a run.

    Args:
        config: the run's settings.
        run_dir: its folder.
        checkpoint: ``last``, ``best`` (by the evaluations while training), or a checkpoint's path.

    Raises:
        ConfigError: there is no such checkpoint, or it does not fit.
    """
    envs = make_envs(config.env, 1)
    agent = make_agent(config.agent, envs.single_observation_space, envs.single_action_space, config.env, config.seed)
    envs.close()
    device = choose_device(config.device)
    store = CheckpointStore(run_dir / "checkpoints")
    named: Mapping[str, Path | None] = {"last": store.latest(), "best": store.best()}
    saved = store.load(named.get(checkpoint, Path(checkpoint)), map_location=device, architecture=architecture(agent))
    agent.load_state_dict(saved["agent"])
    agent.to(device).eval()
    return agent
