"""A network as a picture: its populations, and what connects them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from snnrl.networks import Structure
from snnrl.networks.graph import Edge
from snnrl.plot.style import GREY, WIDTH, colour, new_figure, styled

BOX = (2.2, 0.8)
"""Width and height of a population."""
COLUMN, ROW = 4.1, 1.35
"""How far populations are apart."""


@styled
def network(structure: Structure, title: str = "") -> Figure:
    """Populations as boxes, from inputs on the left to what nothing reads on the right, and connections as arrows.

    An arrow says what carries the spikes, and by which rule it learns (in colour) if it does. It is
    ``network.summary()`` as a picture.

    Args:
        structure: a network.
        title: above the picture.
    """
    places = _places(structure)
    across = max(max(x for x, _ in places.values()) + 1, 2)
    high = 1 + max(abs(y) for _, y in places.values())
    synapses = sum(math.prod(_weight_shape(structure, edge)) for edge in structure.edges)
    neurons = sum(math.prod(structure.shapes[name]) for name in structure.neurons)
    wide, top, bottom = (across - 1) * COLUMN + BOX[0] + 0.2, (high - 1) * ROW + 1.15, -(high - 1) * ROW - 0.75
    title = title or f"{type(structure).__name__}: {neurons:,} neurons, {synapses:,} synapses"
    figure = new_figure(0.45 + (top - bottom) * min(WIDTH / wide, 0.9), title=title)
    axes = figure.subplots()
    at = {name: (x * COLUMN, y * ROW) for name, (x, y) in places.items()}
    for name, (x, y) in at.items():
        _population(axes, structure, name, x, y)
    for edge in structure.edges:
        _connection(axes, structure, edge, at)
    left = -BOX[0] / 2 - 0.1
    axes.set(xlim=(left, left + wide), ylim=(bottom, top), aspect="equal")
    axes.set_axis_off()
    return figure


def _weight_shape(structure: Structure, edge: Edge) -> tuple[int, ...]:
    return tuple(structure.connection(edge).weight.shape) if structure.has_weights(edge) else (0,)


def _places(structure: Structure) -> dict[str, tuple[int, float]]:
    """Column and row of each population: a column for each connection on the longest way from an input."""
    column = dict.fromkeys(structure.shapes, 0)
    order = {name: place for place, loop in enumerate(structure.loops) for name in loop.members}
    for _ in structure.shapes:
        for edge in structure.edges:
            if order[edge.pre] < order[edge.post]:
                column[edge.post] = max(column[edge.post], column[edge.pre] + 1)
    places = {}
    for number in set(column.values()):
        mine = [name for name, own in column.items() if own == number]
        for place, name in enumerate(mine):
            places[name] = (number, (len(mine) - 1) / 2 - place)
    return places


def _population(axes: Axes, structure: Structure, name: str, x: float, y: float) -> None:
    shape = structure.shapes[name]
    fires = name in structure.neurons
    model = type(structure.neurons[name]).__name__ if fires else "inputs"
    size = "×".join(f"{each:,}" for each in shape)
    width, height = BOX
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0.02,rounding_size=0.12",
            facecolor="#eef4f9" if fires else "#f4f4f4",
            edgecolor=colour(0) if fires else GREY,
            lw=1.4,
        )
    )
    axes.text(x, y + 0.16, name, ha="center", va="center", fontsize=11, weight="bold")
    axes.text(x, y - 0.18, f"{size} {model}", ha="center", va="center", fontsize=9.5, color=GREY)


def _connection(axes: Axes, structure: Structure, edge: Edge, at: Mapping[str, tuple[float, float]]) -> None:
    (x, y), (to_x, to_y) = at[edge.pre], at[edge.post]
    rule = type(structure.rule(edge)).__name__ if edge.key in structure.rules else ""
    ink = colour(1) if rule else GREY
    what = type(structure.connections[edge.key]).__name__ + (f"\n{rule}" if rule else "")
    width, height = BOX
    if edge.pre == edge.post:
        start, end, bend = (x + 0.5, y + height / 2), (x - 0.5, y + height / 2), 0.9
        text = (x, y + height / 2 + 0.42)
    elif to_x > x:
        start, end, bend = (x + width / 2 + 0.03, y), (to_x - width / 2 - 0.05, to_y), 0.0
        text = (start[0] + 0.55 * (end[0] - start[0]), start[1] + 0.55 * (end[1] - start[1]))
    else:
        start, end, bend = (x - 0.2, y - height / 2), (to_x + 0.2, to_y - height / 2), -0.35
        text = ((x + to_x) / 2, min(y, to_y) - height / 2 - 0.3)
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=12, color=ink, lw=1.4, connectionstyle=f"arc3,rad={bend}"
        )
    )
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    axes.text(*text, what, ha="center", va="center", fontsize=9.5, color=ink, bbox=ground)
