"""Weights: how they are spread, as a matrix, and as the pictures that neurons look for."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from snnrl.plot.style import SIGNED, new_figure, styled, tile
from snnrl.types import Array

MOST_FIELDS = 400
"""Receptive fields of one picture."""
MOST_SIGNED = 100
"""The same where each has a scale of its own."""
MOST_SHOWN = 1000
"""Rows and columns of a matrix; a larger one is thinned out."""


@styled
def weights(matrix: Array, before: Array | None = None, title: str = "Weights") -> Figure:
    """Weights as a matrix, and how they are spread.

    Args:
        matrix: ``[post, pre]``, or of any shape whose first dimension is that of postsynaptic neurons.
        before: what they were, to be drawn behind the spread.
        title: above the picture.
    """
    flat = np.asarray(matrix, np.float64).reshape(len(matrix), -1)
    shown = flat[:: -(-flat.shape[0] // MOST_SHOWN), :: -(-flat.shape[1] // MOST_SHOWN)]
    figure = new_figure(3.4, title=title)
    picture, spread = figure.subplots(1, 2, width_ratios=[2, 1])
    most = float(np.abs(flat).max()) or 1.0
    drawn = picture.imshow(shown, aspect="auto", cmap=SIGNED, vmin=-most, vmax=most, extent=_extent(flat))
    figure.colorbar(drawn, ax=picture, label="weight")
    picture.set(xlabel="presynaptic neuron", ylabel="postsynaptic neuron")
    picture.locator_params(axis="x", nbins=5)
    edges = np.linspace(min(flat.min(), 0.0), max(flat.max(), 1e-9), 41)
    if before is not None:
        spread.hist(np.ravel(before), bins=list(edges), color="0.75", label="before")
    spread.hist(flat.ravel(), bins=list(edges), histtype="step", color="#0072B2", lw=1.6, label="now")
    spread.set(xlabel="weight", ylabel="synapses", yscale="log")
    if before is not None:
        spread.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def _extent(flat: NDArray[np.float64]) -> tuple[float, float, float, float]:
    post, pre = flat.shape
    return (-0.5, pre - 0.5, post - 0.5, -0.5)


@styled
def receptive_fields(weight: Array, shape: tuple[int, int, int], title: str) -> Figure:
    """The weights of neurons as images, channels averaged, in a square: darker is stronger.

    Args:
        weight: ``[neurons, channels * height * width]``, of which the first 400 are drawn.
        shape: of one image, ``(channels, height, width)``.
        title: above the picture.
    """
    fields = np.asarray(weight[:MOST_FIELDS], np.float32).reshape(-1, *shape).mean(1)
    figure = new_figure(6.4, 6.6, title=title)
    axes = figure.subplots()
    drawn = axes.imshow(tile(fields), cmap="hot_r", vmin=0)
    figure.colorbar(drawn, ax=axes, label="weight", shrink=0.6)
    axes.set(xticks=[], yticks=[])
    return figure


@styled
def signed_fields(weight: Array, shape: tuple[int, int, int], title: str) -> Figure:
    """The weights of neurons as images in a square, channels averaged: red excites, blue inhibits.

    Args:
        weight: ``[neurons, channels * height * width]``, of which the first 100 are drawn, each to a scale of its own.
        shape: of one image, ``(channels, height, width)``.
        title: above the picture.
    """
    fields = np.asarray(weight[:MOST_SIGNED], np.float32).reshape(-1, *shape).mean(1)
    fields = fields / np.maximum(np.abs(fields).max((1, 2), keepdims=True), 1e-12)
    framed = np.pad(fields, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    figure = new_figure(6.4, 6.6, title=title)
    axes = figure.subplots()
    axes.set_facecolor("0.75")
    drawn = axes.imshow(tile(framed), cmap=SIGNED, vmin=-1, vmax=1)
    figure.colorbar(drawn, ax=axes, label="weight, as a share of the neuron's largest", shrink=0.6)
    axes.set(xticks=[], yticks=[])
    return figure
