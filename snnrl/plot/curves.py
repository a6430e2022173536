"""Learning curves of runs, with bands where there are several."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.intervals import bootstrap_interval
from snnrl.plot.style import GREY, PALETTE, colour, legend, new_figure, styled

RETURN = "rollout/return_mean"
LABELS: Mapping[str, str] = {
    "rollout/return_mean": "return, mean of the last 100 episodes",
    "rollout/length_mean": "length of an episode (steps)",
    "eval/return_mean": "return of evaluation episodes",
    "train/td_error_rms": "TD error (root mean square)",
    "train/value_mean": "value",
}
POINTS = 60
"""Of a band."""
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Steps and values."""


def read_rows(run: Path) -> list[dict[str, float]]:
    """The rows of a run's ``metrics.jsonl``.

    Raises:
        ConfigError: there is no such file, or a line of it is damaged.
    """
    path = run / "metrics.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line]
    except FileNotFoundError:
        raise ConfigError(f"run={run}: must be the folder of a run, it has no metrics.jsonl") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"run={run}: metrics.jsonl cannot be read ({error})") from error


def curve(rows: Sequence[Mapping[str, float]], metric: str = RETURN) -> Curve:
    """Steps and values of a metric, where rows have it."""
    points = [(row["step"], row[metric]) for row in rows if metric in row]
    steps, values = np.array(points, np.float64).reshape(-1, 2).T
    return steps, values


def metrics_of(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """All metrics that a run has at least twice, in the order in which they came."""
    names = dict.fromkeys(name for row in rows for name in row if name != "step")
    return [name for name in names if len(curve(rows, name)[0]) > 1]


@styled
def learning_curves(
    runs: Mapping[str, Sequence[str | Path]] | str | Path,
    metric: str = RETURN,
    *,
    band: bool = True,
    levels: Mapping[str, float] | None = None,
    title: str = "Learning curves",
    label: str = "",
) -> Figure:
    """A metric against steps, from run folders: one line a run, or the mean of several and its 95 % bootstrap interval.

    Args:
        runs: a folder, or folders by the name of what they have in common.
        metric: as in ``metrics.jsonl``.
        band: whether several runs of a name become their mean and its interval; else each is a thin line.
        levels: further values, drawn as horizontal lines.
        title: above the picture.
        label: of the values; what is known of the metric unless given.

    Raises:
        ConfigError: a folder without metrics, or a metric that no row has twice.
    """
    given = {Path(runs).name: [runs]} if isinstance(runs, str | Path) else runs
    figure = new_figure(4.2, title=title)
    axes = figure.subplots()
    for number, (name, folders) in enumerate(given.items()):
        curves = [_required(Path(folder), metric) for folder in folders]
        if len(curves) == 1 or not band:
            for place, (steps, values) in enumerate(curves):
                axes.plot(steps, values, color=colour(number), label=None if place else name)
            continue
        steps, mean, low, high = mean_and_band(curves)
        axes.plot(steps, mean, color=colour(number), label=f"{name} ({len(curves)} runs)")
        axes.fill_between(steps, low, high, color=colour(number), alpha=0.2, lw=0)
    for (name, level), style in zip((levels or {}).items(), ("--", ":", "-.", (0, (5, 1))), strict=False):
        axes.axhline(level, color=GREY, ls=style, lw=1.2, label=f"{name} ({level:.4g})")
    axes.set(xlabel="environment steps", ylabel=label or LABELS.get(metric, metric))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.locator_params(axis="x", nbins=6)
    if len(axes.get_legend_handles_labels()[1]) > 1:
        legend(figure, axes)
    return figure


def mean_and_band(curves: Sequence[Curve]) -> tuple[NDArray[np.float64], ...]:
    """Steps that all curves reach, their mean, and both ends of its 95 % bootstrap interval."""
    last = min(steps[-1] for steps, _ in curves)
    steps = np.linspace(max(each[0] for each, _ in curves), last, POINTS)
    values = np.stack([np.interp(steps, *each) for each in curves])
    low, high = np.array([bootstrap_interval(column) for column in values.T]).T
    return steps, values.mean(0), low, high


def _required(run: Path, metric: str) -> Curve:
    rows = read_rows(run)
    found = curve(rows, metric)
    if len(found[0]) == 0:
        known = metrics_of(rows)
        long_enough = f"run={run}: must be long enough to have finished an episode" if metric == RETURN else ""
        raise ConfigError(long_enough or f"metric={metric}: {did_you_mean(metric, known)}")
    return found


@styled
def strip_plot(groups: Mapping[str, Sequence[float]], label: str, title: str) -> Figure:
    """What several variants came to: a row each, with a dot for each run and a line at their mean.

    Args:
        groups: scores of runs, by the name of what they have in common; the first stands at the top.
        label: of the scores, with their unit.
        title: above the picture.
    """
    require(any(len(each) for each in groups.values()), "groups", "{}", "at least one score")
    figure = new_figure(1.3 + 0.34 * len(groups), title=title)
    axes = figure.subplots()
    for place, found in enumerate(groups.values()):
        axes.plot(found, [place] * len(found), "o", ms=7, alpha=0.75, mew=0, color=colour(0), label="a run")
        axes.plot([np.mean(found)] * 2, [place - 0.32, place + 0.32], color=colour(1), lw=2.4, label="mean")
    axes.set(xlabel=label, yticks=range(len(groups)), yticklabels=list(groups), ylim=(len(groups) - 0.4, -0.6))
    axes.grid(alpha=0.3, axis="x")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[:2], labels[:2], loc="outside lower center", ncols=2)
    return figure


@styled
def accuracy_curve(points: Sequence[Sequence[float]], split: str) -> Figure:
    """Accuracy against the images learned from.

    Args:
        points: ``(images, accuracy)``, the accuracy a share.
        split: whose images are evaluated on.
    """
    require(len(points) > 0, "points", "[]", "at least one")
    figure = new_figure(3.6, title=f"Accuracy on {split} images")
    axes = figure.subplots()
    images, shares = zip(*points, strict=True)
    axes.plot(images, [100 * share for share in shares], "o-", color=colour(0))
    axes.set(xlabel="images learned from", ylabel="accuracy (%)")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    return figure


@styled
def metrics(run: str | Path, names: Sequence[str] | None = None, title: str = "") -> Figure:
    """Several metrics of a run, one above the other.

    Args:
        run: its folder.
        names: of metrics, as in ``metrics.jsonl``; all that are not times unless given.
        title: above the picture.

    Raises:
        ConfigError: a folder without metrics, or a metric that no row has twice.
    """
    rows = read_rows(Path(run))
    known = metrics_of(rows)
    for name in names or ():
        if name not in known:
            raise ConfigError(f"names={name}: {did_you_mean(name, known)}")
    chosen = [name for name in known if not name.startswith("time/")] if names is None else list(names)
    require(bool(chosen), "run", run, "long enough to have two rows of a metric")
    across = 2 if len(chosen) > 1 else 1
    figure = new_figure(0.8 + 1.9 * -(-len(chosen) // across), title=title or "Metrics of the run")
    places = figure.subplots(-(-len(chosen) // across), across, squeeze=False, sharex=True)
    for number, (name, axes) in enumerate(zip(chosen, places.flat, strict=False)):
        axes.plot(*curve(rows, name), color=colour(number))
        axes.set_title(name, fontsize=11)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.locator_params(axis="x", nbins=4)
    for axes in list(places.flat)[len(chosen) :]:
        axes.set_visible(False)
    for axes in places[-1]:
        axes.set_xlabel("steps")
    return figure


@styled
def conversion(
    points: Sequence[tuple[int, float]], before: float, interval: tuple[float, float], random: float, title: str
) -> Figure:
    """Return of a converted network against its simulation steps.

    Args:
        points: ``(steps, return)``.
        before: return of the network that was converted.
        interval: its 95 % interval.
        random: return of random actions.
        title: above the picture.
    """
    figure = new_figure(4.0, title=title)
    axes = figure.subplots()
    steps, returns = zip(*points, strict=True)
    axes.plot(steps, returns, "o-", color=colour(0), label="spiking")
    axes.axhspan(*interval, color="0.88", lw=0)
    axes.axhline(before, color=GREY, lw=1.2, ls="--", label="before, and its 95 % interval")
    axes.axhline(random, color=GREY, lw=1.2, ls=":", label="random actions")
    axes.set_xscale("log", base=2)
    axes.set_xticks(steps, [str(each) for each in steps])
    axes.set(xlabel="simulation steps of a decision", ylabel="mean return")
    legend(figure, axes)
    return figure


@styled
def scaling(
    lines: Mapping[str, Sequence[tuple[float, float]]], heavy: Sequence[str], x: str, y: str, title: str
) -> Figure:
    """How a cost grows with a size, both logarithmic, a line for each of several that are compared.

    Args:
        lines: ``(size, cost)`` by name.
        heavy: names whose lines are heavier than the others.
        x: what the size is, with its unit.
        y: what the cost is, with its unit.
        title: above the picture.
    """
    figure = new_figure(5.2, title=title)
    axes = figure.subplots()
    markers = "osD^vP*X"
    for number, (name, points) in enumerate(lines.items()):
        width, front = (2.6, 3) if name in heavy else (1.3, 2)
        dashes = "-" if number < len(PALETTE) else "--"
        mark = markers[number % len(markers)]
        axes.plot(*zip(*points, strict=True), marker=mark, ms=5, ls=dashes, lw=width, zorder=front, label=name)
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    axes.axhline(1, color="0.7", lw=0.8, ls=":")
    axes.grid(alpha=0.3, which="both", lw=0.4)
    legend(figure, axes)
    return figure
