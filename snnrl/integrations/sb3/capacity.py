"""What a run of an algorithm of stable-baselines3 needs at least."""

from __future__ import annotations

from itertools import pairwise

import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_action_dim, get_flattened_obs_dim, is_image_space

from snnrl.config import RunConfig
from snnrl.envs import make_env
from snnrl.integrations.sb3.agent import AnySB3Agent
from snnrl.integrations.sb3.config import ActorCriticConfig, AlgorithmConfig
from snnrl.integrations.sb3.environments import make_vec_env
from snnrl.integrations.sb3.translation import translation_of
from snnrl.integrations.sb3.vision import first_map_neurons
from snnrl.spaces.leaves import Space
from snnrl.training.capacity import environment_bytes, require_memory, space_bytes


def check_memory(config: RunConfig, kind: type[AnySB3Agent], recipe: AlgorithmConfig) -> None:
    """Raise a ConfigError where so many environments, or the steps that are remembered, do not fit into memory.

    A single environment tells what one of its observations takes.

    Args:
        config: of the run.
        kind: the agent's class.
        recipe: the agent's settings.
    """
    number, cpu = config.num_envs, torch.device("cpu")
    one = make_env(config.env)
    translation = translation_of(one, kind.ACTIONS, str(config.agent["name"]))
    one.close()
    seen = make_vec_env(config.env, 1, recipe.frame_stack, translation)
    space = seen.observation_space
    seen.close()
    environments = number * environment_bytes(config.env, space)
    require_memory(environments, "num_envs", number, cpu, "environments")
    stored = recipe.stored(config.env_steps, number)
    if stored is not None:
        need = environments + stored.observations * space_bytes(space)
        require_memory(need, f"agent.{stored.setting}", stored.value, cpu, stored.purpose)


_BYTES = 4
"""Of a weight, and of a spike."""


def check_network(
    recipe: AlgorithmConfig,
    observation: Space,
    action: Space,
    num_envs: int,
    device: torch.device,
) -> None:
    """Raise a ConfigError where the weights, or the spikes of one decision, do not fit into memory.

    Every algorithm has two networks of ``net_arch``: actor and critic, or one that acts and its slow copy.

    Args:
        recipe: of the algorithm.
        observation: what a policy sees.
        action: of one environment.
        num_envs: environments that it acts in at once.
        device: where it will be; networks are made on the CPU.
    """
    seen = [space for space in _parts(observation) if not is_image_space(space)]
    inputs = sum(get_flattened_obs_dim(space) for space in seen)
    sizes = list(recipe.net_arch or [])
    first = sizes[0] if sizes else 1
    arch = 2 * (inputs * first + sum(before * after for before, after in pairwise(sizes)))
    needs: list[tuple[str, object, int]] = [("net_arch", list(recipe.net_arch or ()), arch)]
    spiking = recipe.network == "spiking"
    coded = spiking and recipe.coding == "population" and isinstance(observation, spaces.Box) and bool(seen and sizes)
    if coded:
        needs.append(("cells", recipe.cells, inputs * recipe.cells * (2 + first)))
    if spiking and isinstance(recipe, ActorCriticConfig) and recipe.action_cells:
        pools = get_action_dim(action) * recipe.action_cells
        needs.append(("action_cells", recipe.action_cells, pools * (sizes[-1] if sizes else 1)))
    for setting, value, weights in needs:
        for place in {torch.device("cpu"), device}:
            require_memory(weights * _BYTES, f"agent.{setting}", value, place, "weights")
    if spiking:
        images = [first_map_neurons(space) for space in _parts(observation) if is_image_space(space)]
        wide = max([*sizes[:-1], *images, inputs * recipe.cells if coded else 0], default=0)
        steps = recipe.sim_steps
        require_memory(steps * (2 + num_envs * wide) * _BYTES, "agent.sim_steps", steps, device, "spikes")


def _parts(observation: Space) -> list[Space]:
    return list(observation.spaces.values()) if isinstance(observation, spaces.Dict) else [observation]
