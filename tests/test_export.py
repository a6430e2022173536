"""Small copies of runs play as the runs do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

import snnrl
from snnrl.errors import UntrustedCodeError
from snnrl.evaluate import main as evaluate
from snnrl.export import main as export
from snnrl.model_card import model_card
from snnrl.recipes import compose_run
from snnrl.train import main as train
from snnrl.training.checkpoints import load_checkpoint


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = ["env=CartPole", "env_steps=4000", "eval.episodes=2", "eval.every=0", "logger=none", "progress=none"]
    assert train([*words, f"run_dir={folder}"]) == 0
    return folder


def test_a_copy_is_smaller_and_plays_nearly_as_the_run(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert export([f"run={run}", f"out={copy}"]) == 0
    small, large = copy / "model.safetensors", max(run.glob("checkpoints/step_*"))
    assert small.stat().st_size < 0.6 * large.stat().st_size
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
    assert snnrl.load(tmp_path / "copy").num_timesteps == load_checkpoint(earlier)["steps"]


def test_the_page_has_what_model_hubs_read(run: Path, tmp_path: Path) -> None:
    (run / "controls-4000").mkdir()
    (run / "controls-4000" / "controls.md").write_text("| what | best actions |\n|---|---|\n| shuffled | 9.4 |\n")
    assert export([f"run={run}", f"out={tmp_path / 'copy'}", "license=mit", "title=A pole"]) == 0
    page = (tmp_path / "copy" / "README.md").read_text()
    _, head, body = page.split("---\n", 2)
    told = yaml.safe_load(head)
    summary = json.loads((run / "summary.json").read_text())
    assert (told["license"], told["library_name"], told["pipeline_tag"]) == ("mit", "snnrl", "reinforcement-learning")
    assert told["tags"][-2:] == ["rstdp", "CartPole-v1"]
    (result,) = told["model-index"][0]["results"]
    assert result["metrics"][0]["value"].startswith(f"{summary['eval/return_mean']:.2f} +/- ")
    assert "# A pole" in body
    assert "| shuffled | 9.4 |" in body
    assert f"- torch {torch.__version__.partition('+')[0]}" in body
    (shown,) = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    exec(compile(shown.replace("this_folder", str(tmp_path / "copy")).replace("10", "1"), "card", "exec"), {})


def test_the_page_says_spiking_only_of_what_spikes() -> None:
    settings = {"env": {"id": "CartPole-v1"}, "agent": {"name": "ppo"}, "seed": 0}
    spiking, other = (model_card(settings, {}, title="a", spiking=spiking) for spiking in (True, False))
    assert "spiking-neural-network" in spiking
    assert "spiking-neural-network" not in other
    assert ": no spiking neurons" in other


def test_what_was_exported_holds_numbers_alone_and_cannot_be_trained_on(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    assert export([f"run={run}", f"out={copy}"]) == 0
    assert train([f"resume={copy}", "env_steps=8000", "progress=none"]) == 2
    assert "holds weights alone" in capsys.readouterr().err
    assert export([f"run={copy}", f"out={tmp_path / 'again'}"]) == 0
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert evaluate([f"run={copy}", "episodes=1"]) == 2
    assert "is damaged" in capsys.readouterr().err
    settings = yaml.safe_load((copy / "config.yaml").read_text())
    settings["agent"]["name"] = "somebody_elses:Agent"
    (copy / "config.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(UntrustedCodeError):
        snnrl.load(copy)


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
