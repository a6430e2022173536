from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from PIL import Image

from snnrl import make_agent
from snnrl.agents.constant import Constant, ConstantConfig
from snnrl.agents.rstdp import RSTDP
from snnrl.agents.rstdp_config import RSTDPConfig
from snnrl.agents.trainable import Trainable
from snnrl.envs import EnvConfig, env_seeds, make_env
from snnrl.errors import ConfigError
from snnrl.recording import Game
from snnrl.recording.video import check_drawing, write_video
from snnrl.training.evaluation import AFTERWARDS

CART_POLE = EnvConfig("CartPole-v1")
MILLISECONDS = 20


def filmed(agent: Trainable, env: EnvConfig, path: Path, **settings: Any) -> Path:
    write_video(Game(agent, env, **{"seconds": 600, "deterministic": True, **settings}), path)
    return path


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
    filmed(make_agent("CartPole", "constant", action=1), CART_POLE, path, seed=seed)
    assert milliseconds(path) == MILLISECONDS * episode_length(seed)
    with Image.open(path) as picture:
        assert picture.size == (600, 400)
        assert getattr(picture, "n_frames", 1) > 1
        assert picture.info["loop"] == 0


def test_a_long_episode_is_cut(tmp_path: Path) -> None:
    agent = make_agent("CartPole", "constant", action=1)
    path = filmed(agent, CART_POLE, tmp_path / "video.gif", seconds=0.08)
    assert milliseconds(path) == MILLISECONDS * 4


def test_a_video_is_repeatable_and_its_seed_decides_the_episode(tmp_path: Path) -> None:
    agent = make_agent("CartPole")
    one, same, other = (
        filmed(agent, CART_POLE, tmp_path / f"{name}.gif", seed=seed).read_bytes()
        for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert one == same
    assert one != other


def test_a_video_of_an_atari_game_shows_its_frames(tmp_path: Path) -> None:
    pong = EnvConfig("ALE/Pong-v5", max_episode_steps=25)
    path = filmed(make_agent("Pong", "random"), pong, tmp_path / "video.gif")
    with Image.open(path) as picture:
        assert picture.size == (320, 420)
        assert getattr(picture, "n_frames", 1) > 1


def first_action(env: EnvConfig) -> Constant:
    return Constant(spaces.Discrete(2), spaces.Discrete(2), ConstantConfig(), env)


class Undrawn(gymnasium.Env[Any, int]):
    """Two steps; how it draws itself, if at all, is said when it is made."""

    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)

    def __init__(self, picture: Any = None) -> None:
        self.picture = picture

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        self.taken = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.taken += 1
        return 0, 0.0, self.taken == 2, False, {}


class Drawn(Undrawn):
    """Takes a ``render_mode``, and returns its picture from ``render``."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, picture: Any = None, render_mode: str | None = None) -> None:
        super().__init__(picture)
        self.render_mode = render_mode

    def render(self) -> Any:
        if isinstance(self.picture, str) and self.picture == "missing":
            raise NotImplementedError
        return np.full(self.picture, 9, np.uint8) if isinstance(self.picture, tuple) else self.picture


class Masked(Drawn):
    """Permits the second of its actions alone."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        return super().reset(seed=seed, options=options)[0], {"action_mask": np.array([0, 1])}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert action == 1
        return *super().step(action)[:4], {"action_mask": np.array([0, 1])}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    gymnasium.register("Undrawn-v0", Undrawn)
    gymnasium.register("Drawn-v0", Drawn)
    gymnasium.register("Masked-v0", Masked)
    yield
    del gymnasium.registry["Undrawn-v0"], gymnasium.registry["Drawn-v0"], gymnasium.registry["Masked-v0"]


WITHOUT_A_PICTURE = {
    "no argument render_mode": ("Undrawn-v0", {}, "takes no render_mode=rgb_array"),
    "no argument render_mode, but others": ("Undrawn-v0", {"picture": 1}, "takes no render_mode=rgb_array"),
    "no render": ("Drawn-v0", {"picture": "missing"}, "has no render()"),
    "nothing": ("Drawn-v0", {"picture": None}, "renders nothing"),
    "text": ("Drawn-v0", {"picture": "+-+"}, "renders a str"),
    "fractions": ("Drawn-v0", {"picture": np.zeros((5, 4, 3))}, "renders an array [5, 4, 3] of float64"),
    "another shape": ("Drawn-v0", {"picture": (5, 4, 2)}, "renders an array [5, 4, 2] of uint8"),
    "our images": ("snnrl/MNIST-v0", {}, "takes no render_mode=rgb_array"),
}


@pytest.mark.parametrize("case", WITHOUT_A_PICTURE)
def test_what_cannot_be_drawn_is_found_before_an_episode_is_played(case: str) -> None:
    name, kwargs, why = WITHOUT_A_PICTURE[case]
    with pytest.raises(ConfigError, match=re.escape(f"video=true: {name} cannot be drawn, as it {why}")):
        check_drawing(EnvConfig(name, kwargs=kwargs), "video=true", "false")


@pytest.mark.filterwarnings("ignore:.*three axes:UserWarning")
@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4)])
def test_pictures_in_colour_and_in_grey(shape: tuple[int, ...], tmp_path: Path) -> None:
    env = EnvConfig("Drawn-v0", kwargs={"picture": shape})
    check_drawing(env, "video=true", "false")
    path = filmed(first_action(env), env, tmp_path / "video.gif")
    assert milliseconds(path) == 200


def test_a_video_shows_the_environment_of_evaluations(tmp_path: Path) -> None:
    env = EnvConfig("Drawn-v0", kwargs={"picture": None}, eval_kwargs={"picture": (5, 4, 3)})
    check_drawing(env, "video=true", "false")
    with Image.open(filmed(first_action(env), env, tmp_path / "video.gif")) as picture:
        assert picture.size == (4 * 76, 5 * 76)


@pytest.mark.parametrize("deterministic", [True, False])
def test_an_action_that_the_environment_does_not_permit_is_not_filmed(deterministic: bool, tmp_path: Path) -> None:
    env = EnvConfig("Masked-v0", kwargs={"picture": (5, 4, 3)})
    for seed in range(4):
        agent = RSTDP(spaces.Discrete(2), spaces.Discrete(2), RSTDPConfig(), env, seed)
        filmed(agent, env, tmp_path / "video.gif", deterministic=deterministic)


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ConfigError, match="CartPole-v1 cannot be drawn without a package"):
        check_drawing(CART_POLE, "video=true", "false")
