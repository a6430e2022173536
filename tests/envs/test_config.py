from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from snnrl.envs import AtariConfig, EnvConfig, RewardConfig
from snnrl.errors import ConfigError
from snnrl.recipes import compose_run
from snnrl.run_settings import EvalSettings, RLSettings

FULL = {
    "id": "ALE/SpaceInvaders-v5",
    "atari": {"frame_skip": 3, "sticky_actions": 0.0, "noop_max": 0},
    "backend": "gymnasium",
    "kwargs": {"full_action_space": True},
    "reward": {"scale": 0.5, "low": -1.0, "high": 1.0, "life_loss_ends": True, "failure": -1},
    "env_steps": 1000,
    "num_envs": 4,
    "eval_episodes": 7,
    "eval_deterministic": False,
    "eval_kwargs": {"c": 3},
    "success_above": 0.5,
    "max_episode_steps": 50,
}


def test_every_setting_of_a_mapping_arrives() -> None:
    config = EnvConfig.from_mapping(FULL)
    assert dataclasses.asdict(config) == FULL
    assert isinstance(config.atari, AtariConfig)
    assert isinstance(config.reward, RewardConfig)
    assert set(FULL) == {setting.name for setting in dataclasses.fields(EnvConfig)}


def test_what_a_mapping_leaves_out_is_the_default() -> None:
    assert EnvConfig.from_mapping({"id": "CartPole-v1"}) == EnvConfig("CartPole-v1")
    assert EnvConfig.from_mapping({"id": "ALE/Pong-v5", "atari": {}}).atari == AtariConfig(4, 0.25, 30)


def test_a_config_shares_no_mapping_with_another() -> None:
    EnvConfig("CartPole-v1").kwargs["gravity"] = 1.0
    assert EnvConfig("CartPole-v1").kwargs == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"atari": {"frame_skip": 0}}, "env.atari.frame_skip=0: must be an integer of at least 1"),
        ({"atari": {"frame_skip": 2.0}}, "env.atari.frame_skip=2.0: must be an integer"),
        ({"atari": {"frame_skip": True}}, "env.atari.frame_skip=true: must be an integer"),
        ({"atari": {"sticky_actions": 1.0}}, "env.atari.sticky_actions=1.0: must be a probability"),
        ({"atari": {"sticky_actions": -0.1}}, "env.atari.sticky_actions=-0.1: must be a probability"),
        ({"atari": {"noop_max": -1}}, "env.atari.noop_max=-1: must be an integer of at least 0"),
        ({"eval_kwargs": 3}, "env.eval_kwargs=3: must be a mapping"),
        ({"success_above": "much"}, "env.success_above=much: must be a finite number or null"),
        ({"atari": 4}, "env.atari=4: must be a mapping"),
        ({"reward": {"scale": 0}}, "env.reward.scale=0: must be a finite number above 0"),
        ({"reward": {"scale": math.inf}}, "env.reward.scale=inf: must be"),
        ({"reward": {"low": "a"}}, "env.reward.low=a: must be a finite number"),
        ({"reward": {"high": math.nan}}, "env.reward.high=nan: must be a finite number"),
        ({"reward": {"failure": "none"}}, "env.reward.failure=none: must be a finite number"),
        ({"reward": {"failure": 1e300}}, "env.reward.failure=1e+300: must be a finite number of at most 1e+15 in size"),
        (
            {"reward": {"high": 2 * 10**15}},
            "env.reward.high=2000000000000000: must be a finite number of at most",
        ),
        ({"reward": {"low": -1e16}}, "env.reward.low=-1e+16: must be a finite number of at most 1e+15"),
        ({"reward": {"scale": 1e300}}, "env.reward.scale=1e+300: must be a finite number above 0, at most 1e+15"),
        ({"success_above": 10**400}, "must be a finite number"),
        ({"reward": {"failure": 10**400}}, "must be a finite number"),
        ({"reward": {"low": 1.0, "high": 1.0}}, "env.reward.low=1.0: must be below env.reward.high (1.0)"),
        ({"reward": {"life_loss_ends": 1}}, "env.reward.life_loss_ends=1: must be true or false"),
        ({"reward": None}, "env.reward=null: must be a mapping"),
        ({"kwargs": [1]}, "env.kwargs=[1]: must be a mapping"),
        ({"env_steps": 0}, "env.env_steps=0: must be an integer of at least 1"),
        ({"num_envs": 0}, "env.num_envs=0: must be an integer of at least 1"),
        ({"eval_episodes": 0}, "env.eval_episodes=0: must be an integer of at least 1"),
        ({"max_episode_steps": 0}, "env.max_episode_steps=0: must be an integer of at least 1"),
        ({"id": ""}, "env.id=: must be the id"),
        ({"id": "CartPole-v1", "atari": {}}, "must be left out for CartPole-v1"),
        ({"num_env": 3}, "env.num_env=3: there is no such setting; did you mean num_envs"),
        ({"value_range": [0, 1]}, "env.value_range=[0, 1]: there is no such setting; it is now agent.value_range"),
        ({"frames": None}, "env.frames=null: there is no such setting; it is now agent.encoder"),
        ({"atari": {"frameskip": 3}}, "env.atari.frameskip=3: there is no such setting; did you mean frame_skip?"),
        ({"reward": {"zzz": 3}}, "env.reward.zzz=3: there is no such setting; there are: failure, high"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EnvConfig.from_mapping({"id": "ALE/Pong-v5", **settings})
    assert message in str(caught.value)


def test_the_id_is_required() -> None:
    with pytest.raises(ConfigError, match="is missing"):
        EnvConfig.from_mapping({"num_envs": 2})


def test_what_a_recipe_does_not_say_is_as_in_a_run_without_one() -> None:
    bare = EnvConfig("any")
    assert (bare.env_steps, bare.num_envs) == (RLSettings.env_steps, RLSettings.num_envs)
    assert (bare.eval_episodes, bare.eval_deterministic) == (EvalSettings.episodes, EvalSettings.deterministic)
    settings = compose_run(["env=Gymnasium", "env.id=CartPole-v1"])
    assert settings["eval"]["deterministic"] is EvalSettings.deterministic
