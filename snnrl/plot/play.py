"""A game as an agent played it: what it saw, what fired, what it preferred and what it expected."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnrl.errors import require
from snnrl.plot.spikes import draw_spikes
from snnrl.plot.style import GREY, bare, colour, legend, new_figure, styled
from snnrl.trajectory import Trace

MOST_LINES = 8
"""Preferences that are drawn as lines of their own."""


@styled
def game(trace: Trace, decisions: slice = slice(0, 40), frames: int = 6, title: str = "") -> Figure:
    """Some decisions: pictures of the game, below them spikes of every population, the action taken, and the value.

    Args:
        trace: of an agent that spikes.
        decisions: which; 40 are read well.
        frames: how many pictures.
        title: above the picture.

    Raises:
        ConfigError: a trace without spikes, or no decision.
    """
    first, last, _ = decisions.indices(len(trace))
    require(last > first, "decisions", decisions, f"some of the {len(trace)} of the trace")
    require(len(trace.spikes) > 0, "trace", trace, "of an agent that spikes")
    about = trace.about
    names = list(trace.spikes)
    heights = [1.4 if name == "input" else 1.9 if name == "actor" else 1.3 for name in names]
    drawn, valued = trace.frames is not None, not np.isnan(trace.values).all()
    ratios = [*([2.0] if drawn else []), *heights, *([1.3] if valued else [])]
    actions = "best actions" if about.deterministic else "drawn actions"
    figure = new_figure(1.0 + 0.9 * sum(ratios), title=title or f"{about.env}: {last - first} decisions, {actions}")
    grid = figure.add_gridspec(len(ratios), 1, height_ratios=ratios)
    if drawn:
        _pictures(figure, grid[0, 0].subgridspec(1, frames), trace, first, last, frames)
    duration = about.sim_steps * about.dt
    shared: Axes | None = None
    for row, name in enumerate(names, start=int(drawn)):
        axes = figure.add_subplot(grid[row, 0], sharex=shared)
        shared = shared or axes
        width = trace.spikes.packed[name].neurons
        train = trace.spikes.part(name, first, last).reshape(-1, width)
        draw_spikes(axes, train, about.dt, about.choices if name == "actor" else [])
        axes.set_ylabel(f"{name}\n({width:,})")
        if name == "actor" and len(trace.action_parts) == 1:
            _taken(axes, trace, first, last, width)
        axes.tick_params(labelbottom=False)
    if valued:
        axes = figure.add_subplot(grid[len(ratios) - 1, 0], sharex=shared)
        start = np.arange(last - first) * duration
        values = trace.values[first:last]
        axes.step([*start, (last - first) * duration], [*values, values[-1]], where="post", color=colour(1))
        axes.set_ylabel("value")
    figure.align_ylabels(figure.axes[frames if drawn else 0 :])
    figure.axes[-1].tick_params(labelbottom=True)
    figure.axes[-1].set_xlabel(f"simulation time (ms), {duration:g} ms a decision")
    return figure


def _pictures(figure: Figure, grid: object, trace: Trace, first: int, last: int, frames: int) -> None:
    assert trace.frames is not None
    for column, step in enumerate(np.linspace(first, last - 1, frames).round().astype(int)):
        axes = figure.add_subplot(grid[0, column])  # type: ignore[index]
        axes.imshow(trace.frames[step], interpolation="antialiased")
        axes.set_title(f"decision {step}", fontsize=10, loc="center")
        bare(axes)


def _taken(axes: Axes, trace: Trace, first: int, last: int, width: int) -> None:
    """A grey ground behind the neurons of the action taken."""
    actions, choices = np.asarray(trace.actions)[first:last], len(trace.about.choices)
    if actions.ndim > 1 or not np.issubdtype(actions.dtype, np.integer) or not choices or width % choices:
        return
    lowest = int(np.asarray(trace.actions).min()) if actions.min() < 0 else 0
    share, duration = width // choices, trace.about.sim_steps * trace.about.dt
    for place, action in enumerate(actions - lowest):
        box = (place * duration, action * share - 0.5), duration, share
        axes.broken_barh([(box[0][0], box[1])], (box[0][1], box[2]), color="0.85", zorder=0)
    axes.set_title("grey: the action taken", fontsize=10, loc="right", color=GREY, pad=3)


@styled
def preferences(trace: Trace, title: str = "") -> Figure:
    """Preferences, value and rewards, and the TD error, over all decisions of a trace.

    Args:
        trace: of an agent.
        title: above the picture.

    Raises:
        ConfigError: a trace without preferences and values.
    """
    liked, valued = trace.preferences is not None, not np.isnan(trace.values).all()
    require(liked or valued, "trace", trace, "of an agent that has preferences or values")
    rows = int(liked) + 2 * int(valued)
    figure = new_figure(1.2 + 1.7 * rows, title=title or f"{trace.about.env}: what the agent preferred and expected")
    axes = list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
    decisions = np.arange(len(trace))
    if trace.preferences is not None:
        _preferences(figure, axes.pop(0), trace)
    if valued:
        axes[0].plot(decisions, trace.values, color=colour(1), lw=1.2)
        axes[0].set_ylabel("value")
        for place in np.flatnonzero(trace.rewards > 0)[:400] if (trace.rewards == 0).any() else []:
            axes[0].axvline(place, color="0.85", lw=0.8, zorder=0)
        axes[1].plot(decisions, trace.td_errors, color=GREY, lw=1)
        axes[1].axhline(0, color="0.8", lw=0.8, zorder=0)
        axes[1].set_ylabel("TD error")
        if (trace.rewards > 0).any() and (trace.rewards == 0).any():
            axes[0].set_title("grey: a reward", fontsize=10, loc="right", color=GREY, pad=3)
    for each in figure.axes:
        for place in np.flatnonzero(trace.episode_starts)[1:]:
            each.axvline(place, color="black", lw=0.8, ls=":")
    figure.align_ylabels()
    figure.axes[-1].set(xlabel="decision (dotted: an episode begins)", xlim=(0, max(len(trace) - 1, 1)))
    return figure


def _preferences(figure: Figure, axes: Axes, trace: Trace) -> None:
    """Lines of few choices, a picture of many."""
    assert trace.preferences is not None
    names = trace.about.choices
    if trace.preferences.shape[1] > MOST_LINES:
        shown = axes.imshow(trace.preferences.T, aspect="auto", origin="lower", cmap="cividis")
        figure.colorbar(shown, ax=axes, label="preference")
        axes.set_ylabel("choice")
        return
    for number, line in enumerate(trace.preferences.T):
        label = names[number] if number < len(names) else str(number)
        axes.plot(line, color=colour(number), lw=1, label=label)
    axes.set_ylabel("preference")
    legend(figure, axes, 6)
