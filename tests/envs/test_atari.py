from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import check_env

from snnrl.envs import AtariConfig, AtariEnv, EnvConfig, make_env, make_envs
from snnrl.envs.atari import atari_game
from snnrl.errors import ConfigError

NOOP, FIRE, RIGHT = 0, 1, 2
GAME = "ALE/SpaceInvaders-v5"
LUMINANCE = (0.299, 0.587, 0.114)
"""Of red, green and blue."""


@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes:UserWarning")
@pytest.mark.parametrize("render_mode", [None, "rgb_array"])
def test_a_single_game_keeps_gymnasiums_contract(render_mode: str | None) -> None:
    check_env(make_env("ALE/Pong-v5", render_mode))


def test_a_single_game_has_whole_grey_frames() -> None:
    env = make_env(GAME)
    frame, info = env.reset(seed=0)
    assert isinstance(env, AtariEnv)
    assert env.observation_space == Box(0, 255, (1, 210, 160), np.uint8)
    assert frame in env.observation_space
    assert frame.max() > 50
    assert info["lives"] == 3
    assert env.render() is None


@pytest.mark.parametrize("seed", [0, None])
def test_the_picture_is_what_was_observed_in_colour(seed: int | None) -> None:
    env = make_env(EnvConfig(GAME, AtariConfig(frame_skip=3), max_episode_steps=40), render_mode="rgb_array")
    with pytest.raises(ResetNeeded, match="no frame yet"):
        env.render()
    actions, ended = np.random.default_rng(0), True
    frame, _ = env.reset(seed=seed)
    for _ in range(100):
        if ended:
            frame, _ = env.reset()
        frame, _, terminated, truncated, _ = env.step(actions.integers(6))
        ended = terminated or truncated
        picture = env.render()
        assert isinstance(picture, np.ndarray)
        assert picture.shape == (210, 160, 3)
        assert np.abs(picture @ LUMINANCE - frame[0]).max() <= 1
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 2
    assert env.metadata == {"render_modes": ["rgb_array"], "render_fps": 20}


def test_a_step_needs_a_running_episode() -> None:
    env = make_env(EnvConfig(GAME, max_episode_steps=2))
    with pytest.raises(ResetNeeded):
        env.step(NOOP)
    env.reset(seed=0)
    assert env.step(NOOP)[3] is False
    assert env.step(NOOP)[3] is True
    with pytest.raises(ResetNeeded, match="reset"):
        env.step(NOOP)
    env.reset()
    assert env.step(NOOP)[3] is False


def episode_starts(env: gymnasium.Env[Any, Any], seed: int | None) -> list[int]:
    """Frame counters at three resets, of which the first has the seed: they tell the drawn numbers of no-ops."""
    return [env.reset(seed=seed if first else None)[1]["frame_number"] for first in (True, False, False)]


def test_resets_without_a_seed_go_on_from_the_seed_before() -> None:
    assert episode_starts(make_env(GAME), 1) == episode_starts(make_env(GAME), 1)
    assert episode_starts(make_env(GAME), 1) != episode_starts(make_env(GAME), 2)


def test_without_any_seed_episodes_differ() -> None:
    starts = {tuple(episode_starts(make_env(GAME), None)) for _ in range(3)}
    assert len(starts) > 1


def test_another_render_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="render_mode=human: must be rgb_array"):
        make_env(GAME, render_mode="human")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("action", [6, -1])
def test_an_unknown_action_is_an_error_and_no_hang(action: int) -> None:
    env, envs = make_env(GAME), make_envs(GAME, 2)
    env.reset(seed=0)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="from 0 to 5"):
        env.step(action)
    with pytest.raises(ValueError, match="from 0 to 5"):
        envs.step(np.array([0, action]))
    with pytest.raises(ValueError, match="must be integers"):
        envs.step(np.array([0.0, 1.0]))


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_out_of_range_is_an_error(seed: int) -> None:
    with pytest.raises(ConfigError, match="seed="):
        make_env(GAME).reset(seed=seed)
    with pytest.raises(ConfigError, match="seed="):
        make_envs(GAME, 2).reset(seed=[0, seed])


def test_one_seed_stands_for_consecutive_ones() -> None:
    envs = make_envs(GAME, 4)
    consecutive = envs.reset(seed=4)[1]["frame_number"]
    listed = envs.reset(seed=[4, 5, 6, 7])[1]["episode_frame_number"]
    assert consecutive.tolist() == listed.tolist()
    assert len(set(listed.tolist())) > 1


def test_episodes_begin_with_at_most_noop_max_frames() -> None:
    begins = make_envs(EnvConfig(GAME, AtariConfig(noop_max=3)), 8).reset(seed=0)[1]["frame_number"].tolist()
    assert set(begins) <= {0, 1, 2, 3}
    assert len(set(begins)) > 1


@pytest.mark.parametrize("sticky", [0.0, 0.5])
def test_without_idle_frames_only_sticky_actions_make_seeds_matter(sticky: float) -> None:
    envs = make_envs(EnvConfig("ALE/Pong-v5", AtariConfig(sticky_actions=sticky, noop_max=0)), 2)
    _, info = envs.reset(seed=0)
    assert info["frame_number"].tolist() == [0, 0]
    frames = [envs.step(np.full(2, action))[0] for action in [RIGHT, 3] * 5]
    assert all((both[0] == both[1]).all() for both in frames) == (sticky == 0.0)


def test_a_frame_is_the_brighter_of_the_last_two_of_the_console() -> None:
    """Against ``ale_py``'s own single environment, frame by frame: consoles draw some objects every other frame."""
    console = gymnasium.make("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.0, obs_type="grayscale")
    env = make_env(EnvConfig("ALE/Pong-v5", AtariConfig(frame_skip=4, sticky_actions=0.0, noop_max=0)))
    console.reset(seed=0)
    env.reset(seed=0)
    for action in [RIGHT, 3] * 10:
        drawn = [console.step(action)[0] for _ in range(4)]
        assert (drawn[2] != drawn[3]).any()
        assert (env.step(action)[0] == np.maximum(drawn[2], drawn[3])).all()


def test_breakout_waits_for_the_agent_to_fire() -> None:
    envs = make_envs("ALE/Breakout-v5", 2)
    envs.reset(seed=0)
    lives = np.array([envs.step(np.array([NOOP, FIRE]))[4]["lives"] for _ in range(60)])
    assert (lives[:, 0] == 5).all()
    assert lives[:, 1].min() < 5


def test_a_game_with_a_taller_screen_is_scaled() -> None:
    frames, _ = make_envs("ALE/AirRaid-v5", 1).reset(seed=0)
    assert frames.shape == (1, 1, 210, 160)


def test_all_18_actions_on_demand() -> None:
    config = EnvConfig("ALE/Breakout-v5", kwargs={"full_action_space": True})
    assert make_envs("ALE/Breakout-v5", 1).single_action_space.n == 4
    assert make_envs(config, 1).single_action_space.n == make_env(config).action_space.n == 18


@pytest.mark.parametrize(
    ("env_id", "game"), [("ALE/Pong-v5", "pong"), ("ALE/MsPacman-v5", "ms_pacman"), ("ALE/UpNDown-v5", "up_n_down")]
)
def test_game_of_an_id(env_id: str, game: str) -> None:
    assert atari_game(env_id) == game
