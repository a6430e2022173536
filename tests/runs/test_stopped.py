"""Commands with several runs that are stopped by signals or killed; the same command goes on."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snnrl.runs.work import last_lines, read_object

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(900)]
WORDS = ("env=CartPole", "num_envs=4", "env_steps=200000", "eval.every=0", "logger=none", "seeds=2", "jobs=2")
PATIENCE = 400.0
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the command with further words; what still runs in the end is stopped."""
    processes: list[subprocess.Popen[str]] = []

    def started(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "snnrl.sweep", *WORDS, f"out={tmp_path}", "progress=plain", *words]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True))
        return processes[-1]

    yield started
    for process in processes:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def steps(out: Path) -> list[int]:
    """How far each run is."""
    last = (last_lines(path, 1) for path in sorted(out.glob("*/metrics.jsonl")))
    return [json.loads(lines[0])["step"] if lines else 0 for lines in last]


def until_both_go_on(out: Path, before: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE
    while len(steps(out)) < 2 or min(steps(out)) <= before:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.1)


def saved(out: Path) -> int:
    """The step from which the run that is less far goes on."""
    return min(max(int(path.stem[5:]) for path in run.glob("checkpoints/step_*.pt")) for run in out.glob("*seed=*"))


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_a_signal_stops_all_runs_on_ray_saved_in_one_line_and_the_same_command_goes_on(
    tmp_path: Path, start: Start
) -> None:
    before = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        process = start("executor=ray")
        until_both_go_on(tmp_path, before, process)
        process.send_signal(number)
        said = process.communicate(timeout=PATIENCE)[1]
        assert process.returncode == 128 + number
        assert said.splitlines()[-1] == f"stopped by {number.name}; the same command goes on"
        assert "Traceback" not in said
        assert saved(tmp_path) > before
        before = max(steps(tmp_path))


def test_runs_whose_command_is_killed_save_and_end_and_the_same_command_goes_on(tmp_path: Path, start: Start) -> None:
    first = start()
    until_both_go_on(tmp_path, 0, first)
    first.kill()
    first.communicate()
    reached = steps(tmp_path)
    second = start()  # at once, while the processes of the first still save
    until_both_go_on(tmp_path, max(reached), second)
    second.send_signal(signal.SIGTERM)
    said = second.communicate(timeout=PATIENCE)[1]
    assert (second.returncode, said.splitlines()[-1]) == (143, "stopped by SIGTERM; the same command goes on")
    assert all(not read_object(path) for path in tmp_path.glob("*/summary.json"))
    assert not _working_in(tmp_path)


def _working_in(folder: Path) -> list[str]:
    """Command lines of processes that have files of a folder open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [os.readlink(each) for each in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(file.startswith(str(folder)) for file in files):
            found.append((process / "cmdline").read_text())
    return found
