"""Gymnasium's classic control in torch: the episodes of Gymnasium's own environments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snnrl.envs import EnvConfig, make_env, make_envs
from snnrl.envs.classic_control import TorchVectorEnv
from snnrl.envs.config import IN_TORCH
from snnrl.errors import ConfigError
from tests.simulated_gpu import Cost, simulated_gpu

CASES: list[tuple[str, dict[str, Any]]] = [
    *((env_id, {}) for env_id in IN_TORCH),
    ("CartPole-v1", {"sutton_barto_reward": True}),
    ("MountainCar-v0", {"goal_velocity": 0.04}),
    ("Pendulum-v1", {"g": 9.81}),
]


@pytest.mark.parametrize(("env_id", "kwargs"), CASES)
def test_from_equal_seeds_all_episodes_are_those_of_gymnasium(env_id: str, kwargs: dict[str, Any]) -> None:
    """With policies that reach the end, and time limits."""
    limit = 200 if "Acrobot" in env_id else 30 if kwargs and "CartPole" in env_id else None
    recipe = {"id": env_id, "kwargs": kwargs, "max_episode_steps": limit}
    one, other = (make_envs(EnvConfig(**recipe, backend=backend), 8) for backend in ("torch", "gymnasium"))
    assert one.single_observation_space == other.single_observation_space
    assert one.single_action_space == other.single_action_space
    seeds, generator = list(range(50, 58)), np.random.default_rng(0)
    other.action_space.seed(0)
    found, expected = one.reset(seed=seeds)[0], other.reset(seed=seeds)[0]
    ends = np.zeros(2)
    for _ in range(620):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
        action = other.action_space.sample()
        if "MountainCar" in env_id:
            action = np.where(generator.random(8) < 0.1, action, 2 * (expected[:, 1] > 0))
        elif "Pendulum" not in env_id:
            action = np.where(generator.random(8) < 0.3, action, (expected[:, -1] > 0) * (1 + ("Acrobot" in env_id)))
        found, reward, terminated, truncated, _ = one.step(action)
        expected, *told = other.step(action)
        np.testing.assert_allclose(reward, told[0], rtol=0, atol=1e-6)
        assert (reward.dtype, terminated.dtype) == (told[0].dtype, told[1].dtype)
        assert np.array_equal(terminated, told[1])
        assert np.array_equal(truncated, told[2])
        ends += terminated.sum(), truncated.sum()
    assert ends.sum() > 8
    one.close()
    other.close()


def test_an_evaluation_plays_gymnasiums_own() -> None:
    recipe = EnvConfig("CartPole-v1", backend="torch")
    assert isinstance(make_envs(recipe, 2), TorchVectorEnv)
    assert recipe.for_evaluation().backend == "gymnasium"
    assert make_env(recipe).unwrapped.__class__.__name__ == "CartPoleEnv"


def test_without_a_seed_the_generators_go_on() -> None:
    envs = make_envs(EnvConfig("CartPole-v1", backend="torch"), 3)
    first, second, again = (envs.reset(seed=seed)[0] for seed in (4, None, 4))
    assert np.array_equal(first, again)
    assert not np.isclose(first, second).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"id": "FrozenLake-v1"},
            "env.backend=torch: must be gymnasium for FrozenLake-v1; torch computes Acrobot-v1, ",
        ),
        ({"id": "CartPole-v1", "backend": "jax"}, "env.backend=jax: must be gymnasium or torch"),
    ],
)
def test_what_torch_does_not_compute_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        EnvConfig(**{"backend": "torch", **settings})
    assert str(error.value).startswith(message)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match=r"env.kwargs=\{'wind': 1\}: must be arguments of CartPole-v1"):
        make_envs(EnvConfig("CartPole-v1", backend="torch", kwargs={"wind": 1}), 2)


def test_an_action_that_there_is_not_is_refused() -> None:
    envs = make_envs(EnvConfig("Acrobot-v1", backend="torch"), 2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="must be from 0 to 2"):
        envs.step(np.array([0, 3]))


KERNELS = {"CartPole-v1": 42, "Acrobot-v1": 240, "MountainCar-v0": 26, "Pendulum-v1": 33}


@pytest.mark.parametrize("env_id", KERNELS)
def test_a_step_on_a_gpu_is_two_copies_and_a_known_number_of_kernels(env_id: str) -> None:
    recipe = EnvConfig(env_id, backend="torch")
    expected = make_envs(recipe, 3)
    actions = np.zeros((3, *(expected.single_action_space.shape or ())), np.int64)
    expected.reset(seed=0)
    with simulated_gpu() as counts:
        envs = make_envs(recipe, 3, device="cuda")
        envs.reset(seed=0)
        counts.reset()
        seen = [envs.step(actions)[0] for _ in range(2)]
        counts.check(Cost(KERNELS[env_id], to_gpu=1, to_host=1, waits=1), steps=2)
    for observation in seen:
        np.testing.assert_allclose(observation, expected.step(actions)[0], rtol=0, atol=1e-7)
