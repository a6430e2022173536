"""An agent in one file: all that it needs, and nothing that runs when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

import snnrl
from snnrl.agents import Agent
from snnrl.agents.random import Random
from snnrl.agents.rstdp import RSTDP
from snnrl.errors import ConfigError, UntrustedCodeError
from snnrl.spaces.plain import described, space_from
from snnrl.training.checkpoints import load_checkpoint, save_checkpoint

SMALL: dict[str, dict[str, Any]] = {
    "rstdp": {"sim_steps": 4},
    "ppo_ann": {"n_steps": 8, "batch_size": 16, "net_arch": [8], "normalise_observation": True},
    "dqn": {"buffer_size": 100, "learning_starts": 16, "net_arch": [8], "sim_steps": 2},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_file_brings_back_the_agent(name: str, tmp_path: Path) -> None:
    agent = snnrl.make_agent("CartPole", name, seed=3, **SMALL[name]).learn(160)
    agent.save(tmp_path / "agent")
    loaded = snnrl.load(tmp_path / "agent.pt")
    assert (loaded.num_timesteps, loaded.epoch) == (agent.num_timesteps, agent.epoch)
    observations = np.random.default_rng(0).normal(0, 0.1, (5, 4)).astype(np.float32)
    for deterministic in (True, False) if name == "rstdp" else (True,):
        first, _ = agent.predict(observations, deterministic=deterministic)
        second, _ = loaded.predict(observations, deterministic=deterministic)
        assert np.array_equal(first, second)
    assert np.array_equal(snnrl.evaluate(agent, episodes=2).returns, snnrl.evaluate(loaded, episodes=2).returns)


@pytest.mark.parametrize("name", ["rstdp", "ppo_ann"])
def test_a_loaded_agent_learns_on_as_the_one_that_was_saved(name: str, tmp_path: Path) -> None:
    agent = snnrl.make_agent(
        "CartPole", name, seed=3, **{**SMALL[name], "normalise_observation": False} if name != "rstdp" else SMALL[name]
    )
    agent.learn(160).save(tmp_path / "agent.pt")
    loaded = snnrl.load(tmp_path / "agent.pt").learn(160, reset_num_timesteps=False)
    agent.learn(160, reset_num_timesteps=False)
    for one, other in zip(agent.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_class_loads_agents_of_its_own(tmp_path: Path) -> None:
    snnrl.make_agent("CartPole", sim_steps=4).save(tmp_path / "agent.pt")
    assert isinstance(RSTDP.load(tmp_path / "agent.pt", env="CartPole"), RSTDP)
    assert isinstance(Agent.load(tmp_path / "agent.pt"), RSTDP)
    with pytest.raises(ConfigError, match=r"path=.*: must be the file of a Random, this is one of a RSTDP"):
        Random.load(tmp_path / "agent.pt")
    with pytest.raises(ConfigError, match="env=Pendulum-v1: must be one with the agent's"):
        RSTDP.load(tmp_path / "agent.pt", env="Pendulum")


def test_an_agent_of_an_environment_that_is_not_there_plays_and_learns_in_one_that_is_given(tmp_path: Path) -> None:
    class Own(gymnasium.Env[Any, Any]):
        observation_space = spaces.Box(-1, 1, (3,), np.float32)
        action_space = spaces.Discrete(2)

        def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
            return np.zeros(3, np.float32), {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            return np.ones(3, np.float32), 1.0, True, False, {}

    snnrl.make_agent(Own, "rstdp", sim_steps=4).learn(32).save(tmp_path / "agent.pt")
    loaded = snnrl.load(tmp_path / "agent.pt")
    loaded.predict(np.zeros(3, np.float32))
    with pytest.raises(ConfigError, match=r"its environment Own was given by a program, and no environment is regist"):
        loaded.learn(32)
    loaded.set_env(Own())
    assert loaded.learn(32).num_timesteps == 32


def test_code_that_a_file_names_does_not_run_without_trust(tmp_path: Path) -> None:
    path = tmp_path / "agent.pt"
    snnrl.make_agent("CartPole", "random").save(path)
    held = load_checkpoint(path)
    held["settings"]["agent"]["name"] = "strangers_module:Agent"
    save_checkpoint(path, held)
    with pytest.raises(UntrustedCodeError, match=r"^the file .*agent\.pt names code .*strangers_module:Agent.*=True"):
        snnrl.load(path)
    with pytest.raises(ConfigError, match="cannot be imported"):
        snnrl.load(path, trust=True)


@pytest.mark.parametrize("key", ["settings", "observation_space", "agent", "generator", "epoch", "learning"])
def test_a_file_that_is_not_whole_is_refused_in_one_line(key: str, tmp_path: Path) -> None:
    path = tmp_path / "agent.pt"
    snnrl.make_agent("CartPole", "random").save(path)
    held = load_checkpoint(path)
    del held[key]
    save_checkpoint(path, held)
    with pytest.raises(ConfigError, match=r"damaged|is a checkpoint of a run") as caught:
        snnrl.load(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_agent_is_refused(tmp_path: Path) -> None:
    torch.save({"agent": object()}, tmp_path / "agent.pt")
    with pytest.raises(ConfigError, match="holds objects"):
        snnrl.load(tmp_path / "agent.pt")


SPACES = [
    spaces.Box(0, 255, (1, 3, 2), np.uint8),
    spaces.Box(np.array([-np.inf, 0.1], np.float32), np.array([1.0, np.inf], np.float32)),
    spaces.Discrete(5, start=-2),
    spaces.MultiDiscrete([3, 4]),
    spaces.MultiBinary((2, 3)),
    spaces.Tuple([spaces.Discrete(2), spaces.Box(-1, 1, ())]),
    spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Dict({"c": spaces.Box(-1, 1, (2,), np.float64)})}),
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: type(space).__name__)
def test_a_space_comes_back_as_it_was(space: spaces.Space[Any], tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "space.pt", {"architecture": "none", "space": described(space)})
    assert space_from(load_checkpoint(tmp_path / "space.pt")["space"]) == space


def test_a_space_that_is_not_of_numbers_is_refused() -> None:
    with pytest.raises(ConfigError, match="a space Text: cannot be kept in a file"):
        described(spaces.Text(3))
