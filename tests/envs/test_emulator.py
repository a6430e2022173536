from __future__ import annotations

import numpy as np
import pytest

from snnrl.envs import AtariConfig, EnvConfig, make_env, make_envs
from snnrl.errors import ConfigError


@pytest.mark.parametrize(("kind", "shape"), [("ram", (128,)), ("rgb", (210, 160, 3)), ("grayscale", (1, 210, 160))])
def test_a_game_is_seen_as_bytes_in_colours_or_grey(kind: str, shape: tuple[int, ...]) -> None:
    config = EnvConfig("ALE/Breakout-v5", kwargs={"obs_type": kind, "full_action_space": True})
    envs, env = make_envs(config, 2), make_env(config)
    assert envs.single_observation_space == env.observation_space
    assert env.observation_space.shape == shape
    assert env.action_space.n == 18  # type: ignore[attr-defined]
    observation, info = envs.reset(seed=[0, 1])
    assert observation.shape == (2, *shape)
    assert info["lives"].tolist() == [5, 5]
    envs.close()
    env.close()


def test_games_seen_as_bytes_begin_with_idle_steps_and_end_at_their_limit() -> None:
    config = EnvConfig("ALE/Breakout-v5", AtariConfig(noop_max=28), kwargs={"obs_type": "ram"}, max_episode_steps=6)
    env = make_env(config)
    starts = {env.reset(seed=seed)[1]["episode_frame_number"] for seed in range(8)}
    assert len(starts) > 2
    assert max(starts) <= 28
    env.reset(seed=0)
    ended = [bool(np.logical_or(*env.step(0)[2:4])) for _ in range(6)]
    assert any(ended)
    env.close()


def test_an_unknown_way_to_see_a_game_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"env\.kwargs\.obs_type=rom: must be one of grayscale, ram, rgb"):
        make_envs(EnvConfig("ALE/Breakout-v5", kwargs={"obs_type": "rom"}), 1)
