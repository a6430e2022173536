"""From a trained network of stable-baselines3 to spiking neurons, without training it again.

An integrate-and-fire neuron with soft reset fires at the rate of its mean current, up to one spike a step, which is a
clipped ReLU (Diehl et al. 2015, IJCNN, "Fast-classifying, high-accuracy spiking deep networks"; Rueckauer et al. 2017,
Front. Neurosci. 11:682). Weights are divided so that a high percentile of each neuron's activations, of each map's
behind a convolution, is that one spike a step (channel-wise: Kim et al. 2020, AAAI, "Spiking-YOLO"); a start at half a
threshold turns the rate's rounding down into rounding to the nearest (Bu et al. 2022, ICLR, "Optimal ANN-SNN
conversion"). The last layer is read by spikes and potential, which together are the sum of its input, whenever its
spikes came; so what is left of rounding is that of the layers before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from snnrl.envs import EnvConfig
from snnrl.errors import require
from snnrl.integrations.sb3.agent import AnySB3Agent
from snnrl.integrations.sb3.building import build, read_config
from snnrl.integrations.sb3.observing import preprocessed
from snnrl.integrations.sb3.policies import Weights, spiking_policy, weights_of
from snnrl.networks.layered import LayeredNetwork
from snnrl.types import Setting, Settings

CONVERTED_READOUTS = ("potential", "rate")
"""How the last layer of a converted network is read."""


def spiking_recipe(agent: Settings, sim_steps: int, readout: str = "potential") -> dict[str, Setting]:
    """The recipe of the agent that the one of ``agent`` becomes.

    Args:
        agent: the recipe of one that does not spike.
        sim_steps: simulation steps of a decision.
        readout: of the last layer: ``potential``, or ``rate``, which needs its spikes alone.

    Raises:
        ConfigError: it spikes already, its activation is no ReLU, or another readout.
    """
    require(readout in CONVERTED_READOUTS, "readout", readout, " or ".join(CONVERTED_READOUTS))
    return {**agent, **read_config(agent).converted(), "sim_steps": sim_steps, "readout": readout}


@torch.no_grad()
def convert(
    agent: AnySB3Agent,
    recipe: Settings,
    env: EnvConfig,
    observations: Tensor,
    *,
    percentile: float = 99.9,
    calibrate: bool = True,
    seed: int = 0,
) -> AnySB3Agent:
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
    spiking, envs = build(recipe, env, 1, seed, agent.model.device)
    envs.close()
    spiking.take_statistics(agent)
    path = spiking_policy(spiking.policy).conversion_path(agent.policy)
    for before, after in path.kept:
        after.load_state_dict(before.state_dict())
    for value, target in path.values:
        target.copy_(value)
    x = preprocessed(agent, observations)
    scale = torch.ones(())
    for source, network in path.hidden:
        x, scale = _fill(source, network, x, scale, percentile, calibrate)
    for old, new in path.readouts:
        new.weight.copy_(old.weight * scale)
        new.bias.copy_(old.bias)
    for module, copy in path.targets:
        copy.load_state_dict(module.state_dict())
    return spiking


@torch.no_grad()
def same_actions(first: AnySB3Agent, second: AnySB3Agent, observations: Tensor) -> float:
    """The share of observations ``[samples, *shape]`` at which two agents take the same best action.

    Continuous actions are the same when they are less than a tenth of half their range apart.
    """
    one, other = (agent.model.predict(observations.cpu().numpy(), deterministic=True)[0] for agent in (first, second))
    space = first.model.action_space
    if isinstance(space, spaces.Box):
        return float((np.abs(one - other) < 0.1 * (space.high - space.low) / 2).mean())
    return float((one == other).mean())


def _fill(
    source: Sequence[Weights],
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
        The activations of the last layer, and what a feature of 1 of each of its neurons stands for.
    """
    given, wanted = x / _along(scale, x), []
    continuous = network.settings.readout == "potential"
    for before, layer in zip(source, network.spiking_layers(), strict=True):
        if isinstance(before, nn.Linear) and x.dim() > 2:
            scale = scale.repeat_interleave(x[0, 0].numel()) if scale.dim() else scale
            x = x.flatten(1)
        x = torch.relu(before(x))
        each = x.transpose(0, 1).flatten(1)
        highest = torch.from_numpy(np.percentile(each.cpu().numpy(), percentile, axis=1)).to(x)
        highest = torch.where(highest > 0, highest, torch.ones_like(highest))
        (after,) = weights_of(layer.synapses)
        rows = highest.view(-1, *[1] * (before.weight.dim() - 1))
        after.weight.copy_(before.weight * _along(scale, before.weight) / rows)
        assert before.bias is not None
        assert after.bias is not None
        after.bias.copy_(before.bias / highest)
        scale = highest
        wanted.append(x / _along(highest, x))
        if len(wanted) < len(network.layers) or not continuous:
            wanted[-1].clamp_(max=1)
    if calibrate:
        for number, activity in enumerate(wanted):
            (after,) = weights_of(network.spiking_layers()[number].synapses)
            off = activity - _rates(network, _flat(given, network), number)
            after.bias += off.mean([axis for axis in range(off.dim()) if axis != 1])  # type: ignore[operator]
    return x, scale / network.settings.sim_steps if continuous else scale


def _rates(network: LayeredNetwork, x: Tensor, number: int) -> Tensor:
    """The rates ``[batch, *shape]`` of a layer, of the last one as they are read."""
    if number < len(network.layers) - 1 or network.settings.readout == "rate":
        return network.spikes(x)[number].mean(0)
    return (network(x) / network.settings.sim_steps).view(len(x), *network.spiking_layers()[number].neurons.shape)


def _along(scale: Tensor, like: Tensor) -> Tensor:
    """One number for each entry of the second dimension of ``like``, shaped to multiply it."""
    return scale.view(1, -1, *[1] * (like.dim() - 2)) if scale.dim() else scale


def _flat(x: Tensor, network: LayeredNetwork) -> Tensor:
    return x.flatten(1) if isinstance(network.spiking_layers()[0].synapses, nn.Linear) else x
