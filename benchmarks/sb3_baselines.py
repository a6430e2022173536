"""What backpropagation gets from the same budget: stable-baselines3's PPO with RL Zoo's published settings.

    python benchmarks/sb3_baselines.py CartPole 0 1 2

The environment and the number of steps are those of snnrl's recipe; the score is the mean return of 100 episodes (best
actions) on environments of other seeds. One JSON line for each seed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from snnrl.recipes import compose_run


def falling(start: float) -> Callable[[float], float]:
    return lambda left: start * left


SETTINGS: dict[str, dict[str, Any]] = {
    "CartPole": {
        "num_envs": 8,
        "n_steps": 32,
        "batch_size": 256,
        "gae_lambda": 0.8,
        "gamma": 0.98,
        "n_epochs": 20,
        "learning_rate": falling(1e-3),
        "clip_range": falling(0.2),
    },
    "Acrobot": {"num_envs": 16, "normalise": True, "n_steps": 256, "gae_lambda": 0.94, "gamma": 0.99, "n_epochs": 4},
    "MountainCar": {"num_envs": 16, "normalise": True, "n_steps": 16, "gae_lambda": 0.98, "gamma": 0.99, "n_epochs": 4},
    "Pendulum": {
        "num_envs": 4,
        "n_steps": 1024,
        "gae_lambda": 0.95,
        "gamma": 0.9,
        "n_epochs": 10,
        "learning_rate": 1e-3,
        "use_sde": True,
        "sde_sample_freq": 4,
    },
    "LunarLander": {
        "num_envs": 16,
        "n_steps": 1024,
        "batch_size": 64,
        "gae_lambda": 0.98,
        "gamma": 0.999,
        "n_epochs": 4,
        "ent_coef": 0.01,
    },
    "FrozenLake": {"num_envs": 16, "n_steps": 128, "batch_size": 256, "gamma": 0.99, "ent_coef": 0.01},
}


def score(name: str, seed: int) -> dict[str, Any]:
    settings = dict(SETTINGS[name])
    recipe = compose_run([f"env={name}"])
    num_envs, normalise = settings.pop("num_envs"), settings.pop("normalise", False)
    env_id, kwargs = recipe["env"]["id"], recipe["env"]["kwargs"]
    envs = make_vec_env(env_id, num_envs, seed=seed, env_kwargs=kwargs)
    unseen = make_vec_env(env_id, 8, seed=seed + 100_000, env_kwargs=kwargs)
    if normalise:
        envs = VecNormalize(envs)
        unseen = VecNormalize(unseen, training=False, norm_reward=False)
    began = time.perf_counter()
    model = PPO("MlpPolicy", envs, seed=seed, device="cpu", **settings).learn(recipe["env_steps"])
    seconds = time.perf_counter() - began
    if isinstance(unseen, VecNormalize):
        unseen.obs_rms = envs.obs_rms
    returns, _ = evaluate_policy(model, unseen, 100, return_episode_rewards=True)
    return {
        "env": env_id,
        "steps": recipe["env_steps"],
        "seed": seed,
        "return_mean": float(np.mean(returns)),
        "train_seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    for seed in map(int, sys.argv[2:]):
        print(json.dumps(score(sys.argv[1], seed)), flush=True)
