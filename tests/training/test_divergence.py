"""A run that has diverged stops, and what it had saved before stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from snnrl.config import RunConfig
from snnrl.errors import RunError
from snnrl.recipes import compose_run
from snnrl.train import main
from snnrl.training.divergence import check_finite
from snnrl.training.files import RunFiles
from snnrl.training.rl_task import RLTask
from snnrl.training.trainer import Trainer

WORDS = ["env=CartPole", "num_envs=1", "env_steps=200", "eval.every=0", "eval.episodes=1", "logger=none"]


def test_weights_that_are_no_numbers_are_not_saved(tmp_path: Path) -> None:
    words = [*WORDS, "checkpoint.every=50", "progress=none"]
    trainer = Trainer(RLTask(RunConfig.from_mapping(compose_run(words))), tmp_path / "run")
    step = trainer.task.step

    def poisoned() -> object:
        if trainer.steps > 60:
            next(trainer.task.model.parameters()).data.fill_(float("nan"))
        return step()

    trainer.task.step = poisoned  # type: ignore[method-assign, assignment]
    with pytest.raises(
        RunError, match=r"the run has diverged: network\..* holds NaN or infinite values after 1\d\d env"
    ):
        trainer.train()
    assert not (tmp_path / "run" / "summary.json").exists()
    assert isinstance(trainer.files, RunFiles)
    latest = trainer.files.checkpoints.latest()
    assert latest is not None
    assert latest.name == "step_000000000050.pt"


def test_an_algorithm_that_diverges_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "agent=ppo_ann", "agent.n_steps=16", "agent.learning_rate=1e30", f"run_dir={tmp_path / 'run'}"]
    assert main([*words, "progress=none"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: the run has diverged: policy.")


def test_infinite_limits_are_no_divergence() -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("limit", torch.tensor(float("inf")))
    check_finite(model, "now")
    model.register_buffer("mean", torch.tensor(float("nan")))
    with pytest.raises(RunError, match="mean holds NaN"):
        check_finite(model, "now")


def test_infinite_weights_are_a_divergence() -> None:
    model = nn.Linear(2, 2)
    nn.init.constant_(model.weight, -float("inf"))
    with pytest.raises(RunError, match="weight holds NaN or infinite values now"):
        check_finite(model, "now")
