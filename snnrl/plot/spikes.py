"""Spikes against time, a mark for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from snnrl.errors import ConfigError, did_you_mean
from snnrl.plot.style import GREY, colour, groups, new_figure, styled
from snnrl.trajectory import Trace
from snnrl.types import Array


@styled
def raster(
    spikes: Trace | Mapping[str, Array] | Array,
    populations: Sequence[str] | None = None,
    *,
    decisions: slice = slice(None),
    dt: float = 1.0,
    title: str = "Spikes",
) -> Figure:
    """Each spike of each population as a mark: neurons upwards, time to the right.

    Args:
        spikes: a trace, or ``[time, neurons]`` of one population, or of several by their names (a tensor's ``numpy()``,
            one row of a recording's batch).
        populations: which, and in which order; all unless given.
        decisions: of a trace, such as ``slice(100, 140)``.
        dt: length of a step in ms; a trace has its own.
        title: above the picture.

    Raises:
        ConfigError: there is no such population.
    """
    trains = trains_of(spikes, populations, decisions)
    trace = spikes if isinstance(spikes, Trace) else None
    step = dt if trace is None else trace.about.dt
    heights = [np.clip(np.log10(max(train.shape[1], 2)), 0.9, 2.2) for train in trains.values()]
    figure = new_figure(0.9 + 0.85 * sum(heights), title=title)
    axes = figure.subplots(len(trains), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (name, train) in zip(axes, trains.items(), strict=True):
        named = trace.about.choices if trace is not None and name == "actor" else []
        draw_spikes(axis, train, step, named)
        axis.set_ylabel(f"{name}\n{train.shape[1]:,} neurons")
    axes[-1].set_xlabel("simulation time (ms)")
    return figure


def trains_of(
    spikes: Trace | Mapping[str, Array] | Array, populations: Sequence[str] | None, decisions: slice
) -> dict[str, NDArray[np.bool_]]:
    """``[time, neurons]`` of each population, the windows of a trace's decisions one after the other."""
    if isinstance(spikes, Trace):
        first, last, _ = decisions.indices(len(spikes))
        known = list(spikes.spikes)
        chosen = _chosen(known, populations)
        return {name: spikes.spikes.part(name, first, last).reshape(-1, _width(spikes, name)) for name in chosen}
    given = spikes if isinstance(spikes, Mapping) else {"neurons": spikes}
    trains = {name: np.asarray(given[name]) for name in _chosen(list(given), populations)}
    return {name: train.reshape(len(train), -1) != 0 for name, train in trains.items()}


def _chosen(known: Sequence[str], populations: Sequence[str] | None) -> Sequence[str]:
    for name in populations or ():
        if name not in known:
            raise ConfigError(f"populations={name}: {did_you_mean(name, known)}")
    return known if populations is None else populations


def _width(trace: Trace, name: str) -> int:
    return trace.spikes.packed[name].neurons


def draw_spikes(axis: Axes, train: NDArray[np.bool_], dt: float, names: Sequence[str] = ()) -> None:
    """The spikes ``[time, neurons]`` of one population; ``names`` are those of equal groups of its neurons."""
    when, who = np.nonzero(train)
    size = float(np.clip(160 / max(train.shape[1], 1), 0.8, 6))
    marker = "|" if train.shape[1] <= 200 else "."
    parts = groups(train.shape[1], names) if names and train.shape[1] % len(names) == 0 else []
    if parts:
        for number, (_, first, last) in enumerate(parts):
            mine = (who >= first) & (who < last)
            axis.plot(when[mine] * dt, who[mine], marker, color=colour(number), markersize=size)
        axis.set_yticks([(first + last - 1) / 2 for _, first, last in parts], [name for name, _, _ in parts])
        for _, first, _ in parts[1:]:
            axis.axhline(first - 0.5, color="0.85", lw=0.6)
    else:
        axis.plot(when * dt, who, marker, color=GREY if len(when) > 5000 else "black", markersize=size)
        axis.locator_params(axis="y", nbins=3, integer=True)
    axis.set(xlim=(-0.5 * dt, (len(train) - 0.5) * dt), ylim=(-0.7, train.shape[1] - 0.3))
