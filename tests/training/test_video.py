from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from snnrl import make_agent
from snnrl.envs import EnvConfig, env_seeds, make_env
from snnrl.training.evaluation import AFTERWARDS
from snnrl.training.video import record_episode

CART_POLE = EnvConfig("CartPole-v1")
MILLISECONDS = 20


def milliseconds(path: Path) -> int:
    """How long the whole picture is shown; equal frames that follow each other are stored as one longer frame."""
    total = 0
    with Image.open(path) as picture:
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            total += int(picture.info["duration"])
    return total


def episode_length(seed: int) -> int:
    env = make_env(CART_POLE)
    env.reset(seed=env_seeds(seed, "eval", AFTERWARDS, 1)[0])
    length, ended = 0, False
    while not ended:
        _, _, terminated, truncated, _ = env.step(1)
        length, ended = length + 1, terminated or truncated
    return length


@pytest.mark.parametrize("seed", [0, 1])
def test_a_video_has_a_frame_for_each_step_of_the_episode(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "video.gif"
    assert record_episode(make_agent("CartPole", "constant", action=1), CART_POLE, path, seed=seed) == path
    assert milliseconds(path) == MILLISECONDS * episode_length(seed)
    with Image.open(path) as picture:
        assert picture.size == (600, 400)
        assert getattr(picture, "n_frames", 1) > 1
        assert picture.info["loop"] == 0


def test_a_long_episode_is_cut(tmp_path: Path) -> None:
    agent = make_agent("CartPole", "constant", action=1)
    path = record_episode(agent, CART_POLE, tmp_path / "video.gif", most_frames=4)
    assert milliseconds(path) == MILLISECONDS * 4


def test_a_video_is_repeatable_and_its_seed_decides_the_episode(tmp_path: Path) -> None:
    agent = make_agent("CartPole")
    one, same, other = (
        record_episode(agent, CART_POLE, tmp_path / f"{name}.gif", seed=seed).read_bytes()
        for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert one == same
    assert one != other


def test_a_video_of_an_atari_game_shows_its_frames(tmp_path: Path) -> None:
    pong = EnvConfig("ALE/Pong-v5", max_episode_steps=25)
    path = record_episode(make_agent("Pong", "random"), pong, tmp_path / "video.gif")
    with Image.open(path) as picture:
        assert picture.size == (160, 210)
        assert getattr(picture, "n_frames", 1) > 1
