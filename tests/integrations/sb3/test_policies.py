"""Spiking policies keep stable-baselines3's contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from snnrl.errors import ConfigError
from snnrl.integrations.sb3 import SpikingActorCriticPolicy, SpikingDQNPolicy, SpikingSACPolicy
from snnrl.networks.coding import PopulationReadout
from snnrl.networks.layered import LayeredNetwork

QUICK: dict[type[BaseAlgorithm], dict[str, Any]] = {
    PPO: {"n_steps": 32, "batch_size": 32, "n_epochs": 2},
    A2C: {},
    DQN: {"learning_starts": 32, "buffer_size": 500, "target_update_interval": 50},
    SAC: {"learning_starts": 32, "buffer_size": 500, "batch_size": 16, "train_freq": 8},
    TD3: {"learning_starts": 32, "buffer_size": 500, "batch_size": 16, "train_freq": 8},
}
ENVS = {PPO: "CartPole-v1", A2C: "CartPole-v1", DQN: "CartPole-v1", SAC: "Pendulum-v1", TD3: "Pendulum-v1"}
LAYERS: list[dict[str, Any]] = [
    {},
    {"neuron": "lif", "coding": "population", "readout": "leaky", "learnable": ("tau_mem", "v_threshold")},
    {"neuron": "lif", "reset": "hard", "surrogate": "triangle", "readout": "count"},
    {"neuron": "adaptive_lif", "sim_steps": 2},
    {"neuron": "current_lif", "neuron_kwargs": {"tau_syn": 2.0}},
]


class Squares(gym.Env[Any, Any]):
    """Small images in which one quarter is bright; the action should name it, or be near its number."""

    def __init__(self, continuous: bool) -> None:
        self.observation_space = spaces.Box(0, 255, (1, 40, 40), np.uint8)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32) if continuous else spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._image(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(np.all(action == self._bright))
        return self._image(), reward, False, bool(self.np_random.random() < 0.1), {}

    def _image(self) -> Any:
        self._bright = int(self.np_random.integers(4))
        image = np.zeros((1, 40, 40), np.uint8)
        row, column = divmod(self._bright, 2)
        image[:, row * 20 : row * 20 + 20, column * 20 : column * 20 + 20] = 255
        return image


def same_predictions(first: Any, second: Any, space: spaces.Space[Any]) -> None:
    observation = np.stack([space.sample() for _ in range(6)])
    expected, _ = first.predict(observation, deterministic=True)
    found, _ = second.predict(observation, deterministic=True)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("layers", LAYERS, ids=["default", "population", "lif", "adaptive", "current"])
@pytest.mark.parametrize("algorithm", list(QUICK), ids=lambda kind: kind.__name__)
def test_learns_saves_loads_and_predicts(algorithm: Any, layers: dict[str, Any], tmp_path: Path) -> None:
    own: dict[str, Any] = {"net_arch": [32, 24]}
    if algorithm in (SAC, TD3):
        own |= {"action_cells": 5} if layers.get("coding") else {}
    if algorithm is not DQN and layers.get("reset") == "hard":
        own |= {"critic": "spiking"}
    model = algorithm(
        "SpikingMlpPolicy", ENVS[algorithm], policy_kwargs={**layers, **own}, seed=1, device="cpu", **QUICK[algorithm]
    )
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(128)
    assert any(not torch.equal(before[name], value) for name, value in model.policy.state_dict().items())
    model.save(tmp_path / "model.zip")
    loaded = algorithm.load(tmp_path / "model.zip", device="cpu")
    same_predictions(model, loaded, model.observation_space)
    assert loaded.policy_kwargs["net_arch"] == [32, 24]
    loaded.set_env(model.get_env())
    loaded.learn(64)
    model.policy.save(tmp_path / "policy.pt")
    policy = type(model.policy).load(tmp_path / "policy.pt", device="cpu")
    same_predictions(model, policy, model.observation_space)


@pytest.mark.parametrize("algorithm", list(QUICK), ids=lambda kind: kind.__name__)
def test_images(algorithm: Any, tmp_path: Path) -> None:
    env = Squares(algorithm in (SAC, TD3))
    check_env(env)
    model = algorithm("SpikingCnnPolicy", env, policy_kwargs={"sim_steps": 2}, seed=1, device="cpu", **QUICK[algorithm])
    model.learn(64)
    model.save(tmp_path / "model.zip")
    same_predictions(model, algorithm.load(tmp_path / "model.zip", device="cpu"), model.observation_space)
    networks = [module for module in model.policy.modules() if isinstance(module, LayeredNetwork)]
    assert any(len(network.layers) == 4 for network in networks)


def test_tools_around_the_algorithm_work_as_usual(tmp_path: Path) -> None:
    envs, unseen = (VecNormalize(make_vec_env("CartPole-v1", 2, seed=seed)) for seed in (0, 1))
    unseen.training = False
    model = PPO(SpikingActorCriticPolicy, envs, tensorboard_log=str(tmp_path), seed=0, device="cpu", **QUICK[PPO])
    model.learn(256, callback=EvalCallback(unseen, eval_freq=64, n_eval_episodes=2, verbose=0))
    mean, _ = evaluate_policy(model, unseen, n_eval_episodes=3)
    assert mean > 1
    assert list(tmp_path.rglob("events.out.tfevents.*"))


def test_target_networks_begin_as_copies() -> None:
    dqn = DQN(SpikingDQNPolicy, "CartPole-v1", device="cpu")
    sac = SAC(SpikingSACPolicy, "Pendulum-v1", policy_kwargs={"critic": "spiking"}, device="cpu")
    for online, target in ((dqn.q_net, dqn.q_net_target), (sac.critic, sac.critic_target)):
        for one, other in zip(online.parameters(), target.parameters(), strict=True):
            assert torch.equal(one, other)
            assert one is not other


def test_a_pool_for_each_action_dimension_is_read_by_that_dimension_alone() -> None:
    model = SAC(SpikingSACPolicy, "Pendulum-v1", policy_kwargs={"action_cells": 6}, device="cpu")
    readout = model.actor.mu
    assert isinstance(readout, PopulationReadout)
    two = PopulationReadout(2, 3)
    rates = torch.zeros(1, 6)
    before = two(rates)
    rates[0, 4] = 1.0
    after = two(rates)
    assert after[0, 0] == before[0, 0]
    assert after[0, 1] != before[0, 1]


def test_all_parameters_are_in_the_optimiser() -> None:
    model = PPO(SpikingActorCriticPolicy, "Pendulum-v1", policy_kwargs={"action_cells": 4}, device="cpu", **QUICK[PPO])
    held = {id(parameter) for group in model.policy.optimizer.param_groups for parameter in group["params"]}
    assert held == {id(parameter) for parameter in model.policy.parameters()}


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"sim_steps": 0}, "sim_steps=0"),
        ({"neuron": "lfi"}, "did you mean lif"),
        ({"critic": "snn"}, "critic=snn: must be spiking or ann"),
        ({"action_cells": 4}, "action_cells=4: must be 0"),
        ({"action_cells": -1}, "action_cells=-1"),
    ],
)
def test_a_wrong_setting_is_named(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PPO(SpikingActorCriticPolicy, "CartPole-v1", policy_kwargs=kwargs, device="cpu")


def falling(start: float) -> Any:
    return lambda left: start * left


def test_ppo_learns_cartpole() -> None:
    envs = make_vec_env("CartPole-v1", 8, seed=0)
    model = PPO(
        "SpikingMlpPolicy",
        envs,
        n_steps=32,
        batch_size=256,
        gae_lambda=0.8,
        gamma=0.98,
        n_epochs=20,
        learning_rate=falling(1e-3),
        clip_range=falling(0.2),
        seed=0,
        device="cpu",
    )
    unseen = make_vec_env("CartPole-v1", 8, seed=100)
    untrained, _ = evaluate_policy(model, unseen, 16)
    model.learn(40_000)
    trained, _ = evaluate_policy(model, unseen, 16)
    assert untrained < 150
    assert trained > 250
