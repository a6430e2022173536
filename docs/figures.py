"""The pictures of the README and of the documents, from runs, by ``snnrl.plot``.

python docs/figures.py play trained/SpaceInvaders docs/spikes_and_play.png
python docs/figures.py mnist runs/<run> docs/mnist_unsupervised.png
python docs/figures.py curves docs/space_invaders.png "TD error=runs/a,runs/b" "shuffled=runs/c" "always FIRE=285"
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

import snnrl
from snnrl import plot
from snnrl.errors import ConfigError

FIELDS = 100
"""Receptive fields of the picture."""


def play(run: Path, path: Path, decisions: int = 40, skip: int = 120) -> None:
    """A part of one episode with drawn actions: frames, and what the network did at the same time."""
    trace = snnrl.load(run).record(steps=skip + decisions, deterministic=False, seed=7)
    plot.save_figure(plot.game(trace, slice(skip, skip + decisions)), path, dpi=110)


def mnist(run: Path, path: Path, shown: int = FIELDS) -> None:
    """Input weights of a run's first neurons, each under the class that it stands for, and what was taken for what."""
    learner = snnrl.load(run)
    summary = json.loads((run / "summary.json").read_text())
    (split,) = [key.partition("/")[0] for key in summary if key.endswith("/confusion")]
    weight, names = learner.synapses.weight.numpy(), learner.readout.assignments().tolist()
    counts = np.array(summary[f"{split}/confusion"])
    figure = plot.fields_and_confusion(weight[:shown], learner.shape, names, counts, f"{split} images")
    plot.save_figure(figure, path, dpi=110)


def curves(path: Path, groups: list[str], title: str = "Learning curves") -> None:
    """Training return against environment steps, a line for each run; a number is drawn as a level."""
    runs: dict[str, list[Path]] = {}
    levels: dict[str, float] = {}
    for group in groups:
        label, _, what = group.partition("=")
        try:
            levels[label] = float(what)
        except ValueError:
            runs[label] = [Path(run) for run in what.split(",")]
    plot.save_figure(plot.learning_curves(runs, band=False, levels=levels, title=title), path, dpi=110)


def main(words: list[str]) -> None:
    try:
        match words:
            case ["play", run, path]:
                play(Path(run), Path(path))
            case ["mnist", run, path]:
                mnist(Path(run), Path(path))
            case ["curves", path, *groups] if groups:
                curves(Path(path), groups)
            case _:
                sys.exit(__doc__)
    except ConfigError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
