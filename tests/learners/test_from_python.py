"""Learning from a data set, from Python as by the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import snnrl
from snnrl.agents.rstdp import RSTDP
from snnrl.errors import ConfigError
from snnrl.learners import make_learner
from snnrl.train import main
from snnrl.training.checkpoints import CheckpointStore

FEW: dict[str, Any] = {"n_neurons": 10, "train_images": 300, "test_images": 100, "seed": 2}
QUIET: dict[str, Any] = {"progress": "none", "logger": "none"}


def study(drawn: Path, **settings: Any) -> snnrl.Run:
    return snnrl.train(experiment="mnist_unsupervised", data_dir=drawn, **{**FEW, **QUIET, **settings})


def test_the_same_seed_gives_the_same_weights_by_command_and_from_python(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"{key}={value}" for key, value in {**FEW, **QUIET}.items()]
    folder = tmp_path / "run"
    assert main(["experiment=mnist_unsupervised", *words, f"data_dir={drawn}", f"run_dir={folder}"]) == 0
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    run = study(drawn)
    assert not list(Path().iterdir())
    for name, value in CheckpointStore(folder / "checkpoints").load()["learner"].items():
        assert torch.equal(run.learner.state_dict()[name], value), name
    assert isinstance(run.evaluation, torch.Tensor)
    assert run.evaluation.sum() == 100
    assert run.summary is not None
    assert run.summary["test/accuracy"] == run.evaluation.diagonal().sum() / 100
    assert any("test/accuracy" in row for row in run.history)


def test_a_callback_sees_batches_and_ends_learning(drawn: Path) -> None:
    seen: list[int] = []

    def ends(variables: dict[str, Any], _: dict[str, Any]) -> bool:
        seen.append(variables["num_timesteps"])
        assert len(variables["images"]) == len(variables["labels"])
        return len(seen) < 3

    run = study(drawn, callback=ends)
    assert len(seen) == 3
    assert run.steps == seen[-1] < 300
    assert isinstance(run.evaluation, torch.Tensor)


def test_a_run_goes_on_from_python(drawn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    study(drawn, run_dir=folder, callback=lambda variables, _: variables["num_timesteps"] < 100)
    again = snnrl.train(resume=folder, progress="none")
    straight = study(drawn)
    assert again.steps == straight.steps == 300
    for one, other in zip(again.learner.state_dict().values(), straight.learner.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_data_set_has_no_environment(drawn: Path) -> None:
    with pytest.raises(ConfigError, match=r"env=.*CartPole.*: experiment=mnist_unsupervised learns from a data set"):
        snnrl.train("CartPole", experiment="mnist_unsupervised", data_dir=drawn)


def test_a_learner_is_saved_and_loaded_as_agents_are(drawn: Path, tmp_path: Path) -> None:
    learner = study(drawn).learner
    learner.save(tmp_path / "learner")
    for loaded in (snnrl.load(tmp_path / "learner"), type(learner).load(tmp_path / "learner.pt")):
        assert type(loaded) is type(learner)
        for name, value in learner.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], value), name
        assert torch.equal(loaded.generator.get_state(), learner.generator.get_state())
    assert repr(learner) == repr(snnrl.load(tmp_path / "learner"))
    with pytest.raises(ConfigError, match="env=CartPole: must be left out, as a learner has no environment"):
        snnrl.load(tmp_path / "learner", env="CartPole")
    with pytest.raises(ConfigError, match="must be the file of a RSTDP, this is one of a DiehlCook"):
        RSTDP.load(tmp_path / "learner")


def test_a_learner_made_by_its_class_alone_says_what_it_lacks(tmp_path: Path) -> None:
    learner = make_learner({"name": "diehl_cook", "n_neurons": 4}, (1, 4, 4), 2)
    with pytest.raises(ConfigError, match="was made without a data set; must be that of a run"):
        learner.save(tmp_path / "learner")


def test_a_run_of_a_learner_is_printed_in_short(drawn: Path) -> None:
    lines = repr(study(drawn)).splitlines()
    assert len(lines) == 3
    assert "n_neurons=10" in lines[0]
    assert "of 100 images right" in lines[1]
