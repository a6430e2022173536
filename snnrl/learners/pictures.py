"""Pictures of what was learned, drawn without a display."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from snnrl.textfiles import replacing

MOST_FIELDS = 400
"""Receptive fields of one picture."""
MOST_SIGNED = 100
"""The same where each has a scale of its own."""


def save_figure(figure: Figure, path: Path) -> NDArray[np.uint8]:
    """Write ``figure`` as a PNG and return its pixels, ``[height, width, 3]``."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    with replacing(path) as file:
        figure.savefig(file, format="png")
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def receptive_fields(weight: Tensor, shape: tuple[int, int, int], title: str) -> Figure:
    """The weights of neurons as images, channels averaged, in a square.

    Args:
        weight: ``[neurons, channels * height * width]``, of which the first 400 are drawn.
        shape: of one image, ``(channels, height, width)``.
        title: above the picture.
    """
    fields = weight[:MOST_FIELDS].detach().cpu().view(-1, *shape).mean(1).numpy()
    figure = new_figure(6, 6.3)
    axes = figure.add_subplot()
    axes.imshow(tile(fields), cmap="hot_r", interpolation="nearest", vmin=0)
    axes.set(title=title, xticks=[], yticks=[])
    return figure


def signed_fields(weight: Tensor, shape: tuple[int, int, int], title: str) -> Figure:
    """The weights of neurons as images in a square, channels averaged: red excites, blue inhibits.

    Args:
        weight: ``[neurons, channels * height * width]``, of which the first 100 are drawn, each to a scale of its own.
        shape: of one image, ``(channels, height, width)``.
        title: above the picture.
    """
    fields = weight[:MOST_SIGNED].detach().cpu().reshape(-1, *shape).mean(1)
    fields = fields / fields.abs().amax((1, 2), keepdim=True).clamp_min(1e-12)
    framed = np.pad(fields.numpy(), ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    figure = new_figure(6, 6.3)
    axes = figure.add_subplot()
    axes.set_facecolor("0.75")
    axes.imshow(tile(framed), cmap="RdBu_r", interpolation="nearest", vmin=-1, vmax=1)
    axes.set(title=title, xticks=[], yticks=[])
    return figure


def tile(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """``[n, height, width]`` side by side in a square, row by row."""
    count, height, width = images.shape
    side = int(np.ceil(np.sqrt(count)))
    whole = np.zeros((side * side, height, width), np.float32)
    whole[:count] = images
    return whole.reshape(side, side, height, width).swapaxes(1, 2).reshape(side * height, side * width)


def assignment_map(labels: Tensor, classes: int) -> Figure:
    """The class that each neuron stands for, in a square of neurons; grey stands for none.

    Args:
        labels: ``[neurons]``, −1 for a neuron that never fired.
        classes: how many there are.
    """
    side = int(np.ceil(np.sqrt(len(labels))))
    square = np.full(side * side, np.nan)
    known = labels.cpu().numpy().astype(float)
    square[: len(known)] = np.where(known < 0, np.nan, known)
    figure = new_figure(6, 5)
    axes = figure.add_subplot()
    axes.set_facecolor("0.8")
    shown = axes.imshow(
        square.reshape(side, side), cmap="tab10" if classes <= 10 else "nipy_spectral", vmin=-0.5, vmax=classes - 0.5
    )
    figure.colorbar(shown, ax=axes, ticks=range(classes) if classes <= 10 else None, label="class")
    axes.set(title="class that each neuron stands for", xticks=[], yticks=[])
    return figure


def spike_raster(winners: Tensor, labels: Tensor) -> Figure:
    """Output spikes of images shown one after the other.

    Args:
        winners: ``[images, steps]``, the neuron that fires, −1 for none.
        labels: ``[images]``.
    """
    images, steps = winners.shape
    figure = new_figure(9, 3.5)
    axes = figure.add_subplot()
    image, step = (winners >= 0).cpu().nonzero(as_tuple=True)
    axes.plot(image * steps + step, winners.cpu()[image, step], "|k", ms=4)
    for number in range(1, images):
        axes.axvline(number * steps, color="0.9", lw=0.5)
    axes.set_xticks([(number + 0.5) * steps for number in range(images)], [str(int(label)) for label in labels])
    axes.set(xlabel=f"label of the image shown, {steps} steps each", ylabel="neuron", title="output spikes")
    axes.set_xlim(0, images * steps)
    return figure


def confusion_matrix(counts: Tensor) -> Figure:
    """Shares of each label's images by the predicted label.

    Args:
        counts: ``[classes, classes]``, rows are labels.
    """
    numbers = counts.cpu().numpy()
    shares = numbers / np.maximum(numbers.sum(1, keepdims=True), 1)
    classes = len(shares)
    figure = new_figure(5.5, 5)
    axes = figure.add_subplot()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, label="share of the label's images")
    if classes <= 10:
        for row in range(classes):
            for column in range(classes):
                ink = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{numbers[row, column]}", ha="center", va="center", fontsize=7, color=ink)
        axes.set(xticks=range(classes), yticks=range(classes))
    right = numbers.trace() / max(numbers.sum(), 1)
    axes.set(xlabel="predicted", ylabel="label", title=f"{100 * right:.2f} % right")
    return figure


def accuracy_curve(points: Sequence[Sequence[float]], split: str) -> Figure:
    """Accuracy against the images learned from.

    Args:
        points: ``(images, accuracy)``, the accuracy a share.
        split: whose images are evaluated on.
    """
    figure = new_figure(6, 3.5)
    axes = figure.add_subplot()
    axes.plot([images for images, _ in points], [100 * share for _, share in points], "o-")
    axes.set(xlabel="images learned from", ylabel=f"{split} accuracy (%)")
    axes.grid(alpha=0.3)
    return figure
