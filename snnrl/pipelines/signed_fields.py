"""A picture of weights of both signs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from snnrl.pipelines.pictures import new_figure, tile

MOST = 100
"""Neurons of one picture."""


def signed_fields(weight: Tensor, shape: tuple[int, int, int], title: str) -> Figure:
    """The weights of neurons as images in a square, channels averaged: red excites, blue inhibits.

    Args:
        weight: ``[neurons, channels * height * width]``, of which the first 100 are drawn, each to a scale of its own.
        shape: of one image, ``(channels, height, width)``.
        title: above the picture.
    """
    fields = weight[:MOST].detach().cpu().reshape(-1, *shape).mean(1)
    fields = fields / fields.abs().amax((1, 2), keepdim=True).clamp_min(1e-12)
    framed = np.pad(fields.numpy(), ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    figure = new_figure(6, 6.3)
    axes = figure.add_subplot()
    axes.set_facecolor("0.75")
    axes.imshow(tile(framed), cmap="RdBu_r", interpolation="nearest", vmin=-1, vmax=1)
    axes.set(title=title, xticks=[], yticks=[])
    return figure
