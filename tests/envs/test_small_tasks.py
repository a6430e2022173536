"""Small tasks for hidden layers: what they show, and what they reward."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from snnrl.envs import XOR, EnvConfig, TMaze, cart_pole_partial, make_env, make_envs
from snnrl.errors import ConfigError

IDS = ("snnrl/XOR-v0", "snnrl/TMaze-v0", "snnrl/CartPolePartial-v0")


def test_they_are_environments_of_gymnasium() -> None:
    for task in (XOR(), TMaze()):
        check_env(task, skip_render_check=True)


@pytest.mark.parametrize("name", IDS)
def test_they_repeat_by_seed(name: str) -> None:
    first, again = (make_envs(name, 2) for _ in range(2))
    assert (first.reset(seed=[3, 4])[0] == again.reset(seed=[3, 4])[0]).all()
    for _ in range(8):
        assert (first.step(np.array([0, 1]))[0] == again.step(np.array([0, 1]))[0]).all()


def test_xor_rewards_telling_equal_signs_from_different_ones() -> None:
    env = XOR(length=40)
    seen, _ = env.reset(seed=0)
    answers = set()
    for number in range(40):
        right = int(seen[0] * seen[1] < 0)
        answers.add(right)
        seen, reward, terminated, _, _ = env.step(np.int64(right if number % 2 else 1 - right))
        assert reward == number % 2
        assert terminated == (number == 39)
    assert answers == {0, 1}


@pytest.mark.parametrize("length", [1, 5])
def test_the_cue_is_seen_once_and_the_turn_counts_at_the_end(length: int) -> None:
    for seed in range(4):
        for turn in (0, 1):
            env = TMaze(length)
            first, _ = env.reset(seed=seed)
            seen, rewards = [], []
            for step in range(length + 1):
                shown, reward, terminated, _, _ = env.step(np.int64(turn))
                seen.append(shown)
                rewards.append(reward)
                assert terminated == (step == length)
            assert first[0] in (-1, 1)
            assert all(shown[0] == 0 for shown in seen)
            assert [shown[1] for shown in seen[:-1]] == [-1] * (length - 1) + [1]
            assert rewards == [0.0] * length + [1.0 if 2 * turn - 1 == first[0] else -1.0]


def test_partial_cartpole_is_cartpole_without_its_velocities() -> None:
    part, whole = make_env("snnrl/CartPolePartial-v0"), make_env("CartPole-v1")
    seen, all_of_it = part.reset(seed=5)[0], whole.reset(seed=5)[0]
    for step in range(12):
        assert (seen == all_of_it[[0, 2]]).all()
        seen, *outcome = part.step(step % 2)
        all_of_it, *expected = whole.step(step % 2)
        assert outcome[:3] == expected[:3]
    spec = gymnasium.spec("snnrl/CartPolePartial-v0")
    assert spec.max_episode_steps == 500
    assert cart_pole_partial().observation_space.shape == (2,)


def test_a_length_that_cannot_be_is_named() -> None:
    for name in IDS[:2]:
        with pytest.raises(ConfigError, match=r"^env.kwargs.length=0: must be at least 1 (question|step)$"):
            make_envs(EnvConfig(name, kwargs={"length": 0}), 1)
