"""Runs that version 0.1 wrote are still loaded, played, gone on with and evaluated."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import snnrl
from snnrl.config import read_config
from snnrl.training.checkpoints import load_checkpoint

RUNS = Path(__file__).parent / "data" / "runs_0.1"
IN_ENVIRONMENTS = ("cartpole", "pendulum", "ppo", "sac")
ON_IMAGES = tuple(sorted(run.name for run in RUNS.glob("mnist_*")))


def weights(run: Path) -> list[Tensor]:
    """What the run's last checkpoint holds of its model, whatever the names."""
    saved = torch.load(sorted(run.glob("checkpoints/step_*.pt"))[-1], weights_only=True)
    return tensors(saved.get("agent") or saved["learner"])


def tensors(state: Mapping[str, Any]) -> list[Tensor]:
    return [value.cpu() for value in state.values() if isinstance(value, Tensor)]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether two lists hold the same tensors, in any order."""

    def key(tensor: Tensor) -> tuple[object, ...]:
        return tuple(tensor.shape), str(tensor.dtype), tuple(tensor.flatten()[:3].tolist())

    pairs = zip(sorted(one, key=key), sorted(other, key=key), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", [*IN_ENVIRONMENTS, *ON_IMAGES])
def test_every_kind_of_run_is_loaded_with_its_weights(name: str) -> None:
    model = snnrl.load(RUNS / name, device="cpu")
    assert same(tensors(model.state_dict()), weights(RUNS / name))


@pytest.mark.parametrize("name", IN_ENVIRONMENTS)
def test_agents_play(name: str) -> None:
    found = snnrl.evaluate(snnrl.load(RUNS / name, device="cpu"), episodes=2)
    assert len(found.returns) == 2


@pytest.mark.parametrize("name", ON_IMAGES)
def test_learners_name_images(name: str) -> None:
    learner = snnrl.load(RUNS / name, device="cpu")
    labels = learner.predict(torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8))
    assert labels.shape == (3,)
    assert 0 <= int(labels.min()) <= int(labels.max()) < 10


def test_a_run_goes_on_to_the_weights_that_version_0_1_came_to(tmp_path: Path) -> None:
    expected = load_checkpoint(RUNS / "cartpole" / "checkpoints" / "step_000000000402.pt")["agent"]
    run = tmp_path / "run"
    shutil.copytree(RUNS / "cartpole", run)
    (run / "checkpoints" / "step_000000000402.pt").unlink()
    (run / "summary.json").unlink()
    found = snnrl.train(resume=run).model.state_dict()
    assert found.keys() == expected.keys()
    for weight, value in expected.items():
        torch.testing.assert_close(found[weight], value)
    assert read_config(run).env_steps == 400
