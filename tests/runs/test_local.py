"""Runs in processes of this machine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from snnrl.runs.carry_out import carry_out
from snnrl.runs.executors.local import Local, LocalSettings, visible_gpus
from snnrl.runs.work import Outcome, Run, State
from snnrl.train import main as train
from tests.runs.short_runs import WORDS, local, outcomes, same, short_runs

LONG = "env_steps=100000"


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
    with local(1, "local.runs_per_process=1") as executor:
        again = {outcome.run.name: outcome for outcome in carry_out(runs, executor)}
        assert executor.ended(20) == []
        assert isinstance(executor, Local)
        assert executor._workers == []  # it has made way
    assert {outcome.state for outcome in again.values()} == {State.FINISHED}
    assert (again["seed=0"].seconds, again["seed=2"].seconds) == (0, 0)
    assert (runs[0].folder / "summary.json").stat().st_mtime_ns == before


def until_it_steps(run: Run, seconds: float = 240.0) -> None:
    """Wait for the first row of metrics, long enough for a machine with much else to do."""
    until = time.monotonic() + seconds
    while run.steps() == 0:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_killed_process_costs_no_run_and_a_cancelled_run_is_saved(tmp_path: Path) -> None:
    first, second = short_runs(tmp_path, 2, LONG)
    with local(2) as executor:
        assert isinstance(executor, Local)

        def process_of(run: Run) -> int:
            return next((worker.process.pid for worker in executor._workers if worker.run is run), 0)

        executor.submit(first)
        executor.submit(second)
        until_it_steps(first)
        killed = process_of(first)
        os.kill(killed, signal.SIGKILL)
        until_it_steps(second)
        executor.cancel(second)
        (outcome,) = executor.ended(240)
        assert (outcome.run, outcome.state) == (second, State.STOPPED)
        assert list(second.folder.glob("checkpoints/step_*.pt"))
        while process_of(first) in (killed, 0):
            assert executor.ended(1) == []
        os.kill(process_of(first), signal.SIGKILL)
        (outcome,) = executor.ended(240)
    assert (outcome.run, outcome.state) == (first, State.FAILED)
    assert outcome.lines[-1] == "error: its process was ended by SIGKILL"


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
