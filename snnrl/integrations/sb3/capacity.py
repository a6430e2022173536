"""What a run of an algorithm of stable-baselines3 needs at least."""

from __future__ import annotations

import torch

from snnrl.config import RunConfig
from snnrl.envs import make_env
from snnrl.integrations.sb3.recipes import OffPolicyConfig, OnPolicyConfig, read_recipe
from snnrl.integrations.sb3.sight import make_vec_env
from snnrl.integrations.sb3.translation import translation_of
from snnrl.training.capacity import environment_bytes, require_memory, space_bytes


def check_memory(config: RunConfig) -> None:
    """Raise a ConfigError where so many environments, or the steps that are remembered, do not fit into memory.

    A single environment tells what one of its observations takes.
    """
    recipe, number, cpu = read_recipe(config.agent), config.num_envs, torch.device("cpu")
    one = make_env(config.env)
    translation = translation_of(one, recipe.ACTIONS, str(config.agent["name"]))
    one.close()
    seen = make_vec_env(config.env, 1, recipe.frame_stack, translation)
    space = seen.observation_space
    seen.close()
    environments = number * environment_bytes(config.env, space)
    require_memory(environments, "num_envs", number, cpu, "environments")
    if isinstance(recipe, OnPolicyConfig):
        steps = recipe.n_steps * number
        need, purpose = steps * space_bytes(space), f"a rollout of {steps:,} observations"
        require_memory(environments + need, "agent.n_steps", recipe.n_steps, cpu, purpose)
    elif isinstance(recipe, OffPolicyConfig):
        kept = min(recipe.buffer_size, config.env_steps)
        need, purpose = kept * 2 * space_bytes(space), f"{kept:,} remembered steps"
        require_memory(environments + need, "agent.buffer_size", recipe.buffer_size, cpu, purpose)
