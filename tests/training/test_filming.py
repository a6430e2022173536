"""Videos of an agent while it learns, as TensorBoard and Weights & Biases show them."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import snnrl
from snnrl.errors import ConfigError
from snnrl.training.loggers import WandbLogger
from tests.data_sets import needs_digits

VIDEO = {"every": 64, "seconds": 0.2, "spikes": True}


def trained(folder: Path | None, video: dict[str, Any], **others: Any) -> snnrl.Run:
    quiet = {"eval": {"every": 0, "episodes": 1}, "progress": "none", "logger": "tensorboard"}
    return snnrl.train(
        "CartPole", env_steps=128, num_envs=4, seed=0, video=video, run_dir=folder, **{**quiet, **others}
    )


def images(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    return found


@pytest.mark.parametrize("agent", ["rstdp", "ppo"])
def test_tensorboard_shows_a_video_every_so_many_steps_which_says_how_it_was_played(agent: str, tmp_path: Path) -> None:
    own = {"agent.n_steps": 16, "agent.batch_size": 32} if agent == "ppo" else {}
    trained(tmp_path / "run", VIDEO, agent=agent, **own)
    found = images(tmp_path / "run")
    assert found.Tags()["images"] == ["video/best_actions"]
    shown = found.Images("video/best_actions")
    assert [each.step for each in shown] == [64, 128]
    with Image.open(io.BytesIO(shown[0].encoded_image_string)) as gif:
        assert gif.format == "GIF"
        assert (gif.width, gif.height) == (shown[0].width, shown[0].height) == (600, gif.height)
        assert gif.height > 400  # the spikes stand under the game
        assert re.fullmatch(rb"Cart Pole, agent \w+, best actions, seed 0", gif.info["comment"])


def test_videos_say_where_actions_were_drawn(tmp_path: Path) -> None:
    trained(tmp_path / "run", VIDEO, eval={"every": 0, "episodes": 1, "deterministic": False})
    assert images(tmp_path / "run").Tags()["images"] == ["video/drawn_actions"]


def test_a_run_learns_the_same_with_videos_and_without(tmp_path: Path) -> None:
    with_, without = (trained(tmp_path / str(every), {**VIDEO, "every": every}).agent.state_dict() for every in (32, 0))
    assert all(torch.equal(value, without[name]) for name, value in with_.items())


def test_wandb_takes_a_video_without_further_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    logger = WandbLogger(tmp_path, {})
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "GIF")
    logger.video("video/best_actions", file.getvalue(), 64)
    logger.close()
    (kept,) = tmp_path.rglob("media/videos/video/best_actions_*.gif")
    assert kept.read_bytes() == file.getvalue()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"video": {"every": 5}, "logger": "none"},
            "video.every=5: must be 0 with logger=none, as no logger shows videos",
        ),
        ({"video": {"every": 5}, "run_dir": None}, "video.every=5: must be 0 without run_dir, to which loggers write"),
        (
            {"video": {"every": 5, "spikes": True}, "agent": "random"},
            "video.spikes=true: the agent has no spiking neurons",
        ),
        ({"video": {"every": -5}}, "video.every=-5: must be an integer of at least 0"),
        pytest.param(
            {"video": {"every": 5}, "env": "snnrl/MNIST-v0"},
            "video.every=5: snnrl/MNIST-v0 cannot be drawn",
            marks=needs_digits,
        ),
    ],
)
def test_videos_that_cannot_be_had_are_refused_before_training(
    settings: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    own = {"run_dir": tmp_path / "run", **settings}
    with pytest.raises(ConfigError, match=re.escape(expected)):
        snnrl.train(own.pop("env", "CartPole"), env_steps=64, num_envs=1, progress="none", **own)
    assert not (tmp_path / "run").exists()
