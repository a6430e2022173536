"""A game that is played to be kept, as messages that the page plays back or as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from snnrl.recording import Moment, moments
from snnrl.watching import wire
from snnrl.watching.playables import Playable


class Game:
    """A game that is played as its moments are taken, once.

    Args:
        playable: who plays, and where.
        episodes: how many are played.
        seconds: of the game's own time after which it is cut.
        seed: of the environment.
        deterministic: best actions rather than drawn ones; ``None`` is as the run's own evaluations.

    Attributes:
        about: what its moments have in common.
        decisions: how many have been played.
        scores: of the episodes that have ended.
        cut: the score so far of the episode that was cut, if one was.
    """

    def __init__(
        self, playable: Playable, episodes: int, seconds: float, seed: int, deterministic: bool | None
    ) -> None:
        self._playable = playable
        best = playable.deterministic if deterministic is None else deterministic
        self._game = moments(playable.agent, playable.env, episodes=episodes, deterministic=best, seed=seed)
        self.about = self._game.about
        self._most = max(round(seconds * self.about.frames_per_second), 1)
        self.decisions, self.scores = 0, list[float]()
        self.cut: float | None = None

    def messages(self) -> Iterator[bytes]:
        """What the page is told, in order."""
        playable, about = self._playable, self.about
        actions = "best actions" if about.deterministic else "actions drawn from the policy"
        line = f"{playable.about}; plays with {actions}, seed {about.seed}"
        yield wire.hello(about, line, mode="replay")
        yield wire.weights_message(playable.agent)
        if playable.rows:
            yield wire.curves(playable.rows)
        write = wire.MomentWriter(about, playable.agent.action_space)
        yield from map(write, self.moments())

    def moments(self) -> Iterator[Moment]:
        """What is played."""
        score = 0.0
        for moment in islice(self._game, self._most):
            yield moment
            self.decisions += 1
            score = moment.reward + (0.0 if moment.episode_start else score)
            self.cut = None if moment.terminated or moment.truncated else score
            if self.cut is None:
                self.scores.append(score)
        self._game.close()

    @property
    def summary(self) -> str:
        """What was played, once all moments have been taken."""
        name, actions = wire.title(self.about.env), "best" if self.about.deterministic else "drawn"
        scores = [f"{score:g}" for score in self.scores]
        if self.cut is not None:
            scores.append(f"{self.cut:g} until it was cut")
        seconds = self.decisions / self.about.frames_per_second
        return f"{seconds:.0f} s of {name}, {actions} actions, score {', '.join(scores)}"
