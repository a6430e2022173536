"""Runs that are repeated: what counts as the same run, and what is remembered of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from snnrl.config import read_settings
from snnrl.errors import ConfigError, RunError
from snnrl.runs import perform
from snnrl.runs.command import require_finished
from snnrl.runs.perform import digest, played, train_run
from snnrl.runs.work import Outcome, Play, Run, State, check_reusable, finished, last_lines
from snnrl.train import main as train
from snnrl.types import Settings

QUIET = ["logger=none", "progress=none"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trials") / "run"
    words = ["env=CartPole", "env_steps=64", "num_envs=4", "eval.episodes=1", "eval.every=0", *QUIET]
    assert train([*words, f"run_dir={folder}"]) == 0
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy of a short run."""
    return shutil.copytree(trained, tmp_path / "run")


def described(folder: Path, settings: Settings | None = None, play: Play | None = None) -> Run:
    """The run in a folder, by its own settings unless others are given."""
    known = read_settings(folder) if settings is None else settings
    return Run(folder, known, folder.parent / "run.log", {}, False, play)


def test_what_is_remembered_of_a_run_is_forgotten_when_the_run_goes_on(folder: Path) -> None:
    path = folder / "notes" / "two.json"
    run = described(folder, play=Play(2, path, ("best",)))
    assert not run.finished()
    first = played(run)
    assert first == run.played()
    assert run.finished()
    written = path.stat().st_mtime_ns
    assert played(run) == first
    assert path.stat().st_mtime_ns == written
    assert not described(folder, play=Play(3, path, ("best",))).finished()
    assert train([f"resume={folder}", "env_steps=128", *QUIET]) == 0
    assert not run.finished()
    played(described(folder, play=run.play))
    assert path.stat().st_mtime_ns != written
    path.write_text("garbage")
    assert run.played() == {}


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("env_steps", 128, "env_steps is 64, now 128"),
        ("seed", 1, "seed is 0, now 1"),
        ("env", {"max_episode_steps": 7}, "env.max_episode_steps is null, now 7"),
        ("agent", {"gamma": 0.5}, "agent.gamma is "),
    ],
)
def test_a_run_is_reused_only_where_every_setting_that_matters_is_the_same(
    key: str, value: object, named: str, folder: Path
) -> None:
    settings = read_settings(folder)
    same = {**settings, "logger": "tensorboard", "progress": "bar", "run_dir": "elsewhere"}
    assert train_run(described(folder, same)) is None
    other = described(folder, {**settings, key: {**settings[key], **value} if isinstance(value, dict) else value})
    for check in (check_reusable, train_run):
        with pytest.raises(ConfigError, match="run is a run of other settings") as caught:
            check(other)
        assert named in str(caught.value)
    (folder / "summary.json").unlink()
    with pytest.raises(ConfigError, match="run is a run of other settings"):
        train_run(other)


@pytest.mark.parametrize("content", [b"", b'{"env', b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_a_run_with_a_damaged_summary_goes_on_and_writes_it_anew(content: bytes, folder: Path) -> None:
    whole = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_bytes(content)
    assert not finished(folder)
    assert train_run(described(folder)) is None
    written = json.loads((folder / "summary.json").read_text())
    assert written.keys() == {key for key in whole if key not in ("env", "agent", "seed") and "eval/" not in key}
    assert written["env_steps"] == whole["env_steps"]
    assert finished(folder)


def test_a_run_travels_as_one_line(folder: Path) -> None:
    run = described(folder, play=Play(2, folder / "notes.json", ("best", "sampled")))
    line = run.as_json()
    assert "\n" not in line
    again = Run.from_json(line)
    assert (again.folder, again.log, again.settings, again.play) == (run.folder, run.log, run.settings, run.play)
    assert (again.steps(), again.total) == (64, 64)


def test_a_folder_that_another_process_has_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from threading import Timer

    from snnrl.training.folder import RunFolder

    monkeypatch.setattr(perform, "PATIENCE", 0.05)
    (folder / "summary.json").unlink()
    holder = RunFolder(folder, read_settings(folder))
    holder.take("resume")
    refused = perform.perform(described(folder))
    assert "another process is training in this folder" in refused.lines[-1]
    timer = Timer(0.3, holder.release)
    timer.start()
    assert perform.perform(described(folder), patience=60).state == "finished"
    timer.join()


def test_the_last_lines_of_a_log_are_those_that_say_something(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 10_000 + b"\nfirst\n\n  second \xff\n\n")
    assert last_lines(tmp_path / "log", 2) == ("first", "  second \ufffd")
    assert last_lines(tmp_path / "none") == ()
    assert digest(tmp_path) is None


def test_a_run_without_room_for_its_log_fails_with_the_cause_as_its_last_line(folder: Path) -> None:
    run = described(folder, {"env": {"id": "CartPole-v1"}})  # other settings than those of the run in the folder
    failed = perform.perform(replace(run, log=Path("/dev/full")))
    assert failed.state is State.FAILED
    assert failed.lines[-1].startswith("error: out=")


def test_a_run_whose_log_cannot_be_made_fails_with_the_cause_as_its_last_line(folder: Path) -> None:
    (folder / "a_file").touch()
    failed = perform.perform(replace(described(folder), log=folder / "a_file" / "log"))
    assert failed.state is State.FAILED
    assert failed.lines == (f"error: {folder}/a_file/log cannot be written to (File exists)",)


def test_all_runs_that_failed_are_named_with_what_is_kept(tmp_path: Path) -> None:
    runs = [Run(tmp_path / name, {}, tmp_path / "logs" / f"{name}.log", {}) for name in "abcd"]
    ended = [Outcome(run, State.FINISHED) for run in runs]
    require_finished(ended)
    ended[1] = Outcome(runs[1], State.FAILED, ("Traceback", "error: the disk is full"))
    ended[3] = Outcome(runs[3], State.FAILED)
    with pytest.raises(RunError) as caught:
        require_finished(ended)
    assert str(caught.value) == (
        f"b failed: the disk is full; {tmp_path}/logs/b.log has all that it printed; d failed too; "
        "2 of 4 runs are whole and kept, the same command goes on"
    )
