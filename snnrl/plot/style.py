"""The one style of all pictures: colours that colour-blind readers tell apart, type that is read at a page's width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import ParamSpec, TypeVar

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from snnrl.textfiles import replacing
from snnrl.types import Setting

P = ParamSpec("P")
R = TypeVar("R")

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D00")
"""Okabe & Ito's colours (2008, "Color universal design"), without their yellow, which is not read on white."""
GREY = "#6b6b6b"
"""Of what only helps to read."""
SIGNED, POSITIVE = "RdBu_r", "cividis"
"""Colour maps of numbers on both sides of zero, and of those on one."""
WIDTH = 8.0
"""Inches of a picture that is as wide as a page; at :data:`DPI` that is what a README shows."""
DPI = 100

RC: Setting = {
    "font.size": 11.0,
    "axes.titlesize": 12.0,
    "axes.labelsize": 11.0,
    "legend.fontsize": 10.0,
    "xtick.labelsize": 10.0,
    "ytick.labelsize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.prop_cycle": cycler(color=PALETTE),
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "image.interpolation": "nearest",
}


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """What a function draws has the style; settings of the process are as before afterwards."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(RC):
            return draw(*args, **kwargs)

    return drawn


class Picture(Figure):
    """A figure that a notebook shows as it is, whether or not ``matplotlib.pyplot`` was ever imported there."""

    def _repr_png_(self) -> bytes:
        found = BytesIO()
        self.savefig(found, format="png")
        return found.getvalue()


def new_figure(height: float, width: float = WIDTH, title: str = "") -> Figure:
    """An empty figure, in inches, without any state of ``matplotlib.pyplot``."""
    figure = Picture(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=13)
    return figure


def colour(number: int) -> str:
    """The colour of the ``number``-th of several; they come round."""
    return PALETTE[number % len(PALETTE)]


def legend(figure: Figure, axes: Axes, most: int = 4) -> None:
    """What the lines are, below the data and never on them, so many beside each other."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(most, len(labels)))


def bare(axes: Axes) -> None:
    """A picture without ticks or lines around it."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def tile(images: NDArray[np.float32], columns: int | None = None) -> NDArray[np.float32]:
    """``[n, height, width]`` side by side, row by row; in a square unless ``columns`` are given. Rest is NaN."""
    count, height, width = images.shape
    across = int(np.ceil(np.sqrt(count))) if columns is None else columns
    down = -(-count // across)
    whole = np.full((down * across, height, width), np.nan, np.float32)
    whole[:count] = images
    return whole.reshape(down, across, height, width).swapaxes(1, 2).reshape(down * height, across * width)


def save_figure(figure: Figure, path: Path, dpi: float | None = None) -> NDArray[np.uint8]:
    """Write ``figure`` as a PNG and return its pixels, ``[height, width, 3]``.

    Args:
        figure: any.
        path: of the file.
        dpi: dots per inch, of the figure's own unless given.
    """
    if dpi is not None:
        figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi="figure")
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def groups(count: int, names: Sequence[str]) -> list[tuple[str, int, int]]:
    """So many neurons in equal shares, one for each name: the name, its first neuron, and the first after it."""
    share = count // max(len(names), 1)
    return [(name, place * share, (place + 1) * share) for place, name in enumerate(names)]
