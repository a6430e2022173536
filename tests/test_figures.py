"""The pictures of the README are drawn from runs."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import snnrl
from snnrl.train import main as train
from tests.learners.conftest import drawn_digits, write_part

ROOT = Path(snnrl.__file__).parents[1]
SHORT = ["logger=none", "progress=none", "eval.every=0", "checkpoint.every=0"]


@pytest.fixture
def figures() -> dict[str, Callable[..., Any]]:
    return runpy.run_path(str(ROOT / "docs" / "figures.py"))


def trained(run: Path, *words: str) -> Path:
    assert train([*words, *SHORT, f"run_dir={run}"]) == 0
    return run


def drawn(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


def test_play_is_drawn_with_its_spikes_and_a_learning_curve(
    figures: dict[str, Callable[..., Any]], tmp_path: Path
) -> None:
    limits = ["env_steps=64", "num_envs=2", "agent.warmup_steps=16", "env.max_episode_steps=8", "eval.episodes=1"]
    run = trained(tmp_path / "run", "env=SpaceInvaders", *limits)
    figures["play"](run, tmp_path / "play.png", decisions=6, skip=1)
    figures["curves"](tmp_path / "curves.png", [f"R-STDP={run}", "always FIRE=285"])
    assert drawn(tmp_path / "play.png")
    assert drawn(tmp_path / "curves.png")


def test_what_was_learned_of_images_is_drawn(figures: dict[str, Callable[..., Any]], tmp_path: Path) -> None:
    write_part(tmp_path / "MNIST" / "raw", "train", *drawn_digits(128, seed=1))
    write_part(tmp_path / "MNIST" / "raw", "t10k", *drawn_digits(64, seed=2))
    run = trained(tmp_path / "run", "experiment=mnist_unsupervised", "n_neurons=16", f"data_dir={tmp_path}")
    figures["mnist"](run, tmp_path / "mnist.png", shown=9)
    assert drawn(tmp_path / "mnist.png")
