"""What looking on costs, by the clock and in processor time, which other processes of the machine change less.

python benchmarks/watching.py train env=SpaceInvaders      a training with somebody looking on, and without, in turn
python benchmarks/watching.py play run=trained/SpaceInvaders speed=2      a page that shows a trained agent
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from websockets.sync.client import connect

from snnrl.loading import make_task
from snnrl.watching.playables import open_run
from snnrl.watching.player import Player
from snnrl.watching.server import Server
from snnrl.watching.training import Watching

PAIRS, STEPS = 80, 30
SECONDS, WARM_UP = 20.0, 40


def look(address: str, order: str = "") -> None:
    """Look at a page until it ends."""
    url = address.replace("http", "ws") + "watch"
    with connect(url, origin=address.rstrip("/")) as socket:
        if order:
            socket.send(order)
        for message in socket:
            if b'"kind":"moment"' in message[:40]:
                socket.send('{"do":"seen"}')


def looker(address: str, order: str = "") -> subprocess.Popen[bytes]:
    """Somebody who looks, in another process."""
    return subprocess.Popen([sys.executable, __file__, "look", address, order])


def count(server: Server) -> Callable[[], int]:
    """How many decisions have been shown by now."""
    shown, give = [0], server.readers.give

    def counting(kind: str, message: bytes) -> None:
        shown[0] += kind == "moment"
        give(kind, message)

    server.readers.give = counting  # type: ignore[method-assign]
    return lambda: shown[0]


CLOCKS = {
    "wall": time.perf_counter,
    "processor time of all threads": time.process_time,
    "of the thread that trains": time.thread_time,
}


def loss(watched: NDArray[np.float64], alone: NDArray[np.float64]) -> float:
    """The share of the speed that is lost, in percent."""
    return float(100 * (1 - alone.sum() / watched.sum()))


def train(env: str) -> None:
    task = make_task(env, seed=0, progress="none")
    task.begin(0, 0)
    watching = Watching(task)
    watching.on_training_start({}, {})
    shown = count(watching.server)
    looking = looker(watching.server.address)
    while shown() < 3:
        task.step()
        watching.on_step()
    spent: dict[bool, list[list[float]]] = {True: [], False: []}
    already = shown()
    for pair in range(PAIRS):
        for watched in (True, False) if pair % 2 else (False, True):
            watching.budget.skip()
            before = [clock() for clock in CLOCKS.values()]
            for _ in range(STEPS):
                task.step()
                if watched:
                    watching.on_step()
            spent[watched].append([clock() - then for clock, then in zip(CLOCKS.values(), before, strict=True)])
    looking.terminate()
    watched_, alone = np.array(spent[True]), np.array(spent[False])
    rate = (shown() - already) / watched_[:, 0].sum()
    draws = np.random.default_rng(0).integers(PAIRS, size=(2000, PAIRS))
    print(f"{env}: {PAIRS} pairs of {STEPS} steps, {rate:.1f} decisions/s shown while watched; speed that is lost:")
    for place, name in enumerate(CLOCKS):
        one, other = watched_[:, place], alone[:, place]
        low, high = np.percentile([loss(one[draw], other[draw]) for draw in draws], (2.5, 97.5))
        each = 1e3 * other.sum() / PAIRS / STEPS
        print(f"  {name}, {each:.1f} ms a step: {loss(one, other):.1f} % (95 % interval {low:.1f} to {high:.1f})")


def play(run: Path, speed: float) -> None:
    server = Server()
    player = Player(server.readers, [run.name], lambda name: open_run(run, "last", "cpu", trust=False))
    server.start()
    shown = count(server)
    looking = looker(server.address, f'{{"do":"speed","speed":{speed:g}}}')
    while shown() < WARM_UP:
        server.readers.wait(player.turn())
    before, already, wall = time.process_time(), shown(), time.perf_counter()
    while time.perf_counter() - wall < SECONDS:
        server.readers.wait(player.turn())
    spent, wall = time.process_time() - before, time.perf_counter() - wall
    looking.terminate()
    frames = shown() - already
    each = 1e3 * spent / frames
    print(f"{run.name}: {frames / wall:.1f} frames/s at {100 * spent / wall:.0f} % of one core", end="; ")
    print(f"{each:.1f} ms of processor time a frame, which is {3 * each:.0f} % of one core for 30 frames/s")


if __name__ == "__main__":
    torch.set_num_threads(1)
    given = dict(word.split("=") for word in sys.argv[2:] if not word.startswith(("http", "{")) and word)
    if sys.argv[1] == "look":
        with suppress(Exception):
            look(*sys.argv[2:])
    elif sys.argv[1] == "train":
        train(given["env"])
    else:
        play(Path(given["run"]), float(given.get("speed", 2)))
