"""Runs in processes of this machine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from snnrl.runs.executors import make_executor
from snnrl.runs.executors.local import Local, LocalSettings, visible_gpus
from snnrl.runs.work import Outcome, Run, State
from snnrl.train import main as train
from tests.runs.short_runs import WORDS, local, outcomes, same, short_runs

LONG = "env_steps=10000000"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Three runs, of which the second cannot be made, by one process."""
    folder = tmp_path_factory.mktemp("runs")
    runs = short_runs(folder, 3)
    runs[1].settings["env"]["kwargs"] = {"no_such_argument": 1}
    return outcomes(runs, jobs=1)


def test_runs_end_with_the_weights_of_the_command(done: dict[str, Outcome], tmp_path: Path) -> None:
    for seed in (0, 2):
        alone = tmp_path / str(seed)
        assert train([*WORDS, "progress=none", f"seed={seed}", f"run_dir={alone}"]) == 0
        assert same(alone, done[f"seed={seed}"].run.folder)


def test_a_failure_is_told_by_its_last_lines_and_ends_no_other_run(done: dict[str, Outcome]) -> None:
    assert [done[name].state for name in sorted(done)] == [State.FINISHED, State.FAILED, State.FINISHED]
    assert "no_such_argument" in done["seed=1"].lines[-1]


def test_what_is_finished_is_not_done_again_and_what_failed_is_taken_up(done: dict[str, Outcome]) -> None:
    runs = [done[f"seed={seed}"].run for seed in range(3)]
    runs[1].settings["env"]["kwargs"].clear()
    before = (runs[0].folder / "summary.json").stat().st_mtime_ns
    again = outcomes(runs, jobs=1)
    assert {outcome.state for outcome in again.values()} == {State.FINISHED}
    assert (again["seed=0"].seconds, again["seed=2"].seconds) == (0, 0)
    assert (runs[0].folder / "summary.json").stat().st_mtime_ns == before


def until_it_steps(run: Run, seconds: float = 60.0) -> None:
    """Wait for the first row of metrics."""
    until = time.monotonic() + seconds
    while run.steps() == 0:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_run_whose_process_is_killed_goes_on_and_one_that_dies_again_is_told(tmp_path: Path) -> None:
    (run,) = short_runs(tmp_path, 1, LONG)
    with local(1) as executor:
        assert isinstance(executor, Local)
        executor.submit(run)
        until_it_steps(run)
        for _ in range(2):
            (worker,) = executor._workers
            os.kill(worker.process.pid, signal.SIGKILL)
            found = executor.ended(1)
        found = found or executor.ended(10)
    assert [(outcome.state, outcome.lines[-1]) for outcome in found] == [
        (State.FAILED, "error: its process was ended by SIGKILL")
    ]


def test_a_run_that_is_cancelled_or_left_is_saved_where_it_stands(tmp_path: Path) -> None:
    first, second = short_runs(tmp_path, 2, LONG)
    with local(2) as executor:
        executor.submit(first)
        executor.submit(second)
        until_it_steps(first)
        until_it_steps(second)
        executor.cancel(first)
        (outcome,) = executor.ended(30)
        assert (outcome.run, outcome.state) == (first, State.STOPPED)
    for run in (first, second):
        assert list(run.folder.glob("checkpoints/step_*.pt"))
        assert not run.finished()


def test_gpus_are_given_in_turn_unless_a_run_names_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    executor = Local(LocalSettings(), jobs=3, retries=0)
    (run,) = short_runs(tmp_path, 1)
    given = [executor._environment(place, run)["CUDA_VISIBLE_DEVICES"] for place in range(3)]
    assert given == ["4", "7", "4"]
    (own,) = short_runs(tmp_path, 1, "device=cuda:1")
    assert executor._environment(0, own)["CUDA_VISIBLE_DEVICES"] == "4,7"
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    assert visible_gpus(tmp_path, {}) == ["0", "1"]


def test_processes_make_way_after_a_number_of_runs(tmp_path: Path) -> None:
    runs = short_runs(tmp_path, 2)
    with make_executor("local", ["local.runs_per_process=1"], jobs=1) as executor:
        assert isinstance(executor, Local)
        processes = set()
        for run in runs:
            executor.submit(run)
            processes.add(executor._workers[-1].process.pid)
            (outcome,) = executor.ended(60)
            assert outcome.state is State.FINISHED
    assert len(processes) == 2
