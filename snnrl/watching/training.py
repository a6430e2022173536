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
TABLES_EVERY = 5.0
"""Seconds between two pictures of the weights, and of the curves where there is something new."""


class Watching:
    """A callback that lets others see how an agent plays by now, in a game of its own, while it learns in others.

    A decision is played between two steps of training and changes nothing about them, neither weights nor draws. Once
    the game is there, it never takes more than :data:`SHARE` of the time, and nothing while nobody looks.

    Args:
        task: what is trained.

    Attributes:
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
        self._credit, self._then = 0.0, time.perf_counter()
        self._tables_at, self._logged = 0.0, 0

    def init_callback(self, model: object) -> None:
        """The task knows what learns."""

    def on_training_start(self, locals_: Variables, globals_: Variables) -> None:
        self.server = Server()
        self.server.start()
        print(f"open {self.server.address} in a browser to watch", file=sys.stderr, flush=True)

    def on_step(self) -> bool:
        readers = self.server.readers
        if readers.any or readers.orders:
            now = time.perf_counter()
            self._credit = min(self._credit + SHARE * (now - self._then), MOST_CREDIT)
            self._then = now
            if self._player is None:
                if self._task.can_checkpoint:
                    self._player = self._begin()
            elif self._credit > 0:
                self._turn(self._player, now)
                self._credit -= time.perf_counter() - now
        return True

    def resume(self) -> None:
        """What has passed since the last step was not spent on training, so none of it is for those who look."""
        self._then = time.perf_counter()

    def on_training_end(self) -> None:
        self.server.stop()
        if self._player is not None:
            self._player.close()

    def _turn(self, player: Player, now: float) -> None:
        if now - self._tables_at > TABLES_EVERY:
            self._tables_at = now
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
