"""Requests that the machine cannot hold are refused before memory is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

import snnrl
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError
from snnrl.recipes import compose_run
from snnrl.textfiles import write_yaml
from snnrl.train import main
from snnrl.training.capacity import (
    _free_of_group,
    environment_bytes,
    free_memory,
    require_memory,
    space_bytes,
    state_bytes,
)
from snnrl.training.checkpoints import CheckpointStore, save_checkpoint

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["env=SpaceInvaders", "num_envs=100000"], "num_envs=100000"),
        (["env=CartPole", "num_envs=10000000"], "num_envs=10000000"),
        (["env=Pong", "agent=ppo", "num_envs=100000"], "num_envs=100000"),
        (["env=Pong", "agent=ppo", "agent.n_steps=100000000"], "agent.n_steps=100000000"),
        (["env=Pong", "agent=dqn", "agent.buffer_size=1000000000", "env_steps=1000000000"], "agent.buffer_size="),
        (["env=CartPole", "agent.network.actor.per_action=1000000000"], "agent.network.actor.per_action="),
        (["env=CartPole", "agent.sim_steps=2000000000"], "agent.sim_steps=2000000000"),
        (["env=CartPole", "agent=ppo", "agent.net_arch=[300000,300000]"], "agent.net_arch=[300000, 300000]"),
        (["env=CartPole", "agent=dqn", "agent.network=ann", "agent.net_arch=[300000,300000]"], "agent.net_arch="),
        (["env=CartPole", "agent=ppo", "agent.sim_steps=2000000000"], "agent.sim_steps=2000000000"),
        (["env=Pong", "agent=dqn", "agent.sim_steps=2000000000"], "agent.sim_steps=2000000000"),
        (["env=CartPole", "agent=ppo", "agent.coding=population", "agent.cells=2000000000"], "agent.cells=2000000000"),
        (["env=Pendulum", "agent=sac", "agent.action_cells=2000000000"], "agent.action_cells=2000000000"),
        (["env=CartPole", "agent=random", "num_envs=1000000000"], "num_envs=1000000000"),
    ],
)
def test_what_does_not_fit_is_refused_with_an_estimate(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, f"run_dir={tmp_path / 'run'}", "logger=none", "progress=none"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {named}")
    assert "GiB of memory for" in line
    assert line.endswith("GiB are free on cpu; must be less")
    assert not (tmp_path / "run").exists()


TOO_MANY = {
    "network.critic.size": {"network": {"critic": {"size": 2_000_000_000}}},
    "sim_steps": {"sim_steps": 2_000_000_000},
}


@pytest.mark.parametrize("setting", TOO_MANY)
def test_an_agent_that_is_made_or_loaded_is_weighed_as_one_that_is_trained(setting: str, tmp_path: Path) -> None:
    said = f"agent.{setting}=2000000000: needs at least .* GiB are free on cpu; must be less"
    with pytest.raises(ConfigError, match=said):
        snnrl.make_agent("CartPole", **TOO_MANY[setting])
    settings = compose_run(["env=CartPole", f"agent.{setting}=2000000000"])
    write_yaml(tmp_path / "config.yaml", settings)
    save_checkpoint(tmp_path / "checkpoints" / "step_000000000100.pt", {"architecture": "of a small agent"})
    with pytest.raises(ConfigError, match=said):
        snnrl.load(tmp_path, device="cpu")


def test_an_algorithm_that_is_made_is_weighed_as_one_that_is_trained() -> None:
    with pytest.raises(ConfigError, match=r"agent\.net_arch=\[300000, 300000\]: needs at least .* GiB are free"):
        snnrl.make_agent("CartPole", "ppo", net_arch=[300_000, 300_000])


def test_a_learner_that_is_loaded_is_weighed_as_one_that_is_trained(tmp_path: Path) -> None:
    settings = compose_run(["experiment=mnist_unsupervised", "n_neurons=2000000000"])
    write_yaml(tmp_path / "config.yaml", settings)
    CheckpointStore(tmp_path / "checkpoints").save({"architecture": "any"}, 0)
    with pytest.raises(ConfigError, match=r"learner\.n_neurons=2000000000: needs at least"):
        snnrl.load(tmp_path, device="cpu")


def test_what_fits_is_not_refused() -> None:
    free = free_memory(CPU)
    assert free is not None
    require_memory(free // 2, "num_envs", 1, CPU, "nothing")
    with pytest.raises(ConfigError, match="num_envs=1: needs at least"):
        require_memory(100 * free, "num_envs", 1, CPU, "nothing")


@pytest.mark.parametrize(
    ("space", "size"),
    [
        (spaces.Box(0, 255, (1, 210, 160), np.uint8), 33_600),
        (spaces.Discrete(4), 8),
        (spaces.Dict(a=spaces.Box(0, 1, (3,)), b=spaces.MultiBinary(5)), 17),
        (spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (), np.float64))), 16),
        (spaces.Text(4), 0),
    ],
)
def test_every_space_has_its_bytes(space: spaces.Space[object], size: int) -> None:
    assert space_bytes(space) == size
    assert environment_bytes(EnvConfig("CartPole-v1"), space) == 4_000 + 2 * size


def test_state_is_counted_wherever_it_is_nested() -> None:
    nested = (torch.zeros(3), [np.zeros(2)], {"a": torch.zeros((), dtype=torch.int64)}, None, "text", 5)
    assert state_bytes(nested) == 12 + 16 + 8


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    assert _free_of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("400\n")
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 100\n")
    assert _free_of_group(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert _free_of_group(tmp_path) == 700
