"""A run that is watched while it learns."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

from snnrl.agents.trainable import Trainable
from snnrl.training.callbacks import Variables
from snnrl.training.environment_task import EnvironmentTask
from snnrl.watching.playables import Playable, described
from snnrl.watching.player import Player
from snnrl.watching.server import Server, require_packages

SHARE = 0.025
"""Of the training's time, spent on those who look."""
MOST_CREDIT = 0.05
"""Seconds that may be made up for after a pause."""
TABLES_EVERY, TURNS = 5.0, 10
"""Seconds, and decisions, between two pictures of the weights, and of the curves where there is something new."""


class Budget:
    """A share of the time that passes, by the clock and in processor time of this thread.

    Both count: a thread that waits for others has little processor time, and on a machine whose processors are all
    taken it is processor time of which there is too little.
    """

    def __init__(self) -> None:
        self._credit, self._then = [0.0, 0.0], self._now()

    @staticmethod
    def _now() -> list[float]:
        return [time.perf_counter(), time.thread_time()]

    def earn(self) -> bool:
        """Take down the time that has passed since the last call; whether some of it may be spent."""
        now = self._now()
        passed = [each - then for each, then in zip(now, self._then, strict=True)]
        self._credit = [min(has + SHARE * more, MOST_CREDIT) for has, more in zip(self._credit, passed, strict=True)]
        self._then = now
        return min(self._credit) > 0

    def spend(self) -> None:
        """Pay for what was done since :meth:`earn`."""
        spent = [each - then for each, then in zip(self._now(), self._then, strict=True)]
        self._credit = [has - less for has, less in zip(self._credit, spent, strict=True)]

    def skip(self) -> None:
        """Forget the time that has passed since the last call, which was not spent on training."""
        self._then = self._now()


class Watching:
    """A callback that lets others see how an agent plays by now, in a game of its own, while it learns in others.

    A decision is played between two steps of training and changes nothing about them, neither weights nor draws. Once
    the game is there, it never takes more than :data:`SHARE` of the time, see :class:`Budget`, and nothing while nobody
    looks.

    Args:
        task: what is trained.

    Attributes:
        budget: of the time for those who look.
        rows: metrics, as they are logged.
        server: serves the page, once the training has begun.

    Raises:
        ConfigError: a package is missing.
    """

    server: Server

    def __init__(self, task: EnvironmentTask[Trainable]) -> None:
        require_packages()
        self._task = task
        self.rows: Sequence[Mapping[str, float]] = ()
        self._player: Player | None = None
        self.budget = Budget()
        self._tables_at, self._turns, self._logged = 0.0, 0, 0

    def init_callback(self, model: object) -> None:
        """The task knows what learns."""

    def on_training_start(self, locals_: Variables, globals_: Variables) -> None:
        self.server = Server()
        self.server.start()
        print(f"open {self.server.address} in a browser to watch", file=sys.stderr, flush=True)

    def on_step(self) -> bool:
        readers = self.server.readers
        if readers.any or readers.orders:
            may = self.budget.earn()
            if self._player is None:
                if self._task.can_checkpoint:
                    self._player = self._begin()
            elif may:
                self._turn(self._player)
                self.budget.spend()
        return True

    def on_training_end(self) -> None:
        self.server.stop()
        if self._player is not None:
            self._player.close()

    def _turn(self, player: Player) -> None:
        now = time.perf_counter()
        self._turns += 1
        if now - self._tables_at > TABLES_EVERY and self._turns > TURNS:
            self._tables_at, self._turns = now, 0
            player.weights()
            if len(self.rows) > self._logged:
                self._logged = len(self.rows)
                player.curves()
        else:
            player.turn()

    def _begin(self) -> Player:
        config, model = self._task.config, self._task.model
        playable = Playable(model, config.env, config.eval.deterministic, described(config, "training for"), self.rows)
        return Player(self.server.readers, ["training"], lambda name: playable, mode="training")
