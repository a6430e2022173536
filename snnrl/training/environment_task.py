"""What all runs that act in environments share: how good they are of late, and how they are evaluated."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from snnrl.agents.trainable import Trainable
from snnrl.config import RunConfig
from snnrl.envs import EnvConfig, for_evaluation
from snnrl.envs.seeding import AT_THE_END, WHILE_TRAINING
from snnrl.ranks import ALONE, Ranks
from snnrl.recording import Game
from snnrl.recording.video import check_drawing, check_spikes, gif_of
from snnrl.training.checkpoints import taking_over
from snnrl.training.evaluation import Evaluation, evaluate
from snnrl.training.progress import evaluating_note
from snnrl.training.summary import Summary, bootstrap_interval
from snnrl.training.task import Between, Evaluated, Film, Finished, Task
from snnrl.types import Saved, Settings

A = TypeVar("A", bound=Trainable)


class EnvironmentTask(Task[A]):
    """A model that learns to act in environments.

    Args:
        config: the settings.
        agent: who learns on; ``None`` makes the agent that the settings describe.
        steps: how far the agent is.
        ranks: the processes that train it together.
    """

    part, key, rate = "agent", "env_steps", "env_steps_per_second"
    unit, setting, score = "env steps", "env_steps", "return {:.1f}"

    def __init__(self, config: RunConfig, agent: A | None = None, steps: int = 0, ranks: Ranks = ALONE) -> None:
        self._config, self.total, self.ranks = config, config.env_steps, ranks
        self.episodes, self.steps = 0, steps
        self._recent: deque[tuple[float, int]] = deque(maxlen=100)

    @property
    def config(self) -> RunConfig:
        return self._config

    @classmethod
    @abstractmethod
    def make_agent(cls, agent: Settings, env: EnvConfig, seed: int, device: torch.device, num_envs: int = 1) -> A:
        """An untrained agent.

        Args:
            agent: its recipe, ``name`` and settings.
            env: the environment's recipe.
            seed: of the agent's randomness.
            device: to put it on.
            num_envs: in how many environments it acts at once.

        Raises:
            ConfigError: a setting or a space that the agent cannot take, or not enough memory.
        """

    @classmethod
    def make_model(cls, config: RunConfig, device: torch.device, saved: Saved | None = None) -> A:
        return cls.make_agent(config.agent, config.env, config.seed, device, config.num_envs if saved is None else 1)

    @classmethod
    def load_model(cls, config: RunConfig, saved: Saved, device: str = "auto") -> A:
        agent = super().load_model(config, saved, device)
        with taking_over():
            agent.num_timesteps, agent.epoch = int(saved["steps"]), int(saved.get("epoch", 0))
        return agent

    def note(self, return_: float, length: int) -> None:
        """Take down an episode of training that ended."""
        self.episodes += 1
        self._recent.append((return_, length))

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
            **_spread("rollout/return", returns),
            **_spread("rollout/length", lengths),
        }

    def check_evaluation(self) -> None:
        for_evaluation(self.config.env)

    def evaluate(self, between: Between) -> Evaluated:
        found = self._play(self.config.eval.during, WHILE_TRAINING, between)
        mean = float(found.returns.mean())
        message = f"{len(found.returns)} evaluation episodes, return {mean:.1f}"
        return Evaluated(_metrics(found), f"{message}; {found.remark}" if found.cut else message, mean)

    @property
    def film_every(self) -> int:
        return self.config.video.every

    def check_film(self) -> None:
        video = self.config.video
        if video.every:
            check_drawing(self.config.env, f"video.every={video.every}", "0")
        if video.every and video.spikes:
            check_spikes(self.model, "video.spikes=true")

    def film(self, between: Between) -> Film:
        config, video = self.config, self.config.video
        best = config.eval.deterministic
        game = Game(self.model, config.env, seconds=video.seconds, seed=config.seed, deterministic=best)
        gif = gif_of(game, spikes=video.spikes, between=lambda: between("filming"))
        return Film(f"video/{game.about.actions.replace(' ', '_')}", gif, f"video of {game.summary}")

    def finish(self, between: Between, say: Callable[[str], None]) -> Finished:
        episodes = self.config.eval.episodes
        say(f"trained for {self.steps:,} env steps; playing {episodes} evaluation episodes")
        found = self._play(episodes, AT_THE_END, between)
        mean, std = float(found.returns.mean()), float(found.returns.std())
        if found.cut:
            say(found.remark)
        summary = {
            "env": self.config.env.id,
            "agent": self.config.agent["name"],
            "seed": self.config.seed,
            "eval/return_mean": mean,
            "eval/return_std": std,
            "eval/return_interval_95": list(bootstrap_interval(found.returns)),
            "eval/episodes": episodes,
            "eval/deterministic": self.config.eval.deterministic,
            **({"eval/cut_episodes": found.cut} if found.cut else {}),
            **_success(found, self.config.env.success_above),
        }
        message = f"return {mean:.1f} ± {std:.1f} over {episodes} evaluation episodes"
        return Finished(_metrics(found), summary, message, found)

    def result(self, summary: Summary) -> str:
        low, high = summary["eval/return_interval_95"]
        rate = summary.get("eval/success_rate")
        success = "" if rate is None else f"success {100 * rate:.2f} %, "
        return (
            f"eval/return_mean {summary['eval/return_mean']:.1f} ± {summary['eval/return_std']:.1f} "
            f"(95 % interval {low:.1f} to {high:.1f}, {summary['eval/episodes']} episodes), {success}"
            f"{summary['env_steps_per_second']:.0f} env steps/s"
        )

    def _play(self, episodes: int, epoch: int, between: Between) -> Evaluation:
        return evaluate(
            self.model,
            self.config.env,
            episodes=episodes,
            seed=self.config.seed,
            epoch=epoch,
            deterministic=self.config.eval.deterministic,
            between_steps=lambda done: between(evaluating_note(done, episodes, "episodes")),
        )

    def payload(self) -> Saved:
        return {
            "episodes": self.episodes,
            "recent": [[return_, length] for return_, length in self._recent],
        }

    def restore(self, saved: Saved) -> None:
        self.episodes = int(saved["episodes"])
        self._recent.extend((float(return_), int(length)) for return_, length in saved["recent"])


def _success(found: Evaluation, above: float | None) -> dict[str, float]:
    """The share of episodes that succeeded, where a recipe says what that is."""
    return {} if above is None else {"eval/success_rate": float((found.returns > above).mean())}


def _spread(name: str, values: Sequence[float] | NDArray[np.float64] | NDArray[np.int64]) -> dict[str, float]:
    """The tenth, half and nine tenths of values."""
    found = np.percentile(values, _SHARES)
    return {f"{name}_p{share}": float(value) for share, value in zip(_SHARES, found, strict=True)}


_SHARES = (10, 50, 90)


def _metrics(found: Evaluation) -> dict[str, float]:
    return {
        "eval/return_mean": float(found.returns.mean()),
        "eval/return_std": float(found.returns.std()),
        "eval/length_mean": float(found.lengths.mean()),
        **_spread("eval/return", found.returns),
        **_spread("eval/length", found.lengths),
        **({"eval/cut_episodes": float(found.cut)} if found.cut else {}),
    }
