"""``python -m snnrl.plot run=<dir>``: pictures of what a run has, on one page.

Functions that draw what agents, learners, networks and their parts do, in one style.

>>> from snnrl import plot
>>> from snnrl.plasticity import STDP
>>> figure = plot.stdp_window(STDP())

Each function returns a ``matplotlib.figure.Figure``, which ``figure.savefig(path)`` writes and a notebook shows;
nothing is drawn through ``matplotlib.pyplot``. ``python -m snnrl.plot run=<dir>`` makes a page of what a run has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snnrl.plot.activity import rates, voltages
    from snnrl.plot.curves import accuracy_curve, conversion, learning_curves, metrics, scaling, strip_plot
    from snnrl.plot.graph import network
    from snnrl.plot.labels import assignments, confusion, fields_and_confusion, shown_images
    from snnrl.plot.parts import fi_curve, stdp_window
    from snnrl.plot.play import game, preferences
    from snnrl.plot.profiles import performance
    from snnrl.plot.spikes import raster
    from snnrl.plot.style import save_figure
    from snnrl.plot.synapses import receptive_fields, signed_fields, weights

__all__ = [
    "accuracy_curve",
    "assignments",
    "confusion",
    "conversion",
    "fi_curve",
    "fields_and_confusion",
    "game",
    "learning_curves",
    "main",
    "metrics",
    "network",
    "performance",
    "preferences",
    "raster",
    "rates",
    "receptive_fields",
    "save_figure",
    "scaling",
    "scores",
    "shown_images",
    "signed_fields",
    "stdp_window",
    "strip_plot",
    "voltages",
    "weights",
]


_FILES = {
    "activity": ("rates", "voltages"),
    "curves": ("accuracy_curve", "conversion", "learning_curves", "metrics", "scaling", "strip_plot"),
    "play": ("game", "preferences"),
    "graph": ("network",),
    "labels": ("assignments", "confusion", "fields_and_confusion", "shown_images"),
    "parts": ("fi_curve", "stdp_window"),
    "profiles": ("performance",),
    "spikes": ("raster",),
    "style": ("save_figure",),
    "synapses": ("receptive_fields", "signed_fields", "weights"),
}
_PLACES = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import matplotlib and torch only when something is drawn, so that the command answers a typing error at once."""
    if name in _PLACES:
        return getattr(import_module(f"snnrl.plot.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'snnrl.plot' has no attribute {name!r}")


def main(words: Sequence[str] | None = None) -> int:
    """The command; it is built on much that draws, so it is imported when it is first asked for."""
    run: Callable[[Sequence[str] | None], int] = import_module("snnrl.picture_page").draw_page
    return run(words)
