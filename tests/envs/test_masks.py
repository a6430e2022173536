from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from snnrl.envs import Checked, EnvConfig, action_mask, make_env, make_envs
from snnrl.envs.masks import with_masks
from snnrl.errors import RunError
from snnrl.loading import make_agent_for
from snnrl.recording import Game
from snnrl.recording.video import write_video
from tests.envs.odd_environments import MASKED


@pytest.mark.parametrize("name", MASKED)
def test_what_is_permitted_is_told_in_the_info_however_an_environment_says_it(name: str) -> None:
    env = make_env(EnvConfig(f"odd/Masked{name}-v0"))
    envs = make_envs(EnvConfig(f"odd/Masked{name}-v0"), 2)
    _, one = env.reset(seed=0)
    _, many = envs.reset(seed=[0, 1])
    mask = action_mask(many)
    assert mask is not None
    assert mask.dtype == np.bool_
    alone = np.hstack(one["action_mask"])
    assert mask.shape == (2, len(alone))
    assert (mask == alone).all()
    assert not mask.all()
    envs.close()


def test_rows_that_say_nothing_of_actions_permit_all() -> None:
    info = {"action_mask": np.array([[0, 1], [0, 0]], dtype=np.int8), "_action_mask": np.array([True, False])}
    mask = action_mask(info)
    assert mask is not None
    assert mask.tolist() == [[False, True], [True, True]]


def test_most_environments_say_nothing_of_actions() -> None:
    envs = make_envs("FrozenLake-v1", 2)
    assert action_mask(envs.reset()[1]) is None
    envs.close()


def test_gymnasiums_taxi_is_told_where_it_cannot_drive() -> None:
    (taxi,) = [name for name in sorted(gymnasium.registry) if name.startswith("Taxi")][-1:]
    envs = make_envs(taxi, 3)
    mask = action_mask(envs.reset(seed=[0, 1, 2])[1])
    assert mask is not None
    assert mask.shape == (3, 6)
    assert not mask.all()
    envs.close()


@pytest.mark.parametrize("name", MASKED)
def test_a_video_shows_permitted_actions_alone(name: str, tmp_path: Path) -> None:
    env = EnvConfig(f"odd/Masked{name}-v0")
    agent = make_agent_for(env, {"name": "rstdp", "sim_steps": 2})
    for seed in range(3):
        write_video(Game(agent, env, seconds=60, seed=seed, deterministic=False), tmp_path / "video.gif")


class Saying(gymnasium.Env[Any, Any]):
    """Says one mask at the reset, another at every step."""

    observation_space = spaces.Discrete(2)

    def __init__(self, first: Any, later: Any, actions: spaces.Space[Any]) -> None:
        self.first, self.later, self.action_space = first, later, actions

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return 0, {"action_mask": self.first, "more": 1}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return 0, 1.0, False, False, {"action_mask": self.later}


@pytest.mark.parametrize(
    "wrong", ["101", [1, 0, np.nan], [1, 0, "a"], [1, 2, 0], [1, 0], [[1], [1, 0], None], {"a": 1}]
)
def test_a_mask_that_does_not_fit_the_actions_is_named_with_environment_and_step(wrong: Any) -> None:
    env = Checked(Saying([1, 0, 1], wrong, spaces.Discrete(3)))
    env.reset()
    with pytest.raises(
        RunError, match=r"^env\.id=Saying: info\['action_mask'\]=.* at step 1 .*must be 3 values of 0 or"
    ):
        env.step(0)
    with pytest.raises(RunError, match="at the reset before episode 1"):
        Checked(Saying(wrong, None, spaces.MultiDiscrete([2, 1]))).reset()


def test_a_mask_of_none_is_no_mask() -> None:
    env = Checked(Saying(None, [1, 0], spaces.Discrete(2)))
    assert env.reset()[1] == {"more": 1}
    assert env.step(0)[4] == {"action_mask": [1, 0]}
    one = np.empty(2, dtype=np.object_)
    assert action_mask({"action_mask": one}) is None
    one[1] = [1, 0]
    assert np.array_equal(action_mask({"action_mask": one}), [[True, True], [True, False]])  # type: ignore[arg-type]


def test_masks_that_a_method_tells_are_checked_too() -> None:
    inner = Saying(None, None, spaces.Discrete(2))
    inner.action_masks = lambda: None  # type: ignore[attr-defined]
    env = Checked(with_masks(inner))
    assert "action_mask" not in env.reset()[1]
    inner.action_masks = lambda: "ab"  # type: ignore[attr-defined]
    with pytest.raises(RunError, match=r"info\['action_mask'\]='ab' at step 1"):
        env.step(0)


@pytest.mark.parametrize("wrong", ["101", [1.0, np.nan], (np.ones(2), None)])
def test_masks_that_are_not_made_of_bits_are_refused_where_they_are_read(wrong: Any) -> None:
    row = np.empty(2, dtype=np.object_)
    row[0], row[1] = [1, 0], wrong
    with pytest.raises(RunError, match=r"info\['action_mask'\]=.* of environment 1: must be"):
        action_mask({"action_mask": row})
    with pytest.raises(RunError, match="of environment 1"):
        action_mask({"action_mask": np.array([[1, 0], [1, np.nan]])})
