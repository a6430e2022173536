"""A page that is served, and a browser to open it in."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

from snnrl import make_agent
from snnrl.envs import EnvConfig
from snnrl.watching.playables import Playable
from snnrl.watching.player import Player
from snnrl.watching.server import Server

CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None, reason="needs Chromium, of the system, and playwright"
)


def cart_pole(name: str = "CartPole") -> Playable:
    """An untrained agent; ``name`` is of no matter."""
    env = EnvConfig("CartPole-v1")
    rows = [{"step": step, "rollout/return_mean": 20.0 + step} for step in range(0, 1000, 100)]
    return Playable(make_agent("CartPole"), env, False, f"agent of {name}", rows)


@contextmanager
def served(host: str = "127.0.0.1", port: int | None = None, games: tuple[str, ...] = ("one",)) -> Iterator[Server]:
    """A server, and a player in a thread of its own."""
    server = Server(host, port)
    player = Player(server.readers, games, cart_pole)
    over = threading.Event()

    def play() -> None:
        while not over.is_set():
            due = player.turn()
            server.readers.wait(0.05 if due is None else min(due, 0.05))

    playing = threading.Thread(target=play)
    server.start()
    playing.start()
    try:
        yield server
    finally:
        over.set()
        playing.join()
        server.stop()
        player.close()
