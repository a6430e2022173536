from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snnrl import evaluate, train
from snnrl.evaluate import Options
from snnrl.settings import declarations
from snnrl.training.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "run"
    words = ["env=CartPole", "env_steps=600", "num_envs=4", "seed=3", "logger=none", "progress=none"]
    assert train.main([*words, "eval.every=200", "eval.during=2", "eval.episodes=1", f"run_dir={path}"]) == 0
    return path


@pytest.fixture
def run_dir(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished run as ``run`` in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, "run")
    return Path("run")


def found(run_dir: Path, *words: str) -> dict[str, Any]:
    """What the command writes."""
    assert evaluate.main([f"run={run_dir}", *words]) == 0
    read: dict[str, Any] = json.loads((run_dir / "evaluation.json").read_text())
    return read


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    return line


def test_the_result_holds_every_episode_and_what_they_come_to(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = found(run_dir, "episodes=7")
    assert result["episodes"] == len(result["returns"]) == len(result["lengths"]) == 7
    assert result["returns"] == result["lengths"], "a step of CartPole is worth 1"
    assert len(set(result["returns"])) > 1
    assert result["return_mean"] == pytest.approx(np.mean(result["returns"]))
    assert result["return_std"] == pytest.approx(np.std(result["returns"]))
    low, high = result["return_interval_95"]
    assert min(result["returns"]) <= low < result["return_mean"] < high <= max(result["returns"])
    assert (result["seed"], result["env"], result["checkpoint"]) == (3, "CartPole-v1", "last")
    assert "torch" in result["versions"]
    line, written = capsys.readouterr().out.splitlines()
    assert written == "written to run/evaluation.json"
    assert f"return {result['return_mean']:.1f} ± {result['return_std']:.1f}" in line
    assert "7 episodes of CartPole-v1" in line


def test_a_seed_decides_the_episodes(run_dir: Path) -> None:
    first, again, other = (found(run_dir, "episodes=12", f"seed={seed}") for seed in (5, 5, 6))
    assert first["returns"] == again["returns"]
    assert first["returns"] != other["returns"]
    assert first["seed"] == 5


def test_random_actions_are_repeatable_and_others_than_the_best(run_dir: Path) -> None:
    first, again = (found(run_dir, "episodes=12", "deterministic=false") for _ in range(2))
    assert first["returns"] == again["returns"]
    assert first["returns"] != found(run_dir, "episodes=12")["returns"]


def test_nothing_but_the_result_is_written(run_dir: Path) -> None:
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    found(run_dir, "episodes=1")
    after = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    assert set(after) - set(before) == {run_dir / "evaluation.json"}
    assert all(after[path] == content for path, content in before.items())


def test_a_video_shows_an_episode(run_dir: Path) -> None:
    found(run_dir, "episodes=1", "video=true")
    with Image.open(run_dir / "video.gif") as picture:
        assert getattr(picture, "n_frames", 1) > 5
        assert picture.size == (600, 400)
        assert b"best actions" in picture.info["comment"]
    found(run_dir, "episodes=1", "video=false")


def test_a_video_shows_spikes_and_is_of_the_kind_and_length_that_are_asked_for(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    av = pytest.importorskip("av", reason="needs the extra video")
    found(run_dir, "episodes=1", "video=mp4", "spikes=true", "seconds=0.1", "deterministic=false")
    assert re.search(
        r"0 s of Cart Pole, drawn actions, score 5 until it was cut; video written", capsys.readouterr().out
    )
    with av.open(run_dir / "video.mp4") as film:
        assert "drawn actions" in film.metadata["comment"]
        assert film.streams.video[0].height > 400
        assert len(list(film.decode(video=0))) == 5


def test_a_video_that_cannot_be_drawn_is_refused_before_episodes_are_played(
    run_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    assert evaluate.main([f"run={run_dir}", "episodes=1", "video=true"]) == 2
    assert one_line(capsys).startswith("error: video=true: CartPole-v1 cannot be drawn without a package")
    assert not (run_dir / "evaluation.json").exists()


def test_the_best_checkpoint_can_be_chosen_and_a_file_too(run_dir: Path) -> None:
    checkpoints = run_dir / "checkpoints"
    (checkpoints / "step_000000009999.pt").write_bytes((checkpoints / "best.pt").read_bytes())
    best, last = found(run_dir, "episodes=12", "checkpoint=best"), found(run_dir, "episodes=12")
    assert best["returns"] == last["returns"]
    assert (best["checkpoint"], last["checkpoint"]) == ("best", "last")
    (checkpoints / "step_000000009999.pt").unlink()
    oldest = min(checkpoints.glob("step_*.pt"))
    drawn = ("episodes=12", "deterministic=false")
    other = found(run_dir, *drawn, f"checkpoint={oldest}")
    assert load_checkpoint(oldest)["steps"] < 600
    assert other["returns"] != found(run_dir, *drawn)["returns"]


WRONG = {
    "episodes=0": "episodes=0: must be an integer of at least 1",
    "episodes=many": "episodes=many: must be an integer of at least 1",
    "episodes=1.5": "episodes=1.5: must be an integer of at least 1",
    "seed=-1": "seed=-1: must be an integer of at least 0",
    "video=maybe": "video=maybe: must be true, gif, mp4 or false",
    "deterministic=1": "deterministic=1: must be true or false",
    "episode=3": "episode=3: there is no such option; did you mean episodes?",
    "--video": "--video: there is no such option",
    "video": "video: must be key=value",
    "checkpoint=first": "checkpoint run/checkpoints/first does not exist",
}


@pytest.mark.parametrize("word", WRONG)
def test_a_wrong_option_ends_the_command_with_one_line(
    word: str, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main([f"run={run_dir}", word]) == 2
    assert one_line(capsys).startswith(f"error: {WRONG[word]}")
    assert not (run_dir / "evaluation.json").exists()


@pytest.mark.parametrize("words", [["run=nowhere"], ["run=."], []], ids=["missing", "no run", "not given"])
def test_the_folder_must_be_that_of_a_run(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert evaluate.main(words) == 2
    line = one_line(capsys)
    assert line.startswith(f"error: {words[0] if words else 'run is missing'}: ")
    assert "must be the folder of a run" in line
    assert list(Path().iterdir()) == []


def test_the_best_of_a_run_without_evaluations_is_refused(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run_dir / "checkpoints" / "best.pt").unlink()
    assert evaluate.main([f"run={run_dir}", "checkpoint=best"]) == 2
    assert one_line(capsys).endswith("must be last")


def test_a_run_without_a_checkpoint_is_refused(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(run_dir / "checkpoints")
    assert evaluate.main([f"run={run_dir}"]) == 2
    assert one_line(capsys).startswith("error: there is no checkpoint in run/checkpoints")


def test_a_damaged_checkpoint_is_refused(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = max((run_dir / "checkpoints").glob("step_*.pt"))
    path.write_bytes(path.read_bytes()[:-100])
    assert evaluate.main([f"run={run_dir}"]) == 2
    assert f"{path} is damaged" in one_line(capsys)


def test_a_checkpoint_of_another_architecture_is_refused(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = run_dir / "config.yaml"
    config.write_text(config.read_text().replace("per_action: 10", "per_action: 11"))
    assert evaluate.main([f"run={run_dir}"]) == 2
    assert "another architecture" in one_line(capsys)


@pytest.mark.parametrize("agent", ["random", "constant"])
def test_agents_that_do_not_learn_are_evaluated_by_the_same_command(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["env=CartPole", f"agent={agent}", "env_steps=1", "eval.episodes=1", "logger=none", "progress=none"]
    assert train.main([*words, "run_dir=run"]) == 0
    first = found(Path("run"), "episodes=40")
    assert first["returns"] == found(Path("run"), "episodes=40")["returns"]
    assert 8 <= first["return_mean"] <= (11 if agent == "constant" else 35)


def test_help_says_what_can_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {option}  " in shown for option in declarations(Options))


def test_a_run_whose_evaluations_draw_actions_is_evaluated_so_unless_told_otherwise(tmp_path: Path) -> None:
    words = ["env=CartPole", "env_steps=600", "num_envs=4", "seed=3", "logger=none", "progress=none", "eval.episodes=4"]
    assert train.main([*words, "eval.deterministic=false", f"run_dir={tmp_path / 'run'}"]) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["eval/deterministic"] is False
    assert found(tmp_path / "run", "episodes=4")["deterministic"] is False
    assert found(tmp_path / "run", "episodes=4", "deterministic=true")["deterministic"] is True


def test_a_result_that_cannot_be_kept_is_printed_all_the_same(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_dir / ".evaluation.json.tmp").mkdir()
    assert evaluate.main([f"run={run_dir}", "episodes=2", "progress=none"]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("return ")
    assert shown.err == (
        "error: run cannot be written to (Is a directory); nothing is kept there but what was before\n"
    )
