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
PREDICTED = {
    "mnist_conv_unsupervised": "03000010000300000000",
    "mnist_supervised": "21444215411245144425",
    "mnist_supervised_clamped": "93904923304020409304",
    "mnist_surrogate": "85938258423423255254",
    "mnist_surrogate_conv": "00003005000000053000",
    "mnist_unsupervised": "00000000000000000000",
}
"""Labels that version 0.1 gave."""


def weights(run: Path) -> list[Tensor]:
    """What the run's last checkpoint holds of its model, whatever the names."""
    saved = torch.load(sorted(run.glob("checkpoints/step_*.pt"))[-1], weights_only=True)
    return tensors(saved.get("agent") or saved["learner"])


def tensors(state: Mapping[str, Any]) -> list[Tensor]:
    return [value.cpu() for value in state.values() if isinstance(value, Tensor)]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    """Whether two lists hold the same numbers, in any order, layout and precision."""

    def key(tensor: Tensor) -> list[float]:
        return sorted(tensor.flatten().tolist())

    return sorted(map(key, one)) == sorted(map(key, other))


@pytest.mark.parametrize("name", [*IN_ENVIRONMENTS, *ON_IMAGES])
def test_every_kind_of_run_is_loaded_with_its_weights(name: str) -> None:
    model = snnrl.load(RUNS / name, device="cpu")
    assert same(tensors(model.state_dict()), weights(RUNS / name))


@pytest.mark.parametrize("name", IN_ENVIRONMENTS)
def test_agents_play(name: str) -> None:
    found = snnrl.evaluate(snnrl.load(RUNS / name, device="cpu"), episodes=2)
    assert len(found.returns) == 2


@pytest.mark.parametrize("name", ON_IMAGES)
def test_learners_name_images_as_version_0_1_did(name: str) -> None:
    learner = snnrl.load(RUNS / name, device="cpu")
    draw = torch.Generator().manual_seed(0)
    patches = torch.randint(256, (20, 1, 7, 7), generator=draw).to(torch.uint8)
    images = torch.where(patches > 170, patches, 0).repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert "".join(map(str, learner.predict(images).tolist())) == PREDICTED[name]


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
