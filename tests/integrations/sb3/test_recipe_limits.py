"""Settings of the algorithms that stable-baselines3 would stumble over are refused by name, and all others train."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from stable_baselines3.common.env_util import make_vec_env

from snnrl.errors import ConfigError
from snnrl.integrations.sb3.building import agent_class, read_config

SMALL: dict[str, Any] = {"net_arch": [4], "sim_steps": 1}
BRIEF = {
    "a2c": {"n_steps": 1},
    "ppo": {"n_steps": 2, "batch_size": 2, "n_epochs": 1},
    "dqn": {"buffer_size": 8, "learning_starts": 1, "batch_size": 2, "train_freq": 1},
    "sac": {"buffer_size": 8, "learning_starts": 1, "batch_size": 2},
    "td3": {"buffer_size": 8, "learning_starts": 1, "batch_size": 2},
}
ODD = (None, True, -1, 0, 1, 10**400, 0.5, -0.5, 1.5, float("nan"), float("inf"), "auto", [], [0], {}, {"a": 1})
NAMES = tuple(BRIEF)
SETTINGS = [(name, setting.name) for name in NAMES for setting in fields(agent_class({"name": name}).Config)]


def learn(name: str, num_envs: int = 1, **settings: Any) -> None:
    """Build the algorithm, and let it learn a little."""
    recipe = {"name": name, **SMALL, **BRIEF[name], **settings}
    envs = make_vec_env("Pendulum-v1" if name in ("sac", "td3") else "CartPole-v1", n_envs=num_envs)
    try:
        agent_class(recipe).algorithm(read_config(recipe), envs, seed=0, device="cpu").learn(4)
    finally:
        envs.close()


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_an_odd_value_is_taken_or_refused_in_one_line_that_names_it(name: str, setting: str) -> None:
    refusals = []
    for value in ODD:
        try:
            read_config({"name": name, setting: value})
        except ConfigError as error:
            refusals.append(str(error))
    assert len(refusals) >= 2
    assert all(f"agent.{setting}" in refusal and len(refusal) < 500 for refusal in refusals)


@pytest.mark.parametrize("name", NAMES)
def test_the_least_value_of_each_setting_trains(name: str) -> None:
    least = {"gae_lambda": 0, "vf_coef": 0, "gamma": 0, "learning_rate": 0, "tau": 0, "exploration_fraction": 1e-9}
    least |= {
        "action_noise": 0,
        "exploration_final_eps": 0,
        "gradient_steps": -1,
        "policy_delay": 1,
        "clip_range": 1e-9,
    }
    known = {setting.name for setting in fields(agent_class({"name": name}).Config)}
    learn(name, **{key: value for key, value in least.items() if key in known})


def test_one_step_of_one_environment_is_too_little_for_normalised_advantages() -> None:
    with pytest.raises(ConfigError, match=r"agent\.n_steps=1: must be at least 2 with num_envs=1"):
        learn("ppo", n_steps=1)
    learn("ppo", num_envs=2, n_steps=1)
    learn("a2c")
    with pytest.raises(ConfigError, match=r"agent\.batch_size=1: must be an integer of at least 2"):
        learn("ppo", batch_size=1)


@pytest.mark.parametrize("name", ["ppo", "a2c"])
def test_state_dependent_exploration_needs_continuous_actions(name: str) -> None:
    with pytest.raises(ConfigError, match=r"agent\.use_sde=true: must be false, as the actions are Discrete"):
        learn(name, num_envs=2, use_sde=True)
