"""An executor whose runs are written down rather than trained, for tests of who tries what."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

from snnrl.runs.executors.base import Executor
from snnrl.runs.work import Outcome, Run, State
from snnrl.settings import Settings
from snnrl.training.folder import IN_USE

EVALUATIONS = 4
BEST = 0.02
"""The learning rate with the highest score."""


@dataclass(frozen=True)
class NoSettings(Settings, section="written"):
    """None."""


def begun(folder: Path) -> list[int]:
    """The processes that began or took up a run."""
    path = folder / "begun"
    return [int(line) for line in path.read_text().split()] if path.is_file() else []


class Written(Executor[NoSettings]):
    """A run scores by its learning rate and its seed; each look brings it an evaluation further."""

    Config = NoSettings
    pause = 0.0

    def __init__(self, config: NoSettings, *, jobs: int | None, retries: int) -> None:
        super().__init__(config, jobs=jobs, retries=retries)
        self.under_way: dict[Run, int] = {}
        self.cancelled: list[Run] = []

    @property
    def slots(self) -> int:
        return self.jobs or 2

    def start(self) -> None:
        return

    def submit(self, run: Run) -> None:
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / "checkpoints").mkdir(exist_ok=True)
        with (run.folder / "begun").open("a") as file:
            file.write(f"{os.getpid()}\n")
        (run.folder / "metrics.jsonl").write_text("")
        self.under_way[run] = 0

    def ended(self, seconds: float) -> list[Outcome]:
        time.sleep(self.pause)
        found = []
        for run in list(self.under_way):
            if run in self.cancelled:
                found.append(Outcome(run, State.STOPPED))
            else:
                found += self._step(run)
            if found and found[-1].run is run:
                del self.under_way[run]
        return found

    def _step(self, run: Run) -> list[Outcome]:
        place = self.under_way[run] = self.under_way[run] + 1
        rate, seed = run.settings["agent"]["actor_lr"], run.settings["seed"] % 1000
        score = place * (10 - abs(math.log10(rate / BEST))) + seed
        if rate > 0.0499:
            return [Outcome(run, State.FAILED, ("error: weights are not finite",))]
        with (run.folder / "metrics.jsonl").open("a") as file:
            file.write(f"{json.dumps({'step': place, 'eval/return_mean': score})}\n{json.dumps({'step': place + 1})}\n")
        if place < EVALUATIONS:
            return []
        (run.folder / "summary.json").write_text(json.dumps({"eval/return_mean": score, "train_seconds": 1.0}))
        return [Outcome(run, State.FINISHED)]

    def cancel(self, run: Run) -> None:
        self.cancelled.append(run)

    def close(self) -> None:
        self.under_way.clear()


class Slow(Written):
    """The same, with time to be killed in."""

    pause = 0.1


class Busy(Written):
    """The same, where another process has each folder at first."""

    def _step(self, run: Run) -> list[Outcome]:
        if len(begun(run.folder)) == 1:
            return [Outcome(run, State.FAILED, (f"error: run_dir={run.folder}: {IN_USE}; must be left to it",))]
        return super()._step(run)
