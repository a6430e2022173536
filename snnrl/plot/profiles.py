"""Scores of many runs: how good, how sure, and how they are distributed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from snnrl.errors import require
from snnrl.intervals import bootstrap_interval, interquartile_mean
from snnrl.plot.style import colour, legend, new_figure, styled

RESAMPLES = 1000
"""Of the band around a profile."""
THRESHOLDS = 101
"""Scores at which a profile is computed."""


@styled
def performance(
    tasks: Mapping[str, Mapping[str, Sequence[float] | NDArray[np.float64]]],
    title: str = "Scores of runs",
    label: str = "return",
) -> Figure:
    """Interquartile mean over runs with its 95 % bootstrap interval, and performance profiles (Agarwal et al. 2021).

    A profile is the share of runs whose score is above a threshold, for all thresholds; its band is the 95 % interval
    at each, by resampling runs.

    Args:
        tasks: scores, one for each run, by the name of what the runs have in common, for each environment; a row each.
        title: above the picture.
        label: what the scores are.

    Raises:
        ConfigError: there are no scores.
    """
    require(any(values for values in tasks.values()), "tasks", "{}", "scores of at least one run")
    most = max(len(groups) for groups in tasks.values())
    figure = new_figure(0.8 + len(tasks) * max(2.2, 0.9 + 0.3 * most), title=title)
    rows = figure.subplots(len(tasks), 2, squeeze=False)
    for (task, groups), (middle, profile) in zip(tasks.items(), rows, strict=True):
        arrays = {name: np.asarray(values, np.float64) for name, values in groups.items()}
        thresholds = _thresholds(list(arrays.values()))
        for number, (name, values) in enumerate(arrays.items()):
            centre = float(interquartile_mean(values))
            low, high = bootstrap_interval(values, statistic=interquartile_mean)
            middle.plot([low, high], [number, number], color=colour(number), lw=5, alpha=0.4, solid_capstyle="butt")
            middle.plot(values, [number] * len(values), "|", color=colour(number), ms=7, alpha=0.6)
            middle.plot([centre], [number], "o", color=colour(number), ms=6)
            share, below, above = performance_profile(values, thresholds)
            profile.plot(thresholds, share, color=colour(number), label=name)
            profile.fill_between(thresholds, below, above, color=colour(number), alpha=0.15, lw=0)
        middle.set_yticks(range(len(arrays)), list(arrays), fontsize=9)
        middle.set_ylim(len(arrays) - 0.5, -0.5)
        middle.set(xlabel=f"{label}: interquartile mean, 95 % interval", title=task)
        profile.set(xlabel=f"{label} above", ylabel="share of runs", ylim=(-0.03, 1.03))
    if most > 1:
        legend(figure, rows[0][1])
    return figure


def performance_profile(
    values: NDArray[np.float64], thresholds: NDArray[np.float64], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Share of runs above each threshold, and both ends of its 95 % bootstrap interval (Agarwal et al. 2021, eq. 2).

    Args:
        values: ``[runs]``, a score each.
        thresholds: ``[thresholds]``.
        seed: of the resampling.
    """
    above = (values[:, None] > thresholds).astype(np.float64)
    chosen = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(above[chosen].mean(1), [0.025, 0.975], axis=0)
    return above.mean(0), low, high


def _thresholds(arrays: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    low, high = (function(np.concatenate(arrays)) for function in (np.min, np.max))
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, THRESHOLDS)
