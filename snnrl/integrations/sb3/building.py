"""From a recipe to an agent of stable-baselines3 and the environments that it learns in."""

from __future__ import annotations

from typing import NamedTuple

import torch
from gymnasium import spaces
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from snnrl.agents import AGENTS
from snnrl.envs import EnvConfig, make_env, numbered
from snnrl.errors import ConfigError, require
from snnrl.integrations.sb3.agent import AnySB3Agent, SB3Agent
from snnrl.integrations.sb3.capacity import check_network
from snnrl.integrations.sb3.config import AlgorithmConfig
from snnrl.integrations.sb3.environments import make_vec_env, normalised
from snnrl.integrations.sb3.translation import translation_of
from snnrl.settings import read
from snnrl.spaces import named
from snnrl.types import Settings


class Built(NamedTuple):
    """What a recipe comes to."""

    agent: AnySB3Agent
    envs: VecEnv


def agent_class(agent: Settings) -> type[AnySB3Agent]:
    """The class that an ``agent`` recipe names.

    Raises:
        ConfigError: there is none, or it is no algorithm of stable-baselines3.
    """
    kind = AGENTS.find(agent.get("name"), "agent.name")
    if not issubclass(kind, SB3Agent):
        raise ConfigError(f"agent.name={agent['name']}: must be an algorithm of stable-baselines3, such as ppo")
    return kind


def read_config(agent: Settings) -> AlgorithmConfig:
    """The checked settings of an ``agent`` recipe.

    Raises:
        ConfigError: no algorithm of stable-baselines3, or a setting that is unknown, of the wrong type or out of range.
    """
    kind = agent_class(agent).Config
    return read(kind, {key: value for key, value in agent.items() if key != "name"}, "agent")


def require_network(agent: Settings, network: str, run: object) -> None:
    """Raise a ConfigError unless the agent of a run is one of stable-baselines3 with such a network.

    Args:
        agent: its recipe.
        network: ``spiking`` or ``ann``.
        run: the run's folder.
    """
    kind = AGENTS.find(agent.get("name"), "agent.name")
    fits = issubclass(kind, SB3Agent) and read_config(agent).network == network
    example = "agent=ppo" if network == "spiking" else "agent=ppo_ann"
    found = f"agent.network={agent['network']}" if issubclass(kind, SB3Agent) else f"agent {agent['name']}"
    expected = f"a run of stable-baselines3 with agent.network={network}, such as {example}; this one has {found}"
    require(fits, "run", run, expected)


def build(agent: Settings, env: EnvConfig, num_envs: int, seed: int, device: torch.device) -> Built:
    """An untrained agent and the environments that it learns in.

    Args:
        agent: the recipe; its ``name`` is an algorithm of stable-baselines3.
        env: the environment's recipe.
        num_envs: how many.
        seed: of first weights.
        device: to compute on.

    Raises:
        ConfigError: a wrong setting, or actions that the algorithm cannot take.
    """
    kind, config = agent_class(agent), read_config(agent)
    one = make_env(env)
    translation = translation_of(one, kind.ACTIONS, str(agent["name"]))
    one.close()
    seen = translation.view.space
    fits = not config.normalise_observation or isinstance(seen, spaces.Box)
    require(fits, "agent.normalise_observation", True, f"false for observations that are no Box, as {named(seen)}")
    envs = make_vec_env(env, num_envs, config.frame_stack, translation)
    numbered(getattr(envs.unwrapped, "envs", ()))
    envs = normalised(envs, config.normalise_observation, config.normalise_reward, config.gamma)
    try:
        check_network(config, envs.observation_space, envs.action_space, num_envs, device)
    except ConfigError:
        envs.close()
        raise
    model = kind.algorithm(config, envs, seed, device)
    assert model.get_env() is envs, "the environments that are stepped are those that the model knows"
    statistics = envs.obs_rms if config.normalise_observation and isinstance(envs, VecNormalize) else None
    assert statistics is None or isinstance(statistics, RunningMeanStd)
    frames = config.frame_stack if env.shows_frames else 0
    return Built(kind(model, config, statistics, frames, seed, translation), envs)
