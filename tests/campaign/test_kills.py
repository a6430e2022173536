"""Runs that are killed at random moments: making the folder, training, saving, evaluating, logging."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from snnrl import train
from snnrl.training.checkpoints import CheckpointStore, load_checkpoint

ROUNDS = (3, 100)
WORDS = (
    *("env=CartPole", "num_envs=4", "env_steps=800", "checkpoint.every=100", "logger=none", "progress=none"),
    *("eval.every=200", "eval.during=1", "eval.episodes=1"),
)
BY_CLOCK = ("train_seconds", "wall_seconds", "metrics_position")
Fork = Callable[[Callable[[], int]], int]


def same(one: Any, two: Any) -> bool:
    """Whether what two checkpoints hold is the same bit for bit, but for what a clock decides."""
    if isinstance(one, torch.Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, dict):
        keys = one.keys() - set(BY_CLOCK)
        return keys == two.keys() - set(BY_CLOCK) and all(same(one[key], two[key]) for key in keys)
    if isinstance(one, list):
        return len(one) == len(two) and all(same(*pair) for pair in zip(one, two, strict=True))
    return bool(one == two)


def record(run_dir: Path) -> dict[str, Any]:
    """What a run has left: its checkpoints, the rows of its log, its summary; without what a clock decides."""
    rows = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((run_dir / "summary.json").read_text())
    return {
        "checkpoints": {path.name: load_checkpoint(path) for path in (run_dir / "checkpoints").glob("*.pt")},
        "rows": [{key: value for key, value in row.items() if not key.startswith("time/")} for row in rows],
        "summary": {key: value for key, value in summary.items() if "second" not in key},
    }


@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_run_that_is_killed_at_any_moments_ends_as_if_it_had_not_been(
    rounds: int, chance: random.Random, tmp_path: Path, fork: Fork
) -> None:
    straight, again = tmp_path / "straight", tmp_path / "again"
    assert train.main([*WORDS, f"run_dir={straight}"]) == 0
    expected = record(straight)
    assert len(expected["checkpoints"]) == 4
    begun = time.monotonic()
    assert os.waitpid(fork(lambda: train.main([*WORDS, f"run_dir={again}"])), 0)[1] == 0
    took = time.monotonic() - begun
    assert same(record(again), expected)
    kills, run = 0, 0
    while kills < rounds:
        run_dir = tmp_path / f"killed-{run}"
        words = [f"resume={run_dir}"] if run_dir.exists() else [*WORDS, f"run_dir={run_dir}"]
        child = fork(lambda words=words: train.main(words))
        time.sleep(chance.uniform(0, took))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            kills += 1
            if run_dir.exists():
                store = CheckpointStore(run_dir / "checkpoints")
                assert store.latest() is None or store.load()["steps"] > 0
        else:
            finished = os.waitstatus_to_exitcode(status)
            assert finished in (0, 2), "2 says that a run has all its steps: it was killed between summary and end"
            assert same(record(run_dir), expected)
            run += 1
    run_dir = tmp_path / f"killed-{run}"
    assert train.main([f"resume={run_dir}"] if run_dir.exists() else [*WORDS, f"run_dir={run_dir}"]) in (0, 2)
    assert same(record(run_dir), expected)
