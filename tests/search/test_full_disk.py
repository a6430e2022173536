"""A search whose disk is full: nothing of it is lost, and the same command goes on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from snnrl.search.journal import journal, take_torn_line_away
from snnrl.tune import main


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can be made larger than so many bytes, of what is written beyond which the beginning is kept."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_search_that_ran_out_of_room_goes_on_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("agent.actor_lr: {type: float, low: 0.001, high: 0.05, log: true}\n")
    words = ["env=CartPole", "space=small.yaml", "executor=tests.search.written:Written", "out=found", "seeds=1"]
    with room_for(6000):
        assert main([*words, "trials=9", "progress=none"]) == 1
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert line.startswith("error: out=found: ")
    assert line.endswith("the same command goes on")
    kept = Path("found/study.journal").read_bytes()
    assert len(kept) == 6000
    assert not kept.endswith(b"\n")  # of a line that there was no room for, the beginning
    assert main([*words, "trials=9"]) == 0
    storage = JournalStorage(journal(Path("found/study.journal")))
    trials = optuna.load_study(storage=storage, study_name="found").get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 9
    assert Path("found/study.journal").read_bytes().startswith(kept[: kept.rindex(b"\n") + 1])


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (b"", b""),
        (b"one\ntwo\n", b"one\ntwo\n"),
        (b"one\ntw", b"one\n"),
        (b"one", b""),
        (b"one\n" + b"x" * 200_000, b"one\n"),
    ],
)
def test_a_line_that_is_not_whole_is_taken_away_and_no_other(written: bytes, left: bytes, tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(written)
    take_torn_line_away(tmp_path / "journal")
    assert (tmp_path / "journal").read_bytes() == left
