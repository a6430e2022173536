"""What a second process brings to one run: Space Invaders in 2 x 16 environments against 16 in one process.

    python benchmarks/data_parallel.py
    python benchmarks/data_parallel.py --processes 2 --num-envs 16 --rounds 3 --words env=Pong

Each process has a core of its own and one thread for torch and for the games. Sides are measured in turns, after a
warm-up: environment steps per second of wall clock, and seconds of processor time that a process takes for a thousand
of its own environment steps, which say what is left of the gain where cores have nothing else to do. As many runs that
know nothing of each other, at the same time, tell what the machine gives at most: cores of a virtual machine may share
one core of the processor. The load of the
machine is printed with each round. ``--agent-rows`` tells besides how an agent's decisions take longer with more rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

WARM_UP = 40
"""Decisions after the encoder is calibrated, before the clock starts."""


def work(words: list[str], steps: int, core: int) -> None:
    """In a process of its own: train for some decisions, and print what they took."""
    os.sched_setaffinity(0, {core})

    import torch

    from snnrl.loading import task_of
    from snnrl.ranks import launched
    from snnrl.recipes import compose_run

    torch.set_num_threads(1)
    ranks = launched()
    task = task_of(compose_run([*words, "progress=none"]), ranks=ranks)
    with torch.inference_mode():
        task.begin(0, 0)
        while not task.can_checkpoint:
            task.step()
        for _ in range(WARM_UP):
            task.step()
        wall, processor, done = time.perf_counter(), time.process_time(), 0
        for _ in range(steps):
            done += task.step().steps
        spent = time.process_time() - processor
    if ranks.leads:
        seconds = time.perf_counter() - wall
        print(json.dumps({"rate": done / seconds, "processor": 1000 * spent * ranks.size / done}), flush=True)
    task.close()


def measured(processes: int, runs: int, num_envs: int, words: list[str], steps: int) -> dict[str, float]:
    """What ``runs`` runs of so many processes took at the same time, with ``num_envs`` environments in each process."""
    cores = sorted(os.sched_getaffinity(0))
    settings = [*words, f"num_envs={processes * num_envs}"]
    started = []
    for run in range(runs):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        known = {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), "OMP_NUM_THREADS": "1"}
        known |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for rank in range(processes):
            core = str(cores[run * processes + rank])
            started.append(
                subprocess.Popen(
                    [sys.executable, __file__, "--worker", core, "--steps", str(steps), "--words", *settings],
                    env={**os.environ, **known, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
    said = [each.communicate()[0] for each in started]
    assert all(each.returncode == 0 for each in started), said
    found = [json.loads(each.splitlines()[-1]) for each in said[::processes]]
    return {"rate": sum(run["rate"] for run in found), "processor": statistics.mean(run["processor"] for run in found)}


def agent_rows(words: list[str], counts: list[int], steps: int) -> None:
    """Milliseconds of processor time of a decision, and of learning from it, without the games, by rows."""
    import torch

    from snnrl.loading import task_of
    from snnrl.recipes import compose_run

    torch.set_num_threads(1)
    for rows in counts:
        task = task_of(compose_run([*words, f"num_envs={rows}", "progress=none"]))
        agent, spent = task.model, {"act": 0.0, "update": 0.0}

        def timed(name: str, method: Callable[..., object], spent: dict[str, float] = spent) -> Callable[..., object]:
            def call(*arguments: object) -> object:
                began = time.thread_time()
                result = method(*arguments)
                spent[name] += time.thread_time() - began
                return result

            return call

        with torch.inference_mode():
            task.begin(0, 0)
            while not task.can_checkpoint:
                task.step()
            for _ in range(WARM_UP):
                task.step()
            for name in spent:
                setattr(agent, name, timed(name, getattr(agent, name)))
            for _ in range(steps):
                task.step()
        task.close()
        act, update = (1000 * spent[name] / steps for name in ("act", "update"))
        print(f"{rows} rows: {act:.2f} ms to decide, {update:.2f} ms to learn, for a decision of all", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--num-envs", type=int, default=16, help="environments of each process")
    parser.add_argument("--steps", type=int, default=320, help="decisions of all environments that are timed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--words", nargs="+", default=["env=SpaceInvaders"])
    parser.add_argument("--agent-rows", type=int, nargs="+", help="rows for which the agent alone is timed")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        return work(given.words, given.steps, given.worker)
    if given.agent_rows:
        return agent_rows(given.words, given.agent_rows, given.steps)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    sides = {
        "one process": (1, 1),
        f"one run of {given.processes} processes": (given.processes, 1),
        f"{given.processes} runs of their own": (1, given.processes),
    }
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(given.rounds):
        for side, (processes, runs) in sides.items():
            load = os.getloadavg()[0]
            found[side].append(measured(processes, runs, given.num_envs, given.words, given.steps))
            rate, spent = found[side][-1]["rate"], found[side][-1]["processor"]
            print(
                f"{side}, {given.num_envs} environments each: {rate:,.0f} env steps/s, a process {spent:.3f} s of "
                f"processor time for 1,000 of its own; load {load:.1f} to {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    one, *others = (
        [statistics.median(each[key] for each in side) for key in ("rate", "processor")] for side in found.values()
    )
    for side, (rate, spent) in zip(list(sides)[1:], others, strict=True):
        print(
            f"{side}: {rate / one[0]:.2f} times one process by the clock, "
            f"{given.processes * one[1] / spent:.2f} times by processor time"
        )


if __name__ == "__main__":
    main()
