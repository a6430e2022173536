"""Training of a policy of stable-baselines3: spiking, its ANN baseline, or the same spiking policy of snnTorch neurons.

    python benchmarks/peers/sb3_training.py --kind spiking --case ppo_cartpole --steps 4096

snnTorch's neurons get the same synapses, multiplied once for a constant current and for all steps together elsewhere,
which is faster than the usual loop over steps through all layers.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

import snnrl.integrations.sb3  # noqa: F401
from snnrl.networks.layered import LayeredNetwork


class Images(gym.Env[Any, Any]):
    """Frames of the size of an Atari game's, for which nothing has to be computed."""

    observation_space = spaces.Box(0, 255, (4, 84, 84), np.uint8)
    action_space = spaces.Discrete(6)
    _frames = np.random.default_rng(0).integers(0, 256, (16, 4, 84, 84), dtype=np.uint8)
    _step = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return self._frames[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._step += 1
        return self._frames[self._step % 16], 1.0, self._step % 500 == 0, False, {}


def falling(start: float) -> Any:
    return lambda left: start * left


def make(case: str, policy: str, device: str) -> Any:
    """RL Zoo's settings."""
    spiking = policy == "Spiking"
    kwargs: dict[str, Any] = {"sim_steps": 4} if spiking else {}
    common: dict[str, Any] = {"seed": 0, "device": device}
    if case == "ppo_cartpole":
        own = {"n_steps": 32, "batch_size": 256, "n_epochs": 20, "gae_lambda": 0.8, "gamma": 0.98}
        envs = make_vec_env("CartPole-v1", 8, seed=0)
        return PPO(f"{policy}MlpPolicy", envs, learning_rate=falling(1e-3), policy_kwargs=kwargs, **own, **common)
    if case == "dqn_cartpole":
        own = {"batch_size": 64, "learning_starts": 256, "train_freq": 256, "gradient_steps": 128}
        kwargs |= {"net_arch": [256, 256]}
        envs = make_vec_env("CartPole-v1", 1, seed=0)
        return DQN(f"{policy}MlpPolicy", envs, learning_rate=2.3e-3, policy_kwargs=kwargs, **own, **common)
    if case == "sac_pendulum":
        envs = make_vec_env("Pendulum-v1", 1, seed=0)
        return SAC(f"{policy}MlpPolicy", envs, learning_rate=1e-3, policy_kwargs=kwargs, **common)
    own = {"n_steps": 32, "batch_size": 128, "n_epochs": 4}
    return PPO(f"{policy}CnnPolicy", DummyVecEnv([Images] * 8), policy_kwargs=kwargs, **own, **common)


class SnnTorchNetwork(nn.Module):
    """A :class:`LayeredNetwork` whose neurons are snnTorch's."""

    def __init__(self, network: LayeredNetwork) -> None:
        import snntorch
        from snntorch import surrogate

        super().__init__()
        self.steps = network.settings.sim_steps
        self.synapses = nn.ModuleList(layer.synapses for layer in network.layers)
        beta = math.exp(-1 / network.settings.tau_mem)
        grad = surrogate.atan(alpha=2.0)
        self.neurons = nn.ModuleList(
            snntorch.Leaky(beta, reset_mechanism="subtract", spike_grad=grad, reset_delay=False) for _ in self.synapses
        )

    def forward(self, x: Any) -> Any:
        spikes = None
        for synapses, neurons in zip(self.synapses, self.neurons, strict=True):
            if spikes is None:
                current = synapses(x)
                steps = [current] * self.steps
            else:
                current = synapses(spikes.flatten(0, 1))
                steps = list(current.unflatten(0, spikes.shape[:2]))
            potential, fired = torch.zeros_like(steps[0]), []
            for now in steps:
                spike, potential = neurons(now, potential)
                fired.append(spike)
            spikes = torch.stack(fired)
        return spikes.mean(0).flatten(1)


def with_snntorch(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, LayeredNetwork):
            setattr(module, name, SnnTorchNetwork(child))
        else:
            with_snntorch(child)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=["spiking", "ann", "snntorch"], required=True)
    parser.add_argument("--case", choices=["ppo_cartpole", "dqn_cartpole", "sac_pendulum", "ppo_images"], required=True)
    parser.add_argument("--steps", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = make(arguments.case, "" if arguments.kind == "ann" else "Spiking", arguments.device)
    if arguments.kind == "snntorch":
        with_snntorch(model.policy)
    model.learn(max(arguments.steps // 8, 256))
    began = time.perf_counter()
    before = model.num_timesteps
    model.learn(arguments.steps, reset_num_timesteps=False)
    seconds = time.perf_counter() - began
    print(json.dumps({"steps_per_second": (model.num_timesteps - before) / seconds}))


if __name__ == "__main__":
    main()
