"""Runs in folders that the command's machine does not see."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnrl.runs.executors import fetched
from snnrl.runs.executors.fetched import Keeper, files_of, perform_apart, write_files
from snnrl.runs.perform import perform
from snnrl.runs.work import Outcome, Run, State
from tests.runs.short_runs import same, short_runs


def test_a_run_elsewhere_comes_back_and_goes_on_from_what_was_sent_last(tmp_path: Path) -> None:
    (alone,) = short_runs(tmp_path / "alone", 1, "checkpoint.every=32", "env_steps=96")
    (run,) = short_runs(tmp_path / "runs", 1, "checkpoint.every=32", "env_steps=96")
    perform(alone)
    keeper, places = Keeper(), []

    def lost(own: Run) -> Outcome:
        """Of a machine that is lost once it has sent a run that is not finished."""
        places.append(own.folder)
        perform(own)
        (own.folder / "summary.json").unlink()
        for path in sorted(own.folder.glob("checkpoints/*"))[1:]:
            path.unlink()
        return Outcome(own, State.STOPPED)

    perform_apart(run.as_json(), lost, keeper.begin, keeper.keep)
    assert not run.finished()
    assert len(list(run.folder.glob("checkpoints/*"))) == 1
    assert perform_apart(run.as_json(), perform, keeper.begin, keeper.keep).state is State.FINISHED
    assert run.finished()
    assert same(run.folder, alone.folder)
    assert run.log.is_file()
    assert not places[0].exists()


def test_a_process_that_is_no_longer_the_runs_own_writes_nothing(tmp_path: Path) -> None:
    (run,) = short_runs(tmp_path, 1)
    keeper = Keeper()
    first, _ = keeper.begin(run.as_json())
    second, _ = keeper.begin(run.as_json())
    keeper.keep(run.as_json(), first, {"log": b"old"})
    assert not run.log.exists()
    keeper.keep(run.as_json(), second, {"log": b"new"})
    assert run.log.read_bytes() == b"new"


def test_checkpoints_are_sent_while_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetched, "EVERY", 0.01)
    (run,) = short_runs(tmp_path, 1)
    keeper, sent = Keeper(), []

    def performing(own: Run) -> Outcome:
        (own.folder / "checkpoints").mkdir(parents=True)
        (own.folder / "checkpoints" / "step_1.pt").write_bytes(b"weights")
        for _ in range(500):
            if (run.folder / "checkpoints" / "step_1.pt").is_file():
                break
            fetched.threading.Event().wait(0.01)
        sent.append((run.folder / "checkpoints" / "step_1.pt").read_bytes())
        return Outcome(own, State.FINISHED)

    perform_apart(run.as_json(), performing, keeper.begin, keeper.keep)
    assert sent == [b"weights"]


def test_old_checkpoints_and_locks_stay_where_they_are(tmp_path: Path) -> None:
    (run,) = short_runs(tmp_path / "a", 1)
    (other,) = short_runs(tmp_path / "b", 1)
    for each, name in ((run, "new.pt"), (other, "old.pt")):
        (each.folder / "checkpoints").mkdir(parents=True)
        (each.folder / "checkpoints" / name).touch()
    (run.folder / ".lock").touch()
    write_files(other, files_of(run))
    assert [path.name for path in other.folder.rglob("*")] == ["checkpoints", "new.pt"]
