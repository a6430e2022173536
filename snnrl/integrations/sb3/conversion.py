"""From a trained network of stable-baselines3 to spiking neurons, without training it again.

An integrate-and-fire neuron with soft reset fires at the rate of its mean current, up to one spike a step, which is a
clipped ReLU (Diehl et al. 2015, IJCNN, "Fast-classifying, high-accuracy spiking deep networks"; Rueckauer et al. 2017,
Front. Neurosci. 11:682). Weights are divided so that a high percentile of each neuron's activations, of each map's
behind a convolution, is that one spike a step (channel-wise: Kim et al. 2020, AAAI, "Spiking-YOLO"), and bias currents
are shifted so that a low percentile is none: of a neuron that is always active, spikes tell the differences. A start at
half a threshold turns the rate's rounding down into rounding to the nearest (Bu et al. 2022, ICLR, "Optimal ANN-SNN
conversion"). The last layer is read by spikes and potential, which together are the sum of its input, whenever its
spikes came; so what is left of rounding is that of the layers before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

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

_RIDGE = 1e-4
"""Of a calibration: how dear a change of weights is, in units of the mean square of what arrives, where a neuron has as
many weights as there are samples."""
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


class _Code(NamedTuple):
    """What is told by spikes or features: numbers, or one for each neuron or map."""

    low: Tensor
    """What none stands for."""
    scale: Tensor
    """What one spike a step, or a feature of 1, adds to that."""

    def given(self, x: Tensor) -> Tensor:
        """The spikes a step that stand for ``x``."""
        return (x - _along(self.low, x)) / _along(self.scale, x)


@torch.no_grad()
def convert(
    agent: AnySB3Agent,
    recipe: Settings,
    env: EnvConfig,
    observations: Tensor,
    *,
    percentile: float = 99.0,
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
        percentile: of each neuron's activations that becomes one spike a step; 100 less it becomes no spike.
        calibrate: fit each dense layer, and what reads the last, to the rates that reach it, and shift each layer's
            bias currents so that its mean rates are the mean activations (Li et al. 2021, ICML, "A free lunch from
            ANN", calibration layer by layer of weights and biases).
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
    arriving, code = x, _Code(torch.zeros(()), torch.ones(()))
    for source, network in path.hidden:
        x, arriving, code = _fill(source, network, x, arriving, code, percentile, calibrate)
    for old, new in path.readouts:
        _take(new, old, code)
        if calibrate:
            _fit(new, arriving, old(x) - new(arriving))
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
    arriving: Tensor,
    code: _Code,
    percentile: float,
    calibrate: bool,
) -> tuple[Tensor, Tensor, _Code]:
    """Give a stack the weights of ``source``.

    Args:
        source: layers with a ReLU after each.
        network: the stack.
        x: what goes into ``source``.
        arriving: what goes into ``network`` for it.
        code: what those stand for.
        percentile: of activations that becomes one spike a step; 100 less it becomes no spike.
        calibrate: whether to fit weights to the rates that reach them, and to shift bias currents.

    Returns:
        The activations of the last layer, the features of ``network`` for them, and what those stand for.
    """
    wanted: list[tuple[Tensor, Tensor]] = []
    continuous = network.settings.readout == "potential"
    for before, layer in zip(source, network.spiking_layers(), strict=True):
        if isinstance(before, nn.Linear) and x.dim() > 2:
            code = _Code(*(part.repeat_interleave(x[0, 0].numel()) if part.dim() else part for part in code))
            x = x.flatten(1)
        drive = before(x)
        x = torch.relu(drive)
        (after,) = weights_of(layer.synapses)
        _take(after, before, code)
        exact = continuous and len(wanted) == len(network.layers) - 1
        code = _range(x, percentile, from_zero=exact)
        after.weight /= code.scale.view(-1, *[1] * (after.weight.dim() - 1))
        after.bias.sub_(code.low).div_(code.scale)  # type: ignore[union-attr]
        drive = code.given(drive)
        wanted.append((drive, drive.clamp(0, math.inf if exact else 1)))
    given = _flat(arriving, network)
    for number, (drive, activity) in enumerate(wanted if calibrate else []):
        (after,) = weights_of(network.spiking_layers()[number].synapses)
        if number and isinstance(after, nn.Linear):
            before_it = network.spikes(given)[number - 1].mean(0).flatten(1)
            found = after(before_it)
            _fit(after, before_it, torch.where((drive < 0) & (found < 0), 0.0, drive - found))
        off = activity - _rates(network, given, number)
        after.bias += off.mean([axis for axis in range(off.dim()) if axis != 1])  # type: ignore[operator]
    return x, network(given), code._replace(scale=code.scale / network.settings.sim_steps) if continuous else code


def _take(after: Weights, before: Weights, code: _Code) -> None:
    """Give ``after`` the weights of ``before``, for what ``code`` says."""
    assert before.bias is not None
    assert after.bias is not None
    after.weight.copy_(before.weight * _along(code.scale, before.weight))
    silent = before.weight * _along(code.low, before.weight)
    after.bias.copy_(before.bias + silent.flatten(1).sum(1))


def _range(x: Tensor, percentile: float, *, from_zero: bool) -> _Code:
    """From which to which of its activations each neuron, or each map, spikes."""
    each = x.transpose(0, 1).flatten(1).cpu().numpy()
    low, high = (torch.from_numpy(np.percentile(each, share, axis=1)).to(x) for share in (100 - percentile, percentile))
    low = torch.zeros_like(low) if from_zero else low
    return _Code(low, torch.where(high > low, high - low, torch.ones_like(high)))


def _fit(layer: nn.Linear, arriving: Tensor, missing: Tensor) -> None:
    """Change a layer by the least weights that make up for what it misses of what it should give.

    Args:
        layer: the weights, that of a bias among them.
        arriving: ``[samples, in]``.
        missing: ``[samples, out]``.
    """
    rows = torch.cat([arriving, torch.ones_like(arriving[:, :1])], 1).double()
    products = rows.t() @ rows
    products.diagonal().add_(_RIDGE * len(products) / len(rows) * products.diagonal().mean())
    change = torch.linalg.solve(products, rows.t() @ missing.double()).to(arriving)
    layer.weight.add_(change[:-1].t())
    layer.bias.add_(change[-1])


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
