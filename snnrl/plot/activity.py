"""Potentials and rates against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from snnrl.errors import require
from snnrl.plot.spikes import trains_of
from snnrl.plot.style import GREY, colour, legend, new_figure, styled
from snnrl.trajectory import Trace
from snnrl.types import Array


@styled
def voltages(
    potentials: Trace | Array,
    population: str = "critic",
    *,
    neurons: Sequence[int] = (0, 1, 2),
    decisions: slice = slice(None),
    threshold: float | None = None,
    dt: float = 1.0,
    title: str = "",
) -> Figure:
    """Membrane potentials of some neurons, a line each.

    Args:
        potentials: a trace that was recorded with ``potentials=True``, or ``[time, neurons]``.
        population: of a trace.
        neurons: which.
        decisions: of a trace, such as ``slice(100, 110)``.
        threshold: drawn as a line, where there is one.
        dt: length of a step in ms; a trace has its own.
        title: above the picture.

    Raises:
        ConfigError: a trace without potentials of such a population.
    """
    if isinstance(potentials, Trace):
        known = potentials.potentials
        require(population in known, "population", population, f"one of {', '.join(known) or 'none, as no potentials'}")
        values, dt = known[population][decisions], potentials.about.dt
        values = values.reshape(-1, values.shape[-1])
    else:
        values = np.asarray(potentials).reshape(len(potentials), -1)
    title = title or f"Membrane potentials of {population if isinstance(potentials, Trace) else 'neurons'}"
    figure = new_figure(3.2, title=title)
    axes = figure.subplots()
    time = np.arange(len(values)) * dt
    for number, neuron in enumerate(neurons):
        axes.plot(time, values[:, neuron], color=colour(number), lw=1.2, label=f"neuron {neuron}")
    if threshold is not None:
        axes.axhline(threshold, color=GREY, ls="--", lw=1, label="threshold")
    axes.set(xlabel="simulation time (ms)", ylabel="potential", xlim=(0, max(time[-1], dt)))
    legend(figure, axes)
    return figure


@styled
def rates(
    spikes: Trace | Mapping[str, Array] | Array,
    populations: Sequence[str] | None = None,
    *,
    window: int = 1,
    dt: float = 1.0,
    title: str = "Mean firing rates",
) -> Figure:
    """The mean rate of each population, and how often its neurons fire.

    Args:
        spikes: as for :func:`raster`.
        populations: which; all unless given.
        window: of a trace decisions, else steps, over which rates are taken.
        dt: length of a step in ms; a trace has its own.
        title: above the picture.

    Raises:
        ConfigError: there is no such population.
    """
    trains = trains_of(spikes, populations, slice(None))
    trace = spikes if isinstance(spikes, Trace) else None
    step = dt if trace is None else trace.about.dt
    each = window * (1 if trace is None else max(trace.about.sim_steps, 1))
    figure = new_figure(3.4, title=title)
    over_time, shares = figure.subplots(1, 2, width_ratios=[2, 1])
    for number, (name, train) in enumerate(trains.items()):
        per_step = train.mean(1)
        whole = len(per_step) // each * each
        mean = per_step[:whole].reshape(-1, each).mean(1) * 1000 / step
        x = np.arange(len(mean)) * window
        over_time.plot(x, mean, color=colour(number), label=name)
        own = np.sort(train.mean(0))[::-1] * 1000 / step
        shares.plot(np.linspace(0, 100, len(own)), own, color=colour(number))
    over_time.set(xlabel="decision" if trace is not None else "step", ylabel="rate (Hz)", ylim=(0, None))
    shares.set(xlabel="neurons, most active first (%)", ylabel="rate (Hz)", ylim=(0, None))
    legend(figure, over_time)
    return figure
