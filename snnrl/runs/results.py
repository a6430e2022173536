"""What many runs came to: a table, a picture, and what is kept for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.runs.work import Outcome, Run, State
from snnrl.types import Setting, Settings

TASKS = ("env", "env.id", "experiment", "dataset")
"""Labels whose scores cannot be compared with one another."""
RETURN, ACCURACY = "eval/return_mean", "accuracy"


def score(summary: Settings) -> float | None:
    """What a run is judged by: the mean return of the evaluation at the end, or the accuracy of a learner."""
    for name, value in summary.items():
        if (name == RETURN or name.rpartition("/")[2] == ACCURACY) and isinstance(value, int | float):
            return float(value)
    return None


class Scores(NamedTuple):
    """Runs that differ in their seeds alone."""

    labels: Mapping[str, str]
    """What they have in common, ``seed`` aside."""
    values: NDArray[np.float64]
    """``[runs]``, a score each."""


def grouped(runs: Sequence[Run]) -> list[Scores]:
    """The scores of runs that have ended, those together that differ in their seeds alone."""
    found: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for run in runs:
        value = score(run.summary()) if run.finished() else None
        key = tuple((name, label) for name, label in run.labels.items() if name != "seed")
        if value is not None:
            found.setdefault(key, []).append(value)
    return [Scores(dict(key), np.array(values)) for key, values in found.items()]


@dataclass(frozen=True)
class Spread:
    """Middle of scores and how sure it is."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        """``213.4 (200.1 to 225.0)``."""
        return f"{self.middle:.4g} ({self.low:.4g} to {self.high:.4g})"


def spread(values: NDArray[np.float64]) -> Spread:
    """Interquartile mean over runs and its 95 % bootstrap interval (Agarwal et al. 2021, sec. 4.3).

    Args:
        values: ``[runs]``.
    """
    from snnrl.intervals import bootstrap_interval, interquartile_mean

    return Spread(float(interquartile_mean(values)), *bootstrap_interval(values, statistic=interquartile_mean))


def table(groups: Sequence[Scores], outcomes: Sequence[Outcome], what: str) -> str:
    """A table in Markdown: a row for each combination of values, and what has not ended.

    Args:
        groups: as :func:`grouped` makes them.
        outcomes: how each run ended.
        what: the scores are.
    """
    names = list(dict.fromkeys(name for group in groups for name in group.labels))
    lines = []
    if groups:
        lines += [
            f"{what}: interquartile mean over runs (Agarwal et al. 2021) and its 95 % bootstrap interval\n",
            f"| {' | '.join([*names, 'runs', 'interquartile mean', 'mean', 'each'])} |",
            f"|{'---|' * (len(names) + 4)}",
        ]
    for group in groups:
        each = ", ".join(f"{value:.4g}" for value in group.values[:10])
        more = ", ..." if len(group.values) > 10 else ""
        cells = [*(group.labels.get(name, "") for name in names), str(len(group.values)), str(spread(group.values))]
        lines.append(f"| {' | '.join([*cells, f'{group.values.mean():.4g}', f'{each}{more}'])} |")
    return "\n".join([*lines, *_not_finished(outcomes)]) + "\n"


def _not_finished(outcomes: Sequence[Outcome]) -> Iterator[str]:
    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    stopped = sum(outcome.state is State.STOPPED for outcome in outcomes)
    for outcome in failed:
        yield f"\n{outcome.run.name} failed ({outcome.run.log}):"
        yield from (f"    {line}" for line in outcome.lines)
    if stopped:
        yield f"\n{stopped} {'run was' if stopped == 1 else 'runs were'} stopped, saved; the same command goes on"


def as_json(runs: Sequence[Run], words: Sequence[str]) -> dict[str, Setting]:
    """What is kept for other programs: every run that has ended, with its score and its folder's name."""
    return {
        "words": list(words),
        "runs": [{"run": run.name, **run.labels, "score": score(run.summary())} for run in runs if run.finished()],
    }


def draw(groups: Sequence[Scores], path: Path, title: str, label: str) -> None:
    """Interquartile means with their intervals, and performance profiles, a row of panels for each environment.

    Args:
        groups: as :func:`grouped` makes them.
        path: of the picture.
        title: above it.
        label: what the scores are.
    """
    from snnrl.plot import performance, save_figure

    tasks: dict[str, dict[str, NDArray[np.float64]]] = {}
    for group in groups:
        env = next((group.labels[name] for name in TASKS if name in group.labels), "")
        others = ", ".join(f"{name}={value}" for name, value in group.labels.items() if value != env)
        tasks.setdefault(env, {})[others or env or "all runs"] = group.values
    save_figure(performance(tasks, title=title, label=label), path, dpi=150)
