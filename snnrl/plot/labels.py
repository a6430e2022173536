"""What neurons stand for, and what was taken for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from snnrl.plot.style import PALETTE, new_figure, styled
from snnrl.types import Array

MOST_NUMBERED = 12
"""Classes whose counts are written into the squares."""
_TEN = ListedColormap([*PALETTE, "#F0E442", "#9AD1B5"])


@styled
def assignments(labels: Array, classes: int) -> Figure:
    """The class that each neuron stands for, in a square of neurons; grey stands for none.

    Args:
        labels: ``[neurons]``, −1 for a neuron that never fired.
        classes: how many there are.
    """
    known = np.asarray(labels, np.float64)
    side = int(np.ceil(np.sqrt(len(known))))
    square = np.full(side * side, np.nan)
    square[: len(known)] = np.where(known < 0, np.nan, known)
    figure = new_figure(5.2, 6.2, title="Class that each neuron stands for")
    axes = figure.subplots()
    axes.set_facecolor("0.85")
    few = classes <= 10
    shown = axes.imshow(
        square.reshape(side, side),
        cmap=_TEN if few else "nipy_spectral",
        vmin=-0.5,
        vmax=(10 if few else classes) - 0.5,
    )
    bar = figure.colorbar(shown, ax=axes, ticks=range(classes) if few else None, label="class (grey: none)")
    bar.ax.set_ylim(-0.5, classes - 0.5)
    axes.set(xticks=[], yticks=[])
    return figure


@styled
def confusion(counts: Array, names: Sequence[str] | None = None, title: str = "") -> Figure:
    """How many images of each label were taken for what.

    Args:
        counts: ``[classes, classes]``, rows are labels.
        names: of the classes; their numbers unless given.
        title: above the picture; the share that is right unless given.
    """
    numbers = np.asarray(counts)
    shares = numbers / np.maximum(numbers.sum(1, keepdims=True), 1)
    classes = len(shares)
    right = numbers.trace() / max(numbers.sum(), 1)
    figure = new_figure(5.4, 6.2, title=title or f"{100 * right:.2f} % of {numbers.sum():,} images named right")
    axes = figure.subplots()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, label="share of the label's images")
    if classes <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(numbers):
            ink = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", fontsize=9, color=ink)
        places = range(classes)
        axes.set_xticks(places, names or [str(place) for place in places])
        axes.set_yticks(places, names or [str(place) for place in places])
    axes.set(xlabel="predicted", ylabel="label")
    return figure


@styled
def shown_images(winners: Array, labels: Array) -> Figure:
    """Output spikes of images shown one after the other.

    Args:
        winners: ``[images, steps]``, the neuron that fires, −1 for none.
        labels: ``[images]``.
    """
    images, steps = winners.shape
    figure = new_figure(3.6, title="Output spikes, image after image")
    axes = figure.subplots()
    image, step = np.nonzero(np.asarray(winners) >= 0)
    axes.plot(image * steps + step, np.asarray(winners)[image, step], "|", color="black", ms=5)
    for number in range(1, images):
        axes.axvline(number * steps, color="0.88", lw=0.6)
    axes.set_xticks([(number + 0.5) * steps for number in range(images)], [str(int(label)) for label in labels])
    axes.set(xlabel=f"label of the image shown, {steps} ms each", ylabel="neuron", xlim=(0, images * steps))
    return figure
