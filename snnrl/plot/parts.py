"""What a rule and a neuron do, each by itself."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from snnrl.connections import Dense
from snnrl.errors import ConfigError, require
from snnrl.neurons import AnyNeuron
from snnrl.plasticity import AnyRule, ThirdFactor
from snnrl.plot.style import GREY, colour, new_figure, styled


@styled
def stdp_window(
    rule: AnyRule, *, longest: float = 60.0, weight: float = 0.5, modulator: float = 1.0, title: str = ""
) -> Figure:
    """The change of a synapse by one presynaptic and one postsynaptic spike, against the time between them.

    Args:
        rule: one that learns from spikes alone, or with a modulator.
        longest: ms between the two, either way.
        weight: of the synapse, which some rules depend on; its bounds are 0 and 1.
        modulator: the third factor, of rules that have one, given at every step.
        title: above the picture.

    Raises:
        ConfigError: a rule that needs more than spikes and a modulator.
    """
    distance, change = window_of(rule, longest=longest, weight=weight, modulator=modulator)
    figure = new_figure(3.6, title=title or f"{type(rule).__name__}: change by a pair of spikes")
    axes = figure.subplots()
    before, after = distance < 0, distance >= 0
    axes.plot(distance[before], change[before], color=colour(1), label="postsynaptic first")
    axes.plot(distance[after], change[after], color=colour(0), label="presynaptic first")
    axes.axhline(0, color="0.8", lw=0.8, zorder=0)
    axes.axvline(0, color="0.8", lw=0.8, zorder=0)
    axes.set(xlabel="postsynaptic less presynaptic spike time (ms)", ylabel="change of weight")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def window_of(
    rule: AnyRule, *, longest: float = 60.0, weight: float = 0.5, modulator: float = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times between two spikes in ms, and the change of the weight for each; arguments as for :func:`stdp_window`."""
    needs = rule.uses_score or rule.uses_excess
    require(not needs, "rule", type(rule).__name__, "one that learns from spikes, not from a score or an excess")
    steps = int(longest / rule.dt)
    require(steps >= 1, "longest", longest, f"at least a step of {rule.dt} ms")
    changes = []
    for lag in range(-steps, steps + 1):
        pre, post = torch.zeros(2, 2 * steps + 1, 1, 1).unbind()
        pre[max(-lag, 0)] = 1
        post[max(lag, 0)] = 1
        changes.append(_change(rule, pre, post, weight, modulator))
    return np.arange(-steps, steps + 1, dtype=np.float64) * rule.dt, np.array(changes, np.float64)


@torch.no_grad()
def _change(rule: AnyRule, pre: Tensor, post: Tensor, weight: float, modulator: float) -> float:
    synapse = Dense(1, 1, weight_mean=weight, weight_std=0.0, bounds=(0.0, 1.0))
    state = rule.init_state(synapse, (1,), (1,), 1)
    third = ThirdFactor(torch.full((len(pre), 1), modulator)) if rule.uses_modulator else ThirdFactor()
    change, _ = rule(synapse, pre, post, state, third)
    return float(change)


@styled
def fi_curve(
    neuron: AnyNeuron, currents: NDArray[np.float64] | None = None, *, duration: float = 1000.0, title: str = ""
) -> Figure:
    """How often a neuron fires at a constant current (F-I curve).

    Args:
        neuron: a population of any size, of which the mean is taken; nothing of it changes.
        currents: which; 41 values from 0 to where it fires in a fifth of all steps unless given.
        duration: ms for which each is on.
        title: above the picture.

    Raises:
        ConfigError: a model that does not fire.
    """
    current, rate = rates_at(neuron, currents, duration=duration)
    figure = new_figure(3.4, title=title or f"{type(neuron).__name__}: rate at a constant current")
    axes = figure.subplots()
    axes.plot(current, rate, color=colour(0))
    if (rate > 0).any() and (rate == 0).any():
        axes.axvline(current[np.argmax(rate > 0)], color=GREY, lw=1, ls=":")
    axes.set(xlabel="current", ylabel="rate (Hz)", ylim=(0, None))
    return figure


@torch.no_grad()
def rates_at(
    neuron: AnyNeuron, currents: NDArray[np.float64] | None = None, *, duration: float = 1000.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Currents, and the mean rate in Hz at each; arguments as for :func:`fi_curve`."""
    if not neuron.FIRES:
        raise ConfigError(f"neuron={type(neuron).__name__}: must be a model that fires")
    dt = float(getattr(neuron, "dt", 1.0))
    steps = max(round(duration / dt), 1)
    training, buffers = neuron.training, {name: value.clone() for name, value in neuron.named_buffers()}
    neuron.eval()

    def rate(levels: NDArray[np.float64]) -> NDArray[np.float64]:
        constant = torch.as_tensor(levels, dtype=torch.float32).view(1, -1, *[1] * len(neuron.shape))
        spikes, _ = neuron.scan(constant.expand(steps, -1, *neuron.shape).contiguous(), neuron.init_state(len(levels)))
        return np.asarray(spikes.float().mean(0).flatten(1).mean(1).numpy() * 1000 / dt, np.float64)

    try:
        if currents is None:
            trial = np.exp2(np.arange(-8, 15, dtype=np.float64))
            often = np.flatnonzero(rate(trial) * dt / 1000 >= 0.2)
            currents = np.linspace(0, trial[often[0]] if len(often) else trial[-1], 41)
        return currents, rate(currents)
    finally:
        neuron.train(training)
        for name, value in neuron.named_buffers():
            value.copy_(buffers[name])
