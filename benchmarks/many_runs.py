"""Many runs at a time: how much faster than one after the other, what an executor costs, and whether memory grows.

    python benchmarks/many_runs.py speed --runs 8 --env-steps 40000
    python benchmarks/many_runs.py overhead --executor ray
    python benchmarks/many_runs.py queue --runs 1000

``speed`` trains CartPole with other seeds one after the other and then ``--jobs`` at a time, both by the executor.
``overhead`` has runs of 50 steps carried out one at a time and compares that with the median of what a run takes in a
process that has its imports. ``queue`` has many runs of 50 steps carried out and looks every few seconds at the memory
of this process and of those that it started. Prints one line of JSON, with the load of the machine before it began.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from snnrl.recipes import compose_run
from snnrl.runs.carry_out import carry_out
from snnrl.runs.executors import make_executor
from snnrl.runs.work import Outcome, Run, State, for_seed


def runs_of(folder: Path, count: int, env_steps: int) -> list[Run]:
    """Runs of CartPole that differ in their seeds, evaluated on one episode."""
    quiet = ("eval.every=0", "eval.episodes=1", "logger=none", "progress=none")
    settings = compose_run(["env=CartPole", f"env_steps={env_steps}", *quiet])
    return [
        Run(folder / f"seed={seed}", for_seed(settings, seed), folder / "logs" / f"{seed}.log", {"seed": str(seed)})
        for seed in range(count)
    ]


def carried_out(runs: Sequence[Run], executor: str, jobs: int) -> tuple[list[Outcome], list[float], float]:
    """Outcomes, the memory in MB as it was looked at, and seconds from the executor's start to its end."""
    memory: list[float] = []
    looked = [0.0]

    def look(_: Sequence[Run]) -> None:
        if time.monotonic() - looked[0] > 2.0:
            looked[0] = time.monotonic()
            memory.append(sum(map(resident, [os.getpid(), *children(os.getpid())])))

    with make_executor(executor, jobs=jobs) as started:
        began = time.monotonic()
        outcomes = list(carry_out(runs, started, look))
        seconds = time.monotonic() - began
    return outcomes, memory, seconds


def children(process: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    try:
        own = [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []
    return [*own, *(each for child in own for each in children(child))]


def resident(process: int) -> float:
    """Memory that a process has, in MB."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return 0.0


def speed(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    found = {}
    for jobs in (1, options.jobs):
        outcomes, _, seconds = carried_out(
            runs_of(folder / str(jobs), options.runs, options.env_steps), options.executor, jobs
        )
        assert all(outcome.state is State.FINISHED for outcome in outcomes)
        found[jobs] = seconds
    return {
        "seconds": {jobs: round(each, 1) for jobs, each in found.items()},
        "speedup": round(found[1] / found[options.jobs], 2),
    }


def overhead(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    outcomes, _, seconds = carried_out(runs_of(folder, options.runs, 50), options.executor, 1)
    own = median(outcome.seconds for outcome in outcomes)
    return {
        "seconds a run, all in all": round(seconds / options.runs, 2),
        "of which the executor": round(seconds / options.runs - own, 2),
        "the longest, with the imports": round(max(outcome.seconds for outcome in outcomes), 2),
    }


def queue(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    runs = runs_of(folder, options.runs, 50)
    outcomes, memory, seconds = carried_out(runs, options.executor, options.jobs)
    tenth = max(len(memory) // 10, 1)
    parts = [memory[start : start + tenth] for start in range(0, len(memory), tenth)]
    return {
        "finished": sum(outcome.state is State.FINISHED for outcome in outcomes),
        "summaries": sum(run.finished() for run in runs),
        "seconds": round(seconds, 1),
        "seconds a run": round(seconds / len(runs), 3),
        "memory in MB, by tenths": [round(max(part)) for part in parts],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "overhead", "queue"))
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--env-steps", type=int, default=40_000)
    parser.add_argument("--executor", default="local")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        found = {"speed": speed, "overhead": overhead, "queue": queue}[options.what](options, Path(folder))
    cores = len(os.sched_getaffinity(0))
    print(json.dumps({**vars(options), "cores": cores, "load before": round(load, 2), **found}))


if __name__ == "__main__":
    main()
