"""Runs on a GPU, from Python and by the command: they go on from a checkpoint as if they had never stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from snnrl import train
from snnrl.training.checkpoints import load_checkpoint
from tests.simulated_gpu import OnGPU, simulated_gpu
from tests.training.test_resume import QUIET, latest_step, metrics

FEW = ["eval.every=0", "eval.episodes=1", "num_envs=2", "env.max_episode_steps=20", "device=cuda", *QUIET]
RUNS = {
    "R-STDP": ["env=CartPole", "env_steps=60", "checkpoint.every=20", *FEW],
    "R-STDP, environments on the GPU": [
        "env=Pendulum",
        "env.backend=torch",
        "env_steps=60",
        "checkpoint.every=20",
        *FEW,
    ],
    "DQN with its memory": [
        *("env=CartPole", "agent=dqn", "env_steps=96", "checkpoint.every=32", *FEW),
        *("agent.learning_starts=16", "agent.save_replay=true"),
    ],
}


def held(checkpoint: Path) -> list[Tensor]:
    """All tensors that a checkpoint holds: weights, the generator, an algorithm's memory."""
    found = [value for value in tree_flatten(load_checkpoint(checkpoint))[0] if isinstance(value, Tensor)]
    assert not any(isinstance(value, OnGPU) for value in found)
    return found


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(name: str, tmp_path: Path) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    with simulated_gpu():
        assert train.main([*RUNS[name], f"run_dir={straight}"]) == 0
        shutil.copytree(straight, stopped)
        (stopped / "summary.json").unlink()
        _, *later = sorted((stopped / "checkpoints").glob("step_*.pt"))
        for path in later:
            path.unlink()
        went_on = latest_step(stopped)
        assert train.main([f"resume={stopped}", "device=cuda"]) == 0
    assert 0 < went_on < latest_step(straight)
    assert metrics(stopped) == metrics(straight)
    ends = [held(folder / "checkpoints" / f"step_{latest_step(straight):012d}.pt") for folder in (stopped, straight)]
    assert len(ends[0]) == len(ends[1]) > 5
    assert all(map(torch.equal, *ends))
