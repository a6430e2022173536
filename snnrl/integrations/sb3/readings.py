"""What went on inside a policy of stable-baselines3 while it decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy
from torch import Tensor, nn

from snnrl.agents.trainable import Layout, Readings
from snnrl.integrations.sb3.policies import SpikingPolicy, spiking_parts
from snnrl.networks.layered import LayeredNetwork
from snnrl.types import Observation


def stacks_of(policy: BasePolicy) -> dict[str, LayeredNetwork]:
    """The stacks of spiking layers that run for a decision: ``hidden`` ones act, ``critic`` ones predict."""
    if not isinstance(policy, SpikingPolicy):
        return {}
    acting = policy.acting_path().networks
    critics: list[LayeredNetwork] = []
    if isinstance(policy, ActorCriticPolicy):
        critics = [stack for stack in spiking_parts(policy.mlp_extractor.value_net) if stack not in acting]
    named = {f"hidden_{place}": stack for place, stack in enumerate(acting)}
    return named | {f"critic_{place}": stack for place, stack in enumerate(critics)}


def layers_of(policy: BasePolicy) -> list[tuple[LayeredNetwork, list[str]]]:
    """Each stack with names of its populations: ``hidden_1`` and so on, ``critic_1`` and so on."""
    counts = {"hidden": 0, "critic": 0}
    found = []
    for place, stack in stacks_of(policy).items():
        kind, names = place.partition("_")[0], []
        for _ in stack.spiking_layers():
            counts[kind] += 1
            names.append(f"{kind}_{counts[kind]}")
        found.append((stack, names))
    return found


def layout_of(policy: BasePolicy, choices: list[str]) -> Layout:
    """Of what a policy's decisions are made; one that does not spike has preferences alone."""
    populations: dict[str, tuple[int, ...]] = {}
    steps = 0
    for stack, names in layers_of(policy):
        steps = stack.settings.sim_steps
        if stack.input_cells is not None and "input" not in populations:
            populations["input"] = stack.input_cells.neurons.shape
        for name, layer in zip(names, stack.spiking_layers(), strict=True):
            populations[name] = layer.neurons.shape
    return Layout(populations, choices, steps)


@torch.no_grad()
def read_policy(policy: BasePolicy, observation: Observation, *, potentials: bool) -> Readings:
    """Spikes, preferences and value of a policy for a batch of observations, as it is given them."""
    policy.set_training_mode(False)
    seen, _ = policy.obs_to_tensor(observation)
    stacks = layers_of(policy)
    with ExitStack() as entered:
        given = [entered.enter_context(_inputs(stack)) for stack, _ in stacks]
        preferences, value = _judgement(policy, seen)
    spikes: dict[str, Tensor] = {}
    measured: dict[str, Tensor] = {}
    for (stack, names), inputs in zip(stacks, given, strict=True):
        (x,) = inputs
        if stack.input_cells is not None and "input" not in spikes:
            spikes["input"] = stack.input_cells(x)
        spikes |= dict(zip(names, stack.spikes(x), strict=True))
        if potentials:
            measured |= dict(zip(names, stack.potentials(x), strict=True))
    return Readings(spikes, {}, measured, preferences, value)


@contextmanager
def _inputs(stack: LayeredNetwork) -> Iterator[list[Tensor]]:
    """What a stack is given inside the block."""
    found: list[Tensor] = []

    def note(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        found[:] = arguments

    handle = stack.register_forward_pre_hook(note)
    try:
        yield found
    finally:
        handle.remove()


def _judgement(policy: BasePolicy, seen: PyTorchObs) -> tuple[Tensor | None, Tensor | None]:
    """Preferences ``[batch, choices]`` and values ``[batch]``.

    Logits of a policy, or the mean of continuous actions; the values of DQN's actions, and the highest of them; of SAC
    and TD3 the lower of the critics' values of the mean action.
    """
    if isinstance(policy, ActorCriticPolicy):
        drawn = policy.get_distribution(seen).distribution
        parts = drawn if isinstance(drawn, list) else [drawn]
        preferences = torch.cat([getattr(part, "logits", part.mean) for part in parts], -1)
        return preferences, policy.predict_values(seen).flatten()
    if isinstance(policy, DQNPolicy):
        values: Tensor = policy.q_net(seen)
        return values, values.amax(-1)
    if isinstance(policy, (SACPolicy, TD3Policy)):
        action: Tensor = policy._predict(seen, deterministic=True)
        return action, torch.cat(policy.critic(seen, action), -1).amin(-1)
    return None, None
