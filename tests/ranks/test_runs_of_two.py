"""Runs that two processes share out: with what they end, and how they are killed, stopped and go on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch

from snnrl import train
from snnrl.training.checkpoints import CheckpointStore

Start = Callable[[Sequence[str], Path], AbstractContextManager[list[subprocess.Popen[str]]]]
LONG = (
    *("env=CartPole", "num_envs=4", "env_steps=4000", "checkpoint.every=400", "eval.every=0", "eval.episodes=1"),
    *("logger=none", "progress=none", "seed=3"),
)


def kept(run_dir: Path) -> dict[str, Any]:
    """What the last checkpoint holds."""
    return CheckpointStore(run_dir / "checkpoints").load()


def rows(run_dir: Path) -> list[dict[str, Any]]:
    """The lines of ``metrics.jsonl``, without what a clock decides."""
    lines = map(json.loads, (run_dir / "metrics.jsonl").read_text().splitlines())
    return [{key: value for key, value in line.items() if not key.startswith("time/")} for line in lines]


def assert_alike(found: Path, expected: Path) -> None:
    """Weights, generator, statistics and steps are the same, bit for bit."""
    two, one = kept(found), kept(expected)
    part = "agent" if "agent" in one else "learner"
    assert (two["steps"], two["epoch"], two["best"]) == (one["steps"], one["epoch"], one["best"])
    assert torch.equal(two["generator"], one["generator"])
    assert two[part].keys() == one[part].keys()
    differing = [name for name, value in one[part].items() if not torch.equal(two[part][name], value)]
    assert differing == []


@pytest.mark.parametrize("name", ["CartPole", "Pong", "digits", "features"])
def test_two_processes_end_with_the_weights_and_the_log_of_one(name: str, together: Path, alone: Path) -> None:
    assert_alike(together / name, alone / name)
    assert rows(together / name) == rows(alone / name)
    assert kept(together / name)["world_size"] == 2


def test_what_was_learned_is_no_longer_what_it_began_with(alone: Path) -> None:
    for name in ("CartPole", "Pong"):
        first, *_, last = sorted((alone / name / "checkpoints").glob("step_*.pt"))
        old, new = (torch.load(path, weights_only=True)["agent"] for path in (first, last))
        assert any(not torch.equal(old[key], new[key]) for key in old if key.endswith("weight"))


def wait_for_checkpoint(run_dir: Path, running: Sequence[subprocess.Popen[str]]) -> None:
    deadline = time.monotonic() + 120
    while CheckpointStore(run_dir / "checkpoints").latest() is None:
        assert all(each.poll() is None for each in running), [each.communicate()[1] for each in running]
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.01)


def test_a_killed_process_is_noticed_and_the_run_goes_on_in_one_with_the_same_end(
    tmp_path: Path, start_two: Start
) -> None:
    run_dir = tmp_path / "run"
    with start_two([*LONG, f"run_dir={run_dir}"], tmp_path) as (leader, other):
        wait_for_checkpoint(run_dir, (leader, other))
        other.kill()
        _, said = leader.communicate(timeout=240)
    assert leader.returncode == 1
    assert "error: another of the 2 processes of this run has ended, so this one stopped at " in said
    assert f"go on with any number of processes: torchrun --nproc-per-node=2 -m snnrl.train resume={run_dir}" in said
    assert "Traceback" not in said
    assert kept(run_dir)["steps"] < 4000
    assert train.main([f"resume={run_dir}"]) == 0
    assert train.main([*LONG, f"run_dir={tmp_path / 'undisturbed'}"]) == 0
    assert_alike(run_dir, tmp_path / "undisturbed")
    assert kept(run_dir)["world_size"] == 1


def test_a_signal_to_one_process_stops_both_saved(tmp_path: Path, start_two: Start) -> None:
    run_dir = tmp_path / "run"
    words = [word.replace("env_steps=4000", "env_steps=1000000") for word in LONG]
    with start_two([*words, "checkpoint.every=0", f"run_dir={run_dir}"], tmp_path) as running:
        deadline = time.monotonic() + 120
        while not (run_dir / "metrics.jsonl").is_file() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(1)
        running[1].send_signal(signal.SIGTERM)
        (_, said), (_, quiet) = (each.communicate(timeout=240) for each in running)
    assert [each.returncode for each in running] == [128 + signal.SIGTERM] * 2
    assert "stopped by SIGTERM at " in said
    assert quiet == ""
    assert kept(run_dir)["steps"] > 0


def test_a_mistake_is_said_once_before_anything_is_made(tmp_path: Path, start_two: Start) -> None:
    with start_two(["env=CartPole", "num_envs=3", f"run_dir={tmp_path / 'run'}"], tmp_path) as running:
        (_, said), (_, quiet) = (each.communicate(timeout=240) for each in running)
    assert said.strip() == "error: num_envs=3: must be a multiple of 2, the number of processes"
    assert quiet == ""
    assert [each.returncode for each in running] == [2, 2]
    assert not (tmp_path / "run").exists()
