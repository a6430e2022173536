"""From a trained network of stable-baselines3 to spiking neurons, without training it again.

An integrate-and-fire neuron with soft reset fires at the rate of its mean current, up to one spike a step, which is a
clipped ReLU (Diehl et al. 2015, IJCNN, "Fast-classifying, high-accuracy spiking deep networks"; Rueckauer et al. 2017,
Front. Neurosci. 11:682). Weights are divided so that a high percentile of each neuron's activations, of each map's
behind a convolution, is that one spike a step (channel-wise: Kim et al. 2020, AAAI, "Spiking-YOLO"); a start at half a
threshold turns the rate's rounding down into rounding to the nearest (Bu et al. 2022, ICLR, "Optimal ANN-SNN
conversion").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from snnrl.envs import EnvConfig
from snnrl.errors import require
from snnrl.integrations.sb3.observing import preprocessed
from snnrl.integrations.sb3.player import SB3Agent
from snnrl.integrations.sb3.sb3_task import build
from snnrl.integrations.sb3.vision import SpikingNatureCNN
from snnrl.networks.layered import LayeredNetwork, SpikingLayer

SPIKING: Mapping[str, Any] = {
    "network": "spiking",
    "neuron": "if",
    "neuron_kwargs": {},
    "reset": "soft",
    "learnable": [],
    "initial_potential": 0.5,
    "tonic": 0.0,
    "coding": "direct",
    "readout": "rate",
}
"""What a converted agent's recipe says."""


class Path(NamedTuple):
    """What lies between the observation and the action of a policy, before and after."""

    hidden: list[tuple[list[nn.Linear | nn.Conv2d], LayeredNetwork]]
    """Layers that come to spike, one stack after the other."""
    readouts: list[tuple[nn.Linear, nn.Linear]]
    """Linear layers that read the last stack."""
    kept: list[tuple[nn.Module, nn.Module]]
    """What stays as it is."""


def spiking_recipe(agent: Mapping[str, Any], sim_steps: int) -> dict[str, Any]:
    """The recipe of the agent that the one of ``agent`` becomes.

    Raises:
        ConfigError: it spikes already, or its activation is no ReLU.
    """
    require(agent.get("network") == "ann", "run", agent.get("network"), "of a network that does not spike (ann)")
    activation = agent.get("activation") or ("tanh" if agent["name"] in ("ppo", "a2c") else "relu")
    require(
        activation == "relu", "agent.activation", activation, "relu to be converted; train with agent.activation=relu"
    )
    further = {} if agent["name"] == "dqn" else {"critic": "ann", "action_cells": 0}
    return {**agent, **SPIKING, **further, "sim_steps": sim_steps}


@torch.no_grad()
def convert(
    agent: SB3Agent,
    recipe: Mapping[str, Any],
    env: EnvConfig,
    observations: Tensor,
    *,
    percentile: float = 99.9,
    calibrate: bool = True,
    seed: int = 0,
) -> SB3Agent:
    """A spiking agent with the weights of one that does not spike.

    Args:
        agent: the trained one.
        recipe: of the spiking one, from :func:`spiking_recipe`.
        env: the environment's recipe.
        observations: as the policy sees them, ``[samples, *shape]``, from
            :func:`~snnrl.integrations.sb3.observing.gather`.
        percentile: of each neuron's activations that becomes one spike a step.
        calibrate: shift each layer's bias currents so that its mean rates are the mean activations (Li et al. 2021,
            ICML, "A free lunch from ANN", bias calibration).
        seed: of the new agent's generator.
    """
    require(0 < percentile <= 100, "percentile", percentile, "above 0 and at most 100")
    spiking, envs, _ = build(recipe, env, 1, seed, agent.model.device)
    envs.close()
    old: Any = agent.model.policy
    new: Any = spiking.model.policy
    spiking.take_statistics(agent)
    path = _path(str(recipe["name"]), old, new)
    for before, after in path.kept:
        after.load_state_dict(before.state_dict())
    if hasattr(old, "log_std"):
        new.log_std.copy_(old.log_std)
    x = preprocessed(agent, observations)
    scale = torch.ones(())
    for source, network in path.hidden:
        x, scale = _fill(source, network, x, scale, percentile, calibrate)
    for before, after in path.readouts:
        after.weight.copy_(before.weight * scale)
        after.bias.copy_(before.bias)
    for target, online in (("q_net_target", "q_net"), ("actor_target", "actor")):
        if hasattr(new, target):
            getattr(new, target).load_state_dict(getattr(new, online).state_dict())
    return spiking


@torch.no_grad()
def same_actions(first: SB3Agent, second: SB3Agent, observations: Tensor) -> float:
    """The share of observations ``[samples, *shape]`` at which two agents take the same best action.

    Continuous actions are the same when they are less than a tenth of half their range apart.
    """
    one, other = (agent.model.predict(observations.cpu().numpy(), deterministic=True)[0] for agent in (first, second))
    space: Any = first.model.action_space
    if hasattr(space, "low"):
        return float((np.abs(one - other) < 0.1 * (space.high - space.low) / 2).mean())
    return float((one == other).mean())


def _path(name: str, old: Any, new: Any) -> Path:
    """The way through a policy of the algorithm ``name``."""
    if name in ("ppo", "a2c"):
        hidden = [*_vision(old, new), *_stack(old.mlp_extractor.policy_net, new.mlp_extractor.policy_net)]
        readouts = [(old.action_net, new.action_net)]
        critic = [(old.mlp_extractor.value_net, new.mlp_extractor.value_net), (old.value_net, new.value_net)]
        return Path(hidden, readouts, critic)
    if name == "dqn":
        *layers, last = _linear(old.q_net.q_net)
        network, readout = new.q_net.q_net
        hidden = [*_vision(old.q_net, new.q_net), *([(layers, network)] if layers else [])]
        return Path(hidden, [(cast(nn.Linear, last), readout)], [])
    critics = [(old.critic, new.critic), (old.critic_target, new.critic_target)]
    hidden = _vision(old.actor, new.actor)
    if name == "sac":
        hidden += _stack(old.actor.latent_pi, new.actor.latent_pi)
        return Path(hidden, [(old.actor.mu, new.actor.mu), (old.actor.log_std, new.actor.log_std)], critics)
    *layers, last = _linear(old.actor.mu)
    network, readout, _ = new.actor.mu
    return Path([*hidden, *([(layers, network)] if layers else [])], [(cast(nn.Linear, last), readout)], critics)


def _vision(old: Any, new: Any) -> list[tuple[list[nn.Linear | nn.Conv2d], LayeredNetwork]]:
    """The convolutions in front of a policy's layers, if there are any."""
    extractor = new.features_extractor
    return [(_linear(old.features_extractor), extractor.network)] if isinstance(extractor, SpikingNatureCNN) else []


def _stack(old: nn.Module, new: nn.Module) -> list[tuple[list[nn.Linear | nn.Conv2d], LayeredNetwork]]:
    networks = [module for module in new.modules() if isinstance(module, LayeredNetwork)]
    return [(_linear(old), network) for network in networks]


def _linear(module: nn.Module) -> list[nn.Linear | nn.Conv2d]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


def _fill(
    source: Sequence[nn.Linear | nn.Conv2d],
    network: LayeredNetwork,
    x: Tensor,
    scale: Tensor,
    percentile: float,
    calibrate: bool,
) -> tuple[Tensor, Tensor]:
    """Give a stack the weights of ``source``.

    Args:
        source: layers with a ReLU after each.
        network: the stack.
        x: what goes into ``source``.
        scale: what one spike a step of each neuron or map that goes into ``network`` stands for there, or one number.
        percentile: of activations that becomes one spike a step.
        calibrate: whether to shift bias currents.

    Returns:
        The activations of the last layer, and what one spike a step of each of its neurons stands for.
    """
    given = x / _along(scale, x)
    wanted = []
    for before, layer in zip(source, cast(Sequence[SpikingLayer], network.layers), strict=True):
        if isinstance(before, nn.Linear) and x.dim() > 2:
            scale = scale.repeat_interleave(x[0, 0].numel()) if scale.dim() else scale
            x = x.flatten(1)
        x = torch.relu(before(x))
        each = x.transpose(0, 1).flatten(1)
        highest = torch.from_numpy(np.percentile(each.cpu().numpy(), percentile, axis=1)).to(x)
        highest = torch.where(highest > 0, highest, torch.ones_like(highest))
        (after,) = _linear(layer.synapses)
        rows = highest.view(-1, *[1] * (before.weight.dim() - 1))
        after.weight.copy_(before.weight * _along(scale, before.weight) / rows)
        assert before.bias is not None
        assert after.bias is not None
        after.bias.copy_(before.bias / highest)
        scale = highest
        wanted.append((x / _along(highest, x)).clamp_max(1))
    if calibrate:
        for number, activity in enumerate(wanted):
            (after,) = _linear(cast(SpikingLayer, network.layers[number]).synapses)
            off = activity - network.spikes(_flat(given, network))[number].mean(0)
            after.bias += off.mean([axis for axis in range(off.dim()) if axis != 1])  # type: ignore[operator]
    return x, scale


def _along(scale: Tensor, like: Tensor) -> Tensor:
    """One number for each entry of the second dimension of ``like``, shaped to multiply it."""
    return scale.view(1, -1, *[1] * (like.dim() - 2)) if scale.dim() else scale


def _flat(x: Tensor, network: LayeredNetwork) -> Tensor:
    return x.flatten(1) if isinstance(cast(Any, network.layers[0]).synapses, nn.Linear) else x
