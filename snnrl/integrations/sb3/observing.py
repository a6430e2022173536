"""What a policy sees while it plays, for those who want to look into it."""

from __future__ import annotations

import numpy as np
import torch
from stable_baselines3.common.preprocessing import preprocess_obs
from torch import Tensor

from snnrl.envs import EnvConfig, env_seeds, for_evaluation, make_envs
from snnrl.envs.types import start
from snnrl.integrations.sb3.agent import AnySB3Agent
from snnrl.training.capacity import require_memory, space_bytes
from snnrl.types import Array

EPOCH = 3
"""Of the ``eval`` stream of seeds: no evaluation plays these episodes."""
HELD_OUT = 4
"""Likewise, and they are not those of :data:`EPOCH`."""
_ENVS = 16


def gather(
    agent: AnySB3Agent, env: EnvConfig, samples: int, seed: int, setting: str = "samples", epoch: int = EPOCH
) -> Tensor:
    """Observations of the agent's own play, as its policy is given them: ``[samples, *shape]``.

    Args:
        agent: who plays, with the best action each time.
        env: the environment's recipe.
        samples: how many.
        seed: of the environments.
        setting: that decides how many.
        epoch: of the environments' seeds.

    Raises:
        ConfigError: so many do not fit into memory.
    """
    each = space_bytes(agent.policy.observation_space)
    require_memory(samples * each, setting, samples, agent.model.device, "observations")
    envs = make_envs(for_evaluation(env), _ENVS)
    seen: list[Array] = []
    try:
        observation, _ = start(envs, env_seeds(seed, "eval", epoch, _ENVS))
        state: Array | None = None
        begins, ended = np.ones(_ENVS, bool), np.zeros(_ENVS, bool)
        while _ENVS * len(seen) < samples:
            action, state = agent.predict(observation, state, begins, deterministic=True)
            seen.append(np.array(agent.as_seen(observation, state)))
            observation, _, terminated, truncated, _ = envs.step(action)
            begins, ended = ended, (terminated | truncated) & ~ended
    finally:
        envs.close()
    return torch.as_tensor(np.concatenate(seen)[:samples], device=agent.model.device)


def preprocessed(agent: AnySB3Agent, observations: Tensor) -> Tensor:
    """Observations as the first layer takes them: scaled images, one-hot numbers, floats."""
    policy = agent.policy
    ready = preprocess_obs(observations, policy.observation_space, normalize_images=policy.normalize_images)
    assert isinstance(ready, Tensor)
    return ready
