"""What neurons stand for, and what was taken for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure, FigureBase

from snnrl.plot.style import PALETTE, bare, new_figure, styled
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
def fields_and_confusion(
    weight: Array, shape: tuple[int, int, int], labels: Sequence[int], counts: Array, what: str
) -> Figure:
    """Receptive fields, each below the class that its neuron stands for, beside what was taken for what.

    Args:
        weight: ``[neurons, channels * height * width]``, of those that are drawn.
        shape: of one image, ``(channels, height, width)``.
        labels: the class of each neuron, −1 for none.
        counts: ``[classes, classes]``, rows are labels.
        what: which images were named, such as ``test images``.
    """
    figure = new_figure(4.9, 10.4)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=[1, 1.12])[0]
    left.suptitle("Input weights, and the class of each neuron", x=0.02, ha="left", fontsize=12)
    fields = np.asarray(weight, np.float32).reshape(-1, *shape).mean(1)
    side = int(np.ceil(np.sqrt(len(fields))))
    places = list(left.subplots(side, side, squeeze=False, gridspec_kw={"wspace": 0.02, "hspace": 0.02}).flat)
    for axes, field, label in zip(places, fields, labels, strict=False):
        axes.imshow(field, cmap="hot_r", vmin=0)
        axes.text(0.03, 0.97, label if label >= 0 else "–", fontsize=9, va="top", transform=axes.transAxes)
    for axes in places:
        bare(axes)
    _confusion(right.subplots(), right, np.asarray(counts), None)
    share = 100 * np.trace(counts) / max(np.sum(counts), 1)
    right.suptitle(f"{share:.2f} % of {np.sum(counts):,} {what} named right", x=0.02, ha="left", fontsize=12)
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
    right = numbers.trace() / max(numbers.sum(), 1)
    figure = new_figure(5.4, 6.2, title=title or f"{100 * right:.2f} % of {numbers.sum():,} images named right")
    _confusion(figure.subplots(), figure, numbers, names)
    return figure


def _confusion(axes: Axes, figure: FigureBase, numbers: Array, names: Sequence[str] | None) -> None:
    shares = numbers / np.maximum(numbers.sum(1, keepdims=True), 1)
    classes = len(shares)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, label="share of the label's images", shrink=0.8)
    if classes <= MOST_NUMBERED:
        for (row, column), count in np.ndenumerate(numbers):
            ink = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", fontsize=8.5, color=ink)
        places = range(classes)
        axes.set_xticks(places, names or [str(place) for place in places])
        axes.set_yticks(places, names or [str(place) for place in places])
    axes.set(xlabel="predicted", ylabel="label")


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
