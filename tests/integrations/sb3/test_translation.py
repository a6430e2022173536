"""What policies of stable-baselines3 see, and what their actions mean, in environments of other spaces than theirs."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from stable_baselines3 import PPO

import snnrl.integrations.sb3  # noqa: F401
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError
from snnrl.integrations.sb3.environments import make_vec_env
from snnrl.integrations.sb3.translation import Choices, translation_of, view_of
from snnrl.integrations.sb3.vision import SpikingCombinedExtractor
from snnrl.spaces import split
from tests.envs.odd_environments import ACTIONS, OBSERVATIONS
from tests.envs.odd_runs import live

PLAIN = {"Discrete", "MultiDiscrete", "MultiDiscreteMany", "MultiBinary", "Unbounded", "GreyFirst", "Stack"}


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_what_stable_baselines3_takes_is_left_alone(name: str) -> None:
    assert (view_of(OBSERVATIONS[name]).space is OBSERVATIONS[name]) == (name in PLAIN)


def test_actions_mean_what_the_environment_counts_from() -> None:
    assert Choices(spaces.Discrete(3, start=5), "any")(np.array([0, 2])).tolist() == [5, 7]
    assert Choices(spaces.MultiDiscrete([3, 2], start=[1, -1]), "any")(np.array([[0, 1]])).tolist() == [[1, 0]]
    left, right = Choices(ACTIONS["TupleOfChoices"], "any")(np.array([[0, 2], [1, 0]]))
    assert (left.tolist(), right.tolist()) == ([1, 2], [2, 0])


def test_each_number_for_dqn_is_another_combination() -> None:
    choices = Choices(spaces.MultiDiscrete([3, 2], start=[1, -1]), "discrete")
    assert choices.space == spaces.Discrete(6)
    assert choices(np.arange(6)).tolist() == [[1, -1], [1, 0], [2, -1], [2, 0], [3, -1], [3, 0]]


def test_mixed_actions_are_numbers_of_which_the_continuous_have_a_few_values() -> None:
    choices = Choices(ACTIONS["Mixed"], "any")
    assert choices.space == spaces.MultiDiscrete([3, 9, 9])
    done = choices(np.array([[2, 0, 8]]))
    assert done["gear"].tolist() == [1]
    assert done["pedal"].tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("takes", ["any", "continuous"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_continuous_actions_come_in_the_environments_own_dtype(dtype: Any, takes: str) -> None:
    space = spaces.Box(-0.1, 0.1, (2,), dtype)
    choices = Choices(space, takes)
    assert choices.space.dtype == np.float32
    assert (choices.space is space) == (dtype == np.float32)
    done = choices(np.array([[choices.space.low[0], choices.space.high[1]]], np.float32))
    assert space.contains(done[0])


def test_combinations_that_are_too_many_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"must be discrete, with at most 1,024 combinations"):
        Choices(spaces.MultiDiscrete([11] * 3), "discrete")


def test_environments_are_stepped_in_the_policys_own_layout() -> None:
    one = gymnasium.make("odd/SeesPicture-v0")
    envs = make_vec_env(EnvConfig("odd/SeesPicture-v0"), 2, 4, translation_of(one, "any", "ppo"))
    assert envs.observation_space.shape == (3, 36, 40)
    assert envs.reset().shape == (2, 3, 36, 40)  # type: ignore[union-attr]
    envs.close()


def test_a_dict_with_pictures_has_spiking_convolutions_and_its_memory_is_saved() -> None:
    run: Any = live("dqn", "SeesPictureAndNumbers", steps=2)
    assert isinstance(run.model.policy.q_net.features_extractor, SpikingCombinedExtractor)
    saved = run.payload()
    assert {"observations.0", "next_observations.2"} <= set(saved["replay"])
    other: Any = live("dqn", "SeesPictureAndNumbers", steps=0)
    other.restore(saved)
    memory = other.model.model.replay_buffer
    assert np.array_equal(memory.observations["0"], run.model.model.replay_buffer.observations["0"])
    assert memory.observations["0"].any()


def test_small_pictures_are_refused_by_the_policy_for_images_in_one_line() -> None:
    with pytest.raises(ConfigError, match="at least 36 pixels a side; SpikingMlpPolicy takes others"):
        PPO("SpikingCnnPolicy", gymnasium.make("odd/SeesSmallPicture-v0"), device="cpu")


def test_a_users_own_ppo_takes_dicts_by_the_spiking_policy_for_several_inputs() -> None:
    space = spaces.Dict({"image": spaces.Box(0, 255, (3, 36, 36), np.uint8), "place": spaces.Box(-1.0, 1.0, (2,))})
    env: Any = gymnasium.make("odd/SeesDict-v0")
    env = gymnasium.wrappers.TransformObservation(env, lambda _: space.sample(), space)
    model = PPO("SpikingMultiInputPolicy", env, n_steps=8, batch_size=8, n_epochs=1, device="cpu").learn(8)
    assert isinstance(model.policy.features_extractor, SpikingCombinedExtractor)


@pytest.mark.parametrize("name", ["PictureAndNumbers", "MultiDiscrete", "MultiBinary", "Discrete"])
def test_observations_that_are_no_box_are_not_normalised(name: str) -> None:
    from snnrl.loading import make_agent_for
    from tests.envs.odd_runs import settings

    agent = {**settings("ppo", f"Sees{name}")["agent"], "normalise_observation": True}
    with pytest.raises(ConfigError, match=r"agent\.normalise_observation=true: must be false"):
        make_agent_for(EnvConfig(f"odd/Sees{name}-v0"), agent)


def test_parts_whose_names_would_be_the_same_are_kept_apart() -> None:
    picture, number = spaces.Box(0, 255, (36, 36), np.uint8), spaces.Discrete(2)
    space = spaces.Dict({"a.b": picture, "a_b": number, "a": spaces.Dict({"b": number}), "": number})
    view = view_of(space)
    seen = view([part[None] for part in split(space, space.sample())])
    assert set(seen) == set(view.space)
    assert len(seen) == 4
    assert "" not in seen
