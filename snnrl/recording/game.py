"""A game that is played to be kept: how long, how good, and by which actions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from snnrl.agents.trainable import Trainable
from snnrl.envs import EnvConfig
from snnrl.recording.play import Moments
from snnrl.trajectory import Moment


class Game:
    """Whole episodes, cut after a time; they are played once, as their moments are taken.

    Args:
        agent: who plays.
        env: the environment's recipe.
        episodes: how many are played.
        seconds: of the game's own time after which it is cut.
        seed: of the environment.
        deterministic: best actions rather than drawn ones; ``None`` is as in evaluations of the environment.

    Attributes:
        about: what its moments have in common.
        decisions: how many have been played.
        scores: of the episodes that have ended.
        cut: the score so far of the episode that was cut, if one was.
    """

    def __init__(
        self,
        agent: Trainable,
        env: EnvConfig,
        *,
        episodes: int = 1,
        seconds: float,
        seed: int = 0,
        deterministic: bool | None = None,
    ) -> None:
        self._game = Moments(agent, env, episodes=episodes, deterministic=deterministic, seed=seed)
        self.about = self._game.about
        self._most = max(round(seconds * self.about.frames_per_second), 1)
        self.decisions, self.scores = 0, list[float]()
        self.cut: float | None = None

    def moments(self) -> Iterator[Moment]:
        """What is played."""
        score = 0.0
        try:
            for moment in islice(self._game, self._most):
                yield moment
                self.decisions += 1
                score = moment.reward + (0.0 if moment.episode_start else score)
                self.cut = None if moment.terminated or moment.truncated else score
                if self.cut is None:
                    self.scores.append(score)
        finally:
            self._game.close()

    @property
    def line(self) -> str:
        """Who plays what, and how."""
        about = self.about
        return f"{about.title}, agent {about.agent}, {about.actions}, seed {about.seed}"

    @property
    def summary(self) -> str:
        """What was played, once all moments have been taken."""
        scores = [f"{score:g}" for score in self.scores]
        if self.cut is not None:
            scores.append(f"{self.cut:g} until it was cut")
        seconds = self.decisions / self.about.frames_per_second
        return f"{seconds:.0f} s of {self.about.title}, {self.about.actions}, score {', '.join(scores)}"
