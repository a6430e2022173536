"""Small copies of runs play as the runs do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import snnrl
from snnrl.evaluate import main as evaluate
from snnrl.export import main as export
from snnrl.recipes import compose_run
from snnrl.train import main as train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = ["env=CartPole", "env_steps=4000", "eval.episodes=2", "eval.every=0", "logger=none", "progress=none"]
    assert train([*words, f"run_dir={folder}"]) == 0
    return folder


def test_a_copy_is_smaller_and_plays_nearly_as_the_run(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert export([f"run={run}", f"out={copy}"]) == 0
    (small,), large = copy.glob("checkpoints/*"), max(run.glob("checkpoints/step_*"))
    assert small.stat().st_size < large.stat().st_size / 2
    whole, halved = snnrl.load(run).state_dict(), snnrl.load(copy).state_dict()
    assert whole.keys() == halved.keys()
    for name, value in whole.items():
        assert halved[name].dtype == value.dtype
        assert torch.allclose(halved[name], value, rtol=1e-3, atol=1e-4), name
    assert evaluate([f"run={copy}", "episodes=2"]) == 0
    assert json.loads((copy / "evaluation.json").read_text())["episodes"] == 2


def test_an_earlier_checkpoint_is_exported_by_its_name(run: Path, tmp_path: Path) -> None:
    earlier = min(run.glob("checkpoints/step_*"))
    assert export([f"run={run}", f"out={tmp_path / 'copy'}", f"checkpoint={earlier.name}"]) == 0
    assert [path.name for path in (tmp_path / "copy").glob("checkpoints/*")] == [earlier.name]


def test_what_cannot_be_exported_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "config.yaml").write_text((run / "config.yaml").read_text())
    study = tmp_path / "study"
    study.mkdir()
    OmegaConf.save(OmegaConf.create(compose_run(["experiment=mnist_unsupervised"])), study / "config.yaml")
    for words, error in (
        ((f"run={study}", "out=x"), "must be the run of an agent"),
        ((f"run={run}",), "out is missing: must be a"),
        ((f"run={run}", f"out={run}"), f"out={run}: must be a new folder"),
        ((f"run={tmp_path / 'none'}", "out=x"), "there is no such folder"),
        ((f"run={unfinished}", "out=x"), "finished"),
        ((f"run={run}", "outt=x"), "did you mean out"),
    ):
        assert export(list(words)) == 2
        assert error in capsys.readouterr().err
