from __future__ import annotations

import struct
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from snnrl.envs import EnvConfig, VectorMNIST, make_env, make_envs
from snnrl.errors import ConfigError

COUNTS = {"train": 30, "t10k": 12}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data files in which the first pixel is 100 + the image's number, and the label that number modulo 10."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for prefix, count in COUNTS.items():
        images = np.full((count, 5, 4), 7, np.uint8)
        images[:, 0, 0] = 100 + np.arange(count)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in ((f"{prefix}-images-idx3", images), (f"{prefix}-labels-idx1", labels)):
            header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / f"{name}-ubyte").write_bytes(header + array.tobytes())
    monkeypatch.setenv("SNNRL_DATA", str(tmp_path))
    return tmp_path


def numbers(observation: np.ndarray) -> list[int]:
    """Which images are shown; −100 for a black screen."""
    return [int(value) - 100 for value in observation[:, 0, 0, 0]]


@pytest.mark.usefixtures("data")
def test_the_right_class_is_rewarded_and_every_other_is_not() -> None:
    envs = VectorMNIST(10, split="test", in_order=True)
    observation, _ = envs.reset(seed=0)
    assert numbers(observation) == list(range(10))
    for action in range(10):
        envs.reset(seed=0)
        _, reward, terminated, truncated, _ = envs.step(np.full(10, action))
        assert reward.tolist() == [1.0 if label == action else -1.0 for label in range(10)]
        assert terminated.all()
        assert not truncated.any()


@pytest.mark.usefixtures("data")
def test_the_screen_is_black_after_the_action_and_the_next_step_only_shows_a_new_image() -> None:
    envs = make_envs(EnvConfig("snnrl/MNIST-v0"), 4)
    first, _ = envs.reset(seed=[1, 2, 3, 4])
    assert first.shape == (4, 1, 5, 4)
    black, _, terminated, _, _ = envs.step(np.zeros(4, np.int64))
    assert (black == 0).all()
    assert terminated.all()
    second, reward, terminated, _, _ = envs.step(np.zeros(4, np.int64))
    assert (second[:, 0, 1:] == 7).all()
    assert not reward.any()
    assert not terminated.any()
    assert numbers(second) != numbers(first)


@pytest.mark.usefixtures("data")
def test_in_order_every_image_is_shown_once() -> None:
    envs = VectorMNIST(3, split="test", in_order=True)
    shown = []
    observation, _ = envs.reset(seed=5)
    for _ in range(4):
        shown += numbers(observation)
        envs.step(np.zeros(3, np.int64))
        observation, *_ = envs.step(np.zeros(3, np.int64))
    assert shown == list(range(12))


@pytest.mark.usefixtures("data")
def test_the_seed_decides_which_images_are_drawn() -> None:
    drawn = []
    for seed in (0, 0, 1):
        envs = VectorMNIST(20)
        drawn.append(numbers(envs.reset(seed=seed)[0]))
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) > 5


@pytest.mark.usefixtures("data")
def test_a_row_that_is_looked_at_is_not_the_data_itself() -> None:
    envs = VectorMNIST(2, split="test", in_order=True)
    observation, _ = envs.reset(seed=0)
    observation[:] = 0
    assert numbers(envs.reset(seed=0)[0]) == [0, 1]


@pytest.mark.usefixtures("data")
def test_one_environment_is_a_gymnasium_environment() -> None:
    check_env(gymnasium.make("snnrl/MNIST-v0", split="test").unwrapped, skip_render_check=True)
    env = make_env(EnvConfig("snnrl/MNIST-v0", kwargs={"in_order": True, "split": "test"}))
    observation, _ = env.reset(seed=0)
    assert observation[0, 0, 0] == 100
    _, reward, terminated, _, _ = env.step(np.int64(0))
    assert (reward, terminated) == (1.0, True)


def test_missing_files_and_wrong_settings_are_named(data: Path) -> None:
    for settings, message in (
        ({"split": "tests"}, r"env\.kwargs\.split=tests: must be one of all, train, validation, test"),
        ({"dataset": "MINST"}, r"env\.kwargs\.dataset=MINST: there is no such data set"),
        ({"split": "train"}, r"env\.kwargs\.split=train: must be all or test, as there are 30 training images"),
        ({"colour": 1}, r"env\.kwargs=.*must be arguments of snnrl/MNIST-v0"),
    ):
        with pytest.raises(ConfigError, match=message):
            make_envs(EnvConfig("snnrl/MNIST-v0", kwargs=dict(settings)), 2)
    (data / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ConfigError, match=r"t10k-labels-idx1-ubyte is missing; must be there \(SNNRL_DATA"):
        make_envs(EnvConfig("snnrl/MNIST-v0", kwargs={"split": "test"}), 2)


def test_evaluations_see_the_environments_own_settings() -> None:
    config = EnvConfig("snnrl/MNIST-v0", kwargs={"split": "all", "dataset": "MNIST"}, eval_kwargs={"split": "test"})
    assert config.for_evaluation().kwargs == {"split": "test", "dataset": "MNIST"}
