"""The view of a space that an encoder asks for, or an error that says why the space has none."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from gymnasium import spaces

from snnrl.errors import ConfigError
from snnrl.spaces.leaves import Space, leaves, named
from snnrl.spaces.pictures import Pictures
from snnrl.spaces.views import AsItIs, Grey, Layers, Table, Vector, View, is_offset


class NumberView(NamedTuple):
    """Numbers side by side."""

    view: View
    low: list[float]
    """The lower bound of each, infinite where there is none."""
    high: list[float]


class NameView(NamedTuple):
    """One number with a name."""

    view: View
    values: int
    """How many it may have."""
    start: int
    """The lowest."""


def only_part(space: Space) -> Space:
    """The one part of a Tuple or Dict that has no other, else the space as it is."""
    found = leaves(space)
    return found[0].space if len(found) == 1 else space


def number_view(space: Space, *, plain: bool, most: int) -> NumberView:
    """All numbers of an observation side by side.

    Args:
        space: of one observation.
        plain: show a Box as it is, though its values may lie so far from zero that single precision cannot tell them
            apart.
        most: so many numbers at most.

    Raises:
        ConfigError: there are more.
    """
    part = only_part(space)
    as_it_is = isinstance(part, spaces.Box) and part.shape and (plain or not is_offset(part))
    view: View = AsItIs(part) if as_it_is else Vector(space)
    seen = view.space
    assert isinstance(seen, spaces.Box)
    values = math.prod(seen.shape)
    if values > most:
        raise ConfigError(
            f"observation space {named(space)}: has {values:,} values; must have at most {most:,}, or be "
            "pictures of uint8 from 0 to 255 (gymnasium.wrappers has what turns others into one)"
        )
    return NumberView(view, seen.low.flatten().tolist(), seen.high.flatten().tolist())


def names_of(space: Space) -> float:
    """How many values a number with a name has, or how many combinations several have; infinite for other spaces."""
    part = only_part(space)
    return int(part.n) if isinstance(part, spaces.Discrete) else Table.combinations(space)


def name_view(space: Space, *, most: int) -> NameView:
    """Numbers with a name as one.

    Raises:
        ConfigError: another space, or one of more than ``most`` values or combinations.
    """
    if names_of(space) > most:
        raise ConfigError(
            f"observation space {named(space)}: must be Discrete, MultiDiscrete or MultiBinary, or a Tuple or Dict of "
            f"these, of at most {most:,} combinations"
        )
    part = only_part(space)
    if isinstance(part, spaces.Discrete):
        return NameView(AsItIs(part), int(part.n), int(part.start))
    table = Table(space)
    return NameView(table, table.count, 0)


def is_small_grey(space: Space) -> bool:
    """Whether a space is one of grey images ``(1, height, width)`` of any size."""
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[0] == 1


def frame_view(space: Space, multiple: int = 1, most_pixels: float = math.inf) -> View:
    """Pictures as grey frames ``(1, height, width)``.

    Args:
        space: of one observation.
        multiple: see :class:`~snnrl.spaces.views.Grey`, as for the next.
        most_pixels: of larger pictures every second row and column is seen, and so on.

    Raises:
        ConfigError: a space of anything else.
    """
    part = only_part(space)
    if not (isinstance(part, spaces.Box) and (Pictures.suits(part) or is_small_grey(part))):
        raise ConfigError(
            f"observation space {named(space)}: must be pictures of uint8 from 0 to 255, at least 36 pixels a side, or "
            "grey ones (1, height, width)"
        )
    grey = Grey(part, multiple, most_pixels)
    return AsItIs(part) if grey.space.shape == part.shape else grey


def suits_layers(space: Space) -> bool:
    """Whether a space is one of boolean maps of several layers, as in MinAtar."""
    part = only_part(space)
    return isinstance(part, spaces.Box) and part.dtype == np.bool_ and len(part.shape) == 3


def layer_view(space: Space) -> Layers:
    """Boolean maps, channels first.

    Args:
        space: one of which :func:`suits_layers` is true.
    """
    part = only_part(space)
    assert isinstance(part, spaces.Box)
    return Layers(part)
