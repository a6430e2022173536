"""Checkpoints that are whole and do not fit, and runs that go on from an earlier one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from snnrl import train
from snnrl.config import read_config
from snnrl.errors import ConfigError
from snnrl.loading import load
from snnrl.training.checkpoints import CheckpointStore, load_checkpoint, save_checkpoint
from snnrl.training.rl_task import RLTask
from snnrl.training.trainer import Trainer

WORDS = ("env=CartPole", "num_envs=1", "env_steps=300", "checkpoint.every=100", "logger=none", "progress=none")
EVALUATIONS = ("eval.every=100", "eval.during=1", "eval.episodes=1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; not to be written to."""
    run_dir = tmp_path_factory.mktemp("trained") / "run"
    assert train.main([*WORDS, *EVALUATIONS, f"run_dir={run_dir}"]) == 0
    return run_dir


@pytest.fixture
def run_dir(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def latest(run_dir: Path) -> Path:
    return CheckpointStore(run_dir / "checkpoints").find("last")


def without(key: str) -> Callable[[dict[str, Any]], Any]:
    return lambda held: held.pop(key)


def with_value(key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda held: held.update({key: value})


def without_weight(held: dict[str, Any]) -> None:
    held["agent"].popitem()


def with_short_weight(held: dict[str, Any]) -> None:
    name, value = held["agent"].popitem()
    held["agent"][name] = torch.zeros(value.numel() + 3)


KEYS = ("agent", "generator", "steps", "episodes", "recent", "best", "evaluated_at", "metrics_position", "wandb_id")
CHANGES = {
    **{f"no {key}": without(key) for key in KEYS},
    **{f"{key} is text": with_value(key, "many") for key in KEYS if key != "wandb_id"},
    **{f"{key} is a tensor": with_value(key, torch.zeros(2)) for key in KEYS if key != "episodes"},
    "a negative step": with_value("steps", -1),
    "a step that is not a number": with_value("train_seconds", float("nan")),
    "a step that is true": with_value("steps", True),
    "a weight is missing": without_weight,
    "a weight of another shape": with_short_weight,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_checkpoint_whose_content_does_not_fit_is_damaged_and_nothing_is_changed(
    run_dir: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    path = latest(run_dir)
    held = load_checkpoint(path)
    change(held)
    save_checkpoint(path, held)
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError) as caught:
        Trainer(RLTask(read_config(run_dir)), run_dir, resume=True)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"checkpoint {path} is damaged (")
    assert "step_000000000200.pt" in line
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["no agent", "agent is text", "no generator", "a weight is missing"])
def test_a_checkpoint_whose_content_does_not_fit_is_not_played(run_dir: Path, name: str) -> None:
    path = latest(run_dir)
    held = load_checkpoint(path)
    CHANGES[name](held)
    save_checkpoint(path, held)
    with pytest.raises(ConfigError, match="the run's checkpoint is damaged"):
        load(run_dir)
    assert load(run_dir, checkpoint="step_000000000200.pt") is not None


def test_a_damaged_checkpoint_names_what_goes_on(
    run_dir: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_dir / "summary.json").unlink()
    latest(run_dir).write_bytes(b"not a checkpoint")
    assert train.main([f"resume={run_dir}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "give checkpoint= an earlier one: step_000000000200.pt" in line
    assert train.main([f"resume={run_dir}", "checkpoint=step_000000000200.pt"]) == 0
    assert "going on at 200 of 300 env steps" in capsys.readouterr().err
    again, straight = load_checkpoint(latest(run_dir)), load_checkpoint(latest(trained))
    assert all(torch.equal(value, straight["agent"][name]) for name, value in again["agent"].items())


def test_a_run_goes_on_from_its_best_or_a_file_by_its_path(run_dir: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.pt"
    shutil.copy(run_dir / "checkpoints" / "step_000000000200.pt", kept)
    config = read_config(run_dir)
    best = load_checkpoint(run_dir / "checkpoints" / "best.pt")["steps"]
    for checkpoint, steps in ((str(kept), 200), ("best", best)):
        trainer = Trainer(RLTask(config), run_dir, resume=checkpoint)
        assert trainer.steps == steps
        trainer.files.abandon()
        trainer.files.release()
    with pytest.raises(ConfigError, match=r"nothing\.pt does not exist: there are: step_000000000300\.pt"):
        Trainer(RLTask(config), run_dir, resume="nothing.pt")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"env_steps": "many"}'])
def test_a_damaged_summary_is_made_anew(run_dir: Path, content: bytes) -> None:
    (run_dir / "summary.json").write_bytes(content)
    trainer = Trainer(RLTask(read_config(run_dir)), run_dir, resume=True)
    assert trainer.train().summary is not None
    assert json.loads((run_dir / "summary.json").read_text())["env_steps"] == 300
