"""Training of an agent in environments."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snnrl.agents import Agent, make_agent
from snnrl.config import RunConfig
from snnrl.envs import env_seeds, make_envs
from snnrl.training.device import choose_device
from snnrl.training.evaluation import AT_THE_END, WHILE_TRAINING, Evaluation, evaluate
from snnrl.training.rollout import Rollout
from snnrl.training.session import Session
from snnrl.training.summary import bootstrap_interval
from snnrl.training.workload import Evaluated, Finished, Step, Workload, fit, read_checkpoint


class Acting(Workload):
    """An agent that acts in a vector of environments, and learns as it goes.

    A checkpoint is a barrier: an emulator's state is awkward to save, so the run that goes on starts fresh episodes
    there just as the run that is resumed from it does, with seeds derived from the run's seed and the number of the
    barrier. That is what makes resuming exact.

    Args:
        config: the settings.

    Raises:
        ConfigError: a setting that the environment or agent cannot take.
    """

    part, key, rate = "agent", "env_steps", "env_steps_per_second"
    unit, setting, score = "env steps", "env_steps", "return {:.1f}"

    def __init__(self, config: RunConfig) -> None:
        self.config, self.total = config, config.env_steps
        self.device = choose_device(config.device)
        self.envs = envs = make_envs(config.env, config.num_envs)
        self.model: Agent[Any] = make_agent(
            config.agent, envs.single_observation_space, envs.single_action_space, config.env, config.seed
        ).to(self.device)
        self.episodes = self.steps = 0
        self._recent: deque[tuple[float, int]] = deque(maxlen=100)

    def begin(self, epoch: int, steps: int) -> None:
        """Start fresh episodes."""
        self.steps = steps
        seeds = env_seeds(self.config.seed, "train", epoch, self.config.num_envs)
        self._rollout = Rollout(self.model, self.envs, self.config.env, seeds)

    def step(self) -> Step:
        """Act once in all environments, and learn."""
        stepped = self._rollout.step()
        self.steps += stepped.decisions
        self.episodes += len(stepped.episodes)
        self._recent.extend((episode.return_, episode.length) for episode in stepped.episodes)
        self.model.anneal(min(self.steps / self.total, 1.0))
        return Step(stepped.decisions, stepped.metrics)

    @property
    def settled(self) -> bool:
        return self.model.settled

    def recent(self) -> float | None:
        """The mean return of the last 100 episodes."""
        return float(np.mean([return_ for return_, _ in self._recent])) if self._recent else None

    def row(self) -> Mapping[str, float]:
        if not self._recent:
            return {}
        returns, lengths = zip(*self._recent, strict=True)
        return {
            "rollout/return_mean": float(np.mean(returns)),
            "rollout/length_mean": float(np.mean(lengths)),
            "rollout/episodes": float(self.episodes),
        }

    def evaluate(self, between: Callable[[], None]) -> Evaluated:
        found = self._play(self.config.eval_during, WHILE_TRAINING, between)
        mean = float(found.returns.mean())
        return Evaluated(_metrics(found), f"{len(found.returns)} evaluation episodes, return {mean:.1f}", mean)

    def finish(self, between: Callable[[], None], say: Callable[[str], None]) -> Finished:
        episodes = self.config.eval_episodes
        say(f"trained for {self.steps:,} env steps; playing {episodes} evaluation episodes")
        found = self._play(episodes, AT_THE_END, between)
        mean, std = float(found.returns.mean()), float(found.returns.std())
        summary = {
            "env": self.config.env.id,
            "agent": self.config.agent["name"],
            "seed": self.config.seed,
            "eval/return_mean": mean,
            "eval/return_std": std,
            "eval/return_interval_95": list(bootstrap_interval(found.returns)),
            "eval/episodes": episodes,
            **_success(found, self.config.env.success_above),
        }
        return Finished(_metrics(found), summary, f"return {mean:.1f} ± {std:.1f} over {episodes} evaluation episodes")

    def result(self, summary: Mapping[str, Any]) -> str:
        low, high = summary["eval/return_interval_95"]
        rate = summary.get("eval/success_rate")
        success = "" if rate is None else f"success {100 * rate:.2f} %, "
        return (
            f"eval/return_mean {summary['eval/return_mean']:.1f} ± {summary['eval/return_std']:.1f} "
            f"(95 % interval {low:.1f} to {high:.1f}, {summary['eval/episodes']} episodes), {success}"
            f"{summary['env_steps_per_second']:.0f} env steps/s"
        )

    def _play(self, episodes: int, epoch: int, between: Callable[[], None]) -> Evaluation:
        return evaluate(
            self.model,
            self.config.env,
            episodes=episodes,
            seed=self.config.seed,
            epoch=epoch,
            between_steps=between,
        )

    def payload(self) -> dict[str, Any]:
        return {
            "episodes": self.episodes,
            "recent": [[return_, length] for return_, length in self._recent],
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        self.episodes = saved["episodes"]
        self._recent.extend((return_, length) for return_, length in saved["recent"])

    def close(self) -> None:
        self.envs.close()


class Runner(Session):
    """One training run of an agent in one folder.

    Args:
        config: the settings.
        run_dir: the run's folder; made here once everything that can be wrong has been found right.
        resume: go on from the folder's latest checkpoint, or from the start where it was stopped before the first.

    Raises:
        ConfigError: a setting that the environment or agent cannot take, or a checkpoint that does not fit.
    """

    def __init__(self, config: RunConfig, run_dir: Path, *, resume: bool = False) -> None:
        acting = Acting(config)
        super().__init__(acting, config, run_dir, resume=resume)
        self.agent = acting.model


def _success(found: Evaluation, above: float | None) -> dict[str, float]:
    """The share of episodes that succeeded, where a recipe says what that is."""
    return {} if above is None else {"eval/success_rate": float((found.returns > above).mean())}


def _metrics(found: Evaluation) -> dict[str, float]:
    return {
        "eval/return_mean": float(found.returns.mean()),
        "eval/return_std": float(found.returns.std()),
        "eval/length_mean": float(found.lengths.mean()),
    }


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
    return fit(agent, "agent", read_checkpoint(run_dir, checkpoint, place), place)
