"""What looking on costs, in processor time, which other processes of the machine do not change much.

python benchmarks/watching.py train env=SpaceInvaders      a training with somebody looking on, and without, in turn
python benchmarks/watching.py play run=trained/SpaceInvaders speed=2      a page that shows a trained agent
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from websockets.sync.client import connect

from snnrl.loading import make_task
from snnrl.watching.playables import open_run
from snnrl.watching.player import Player
from snnrl.watching.server import Server
from snnrl.watching.training import Watching

BLOCKS, STEPS = 60, 30
SECONDS = 20.0


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
    spent: dict[bool, list[float]] = {True: [], False: []}
    walls = 0.0
    already = shown()
    for block in range(BLOCKS):
        for watched in (True, False) if block % 2 else (False, True):
            before, wall = time.process_time(), time.perf_counter()
            for _ in range(STEPS):
                task.step()
                if watched:
                    watching.on_step()
            spent[watched].append(time.process_time() - before)
            walls += watched * (time.perf_counter() - wall)
    looking.terminate()
    losses = [100 * (1 - b / a) for a, b in zip(spent[True], spent[False], strict=True)]
    each, rate = 1e3 * statistics.mean(spent[False]) / STEPS, (shown() - already) / walls
    print(
        f"{env}: {each:.1f} ms of processor time a step; watched, {statistics.mean(losses):.1f} % of the speed is lost "
        f"(standard error {statistics.stdev(losses) / BLOCKS**0.5:.1f}), {rate:.1f} decisions/s shown"
    )


def play(run: Path, speed: float) -> None:
    server = Server()
    player = Player(server.readers, [run.name], lambda name: open_run(run, "last", "cpu", trust=False))
    server.start()
    shown = count(server)
    looking = looker(server.address, f'{{"do":"speed","speed":{speed:g}}}')
    begun, counted = time.perf_counter(), False
    while time.perf_counter() - begun < SECONDS + 4:
        if not counted and time.perf_counter() - begun > 4:
            counted, before, already, wall = True, time.process_time(), shown(), time.perf_counter()
        server.readers.wait(player.turn())
    spent, wall = time.process_time() - before, time.perf_counter() - wall
    looking.terminate()
    print(f"{run.name}: {(shown() - already) / wall:.1f} frames/s at {100 * spent / wall:.0f} % of one core")


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
