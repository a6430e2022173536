"""The actions of any space as numbers, one for each dimension."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.errors import ConfigError
from snnrl.spaces.leaves import Leaf, Space, assemble, check_actions, leaves, named
from snnrl.types import Action, Array

MOST_NAMED = 10_000
"""An action has at most so many named values: each is an output of the network, and most of them are never tried."""


class Actions:
    """An action as a vector of numbers: each is one of a few named ones, or lies between two bounds.

    Named are the numbers of Discrete and MultiDiscrete and the bits of MultiBinary; those of a Box have bounds, and are
    rounded where the Box is of integers. Tuples and Dicts have the numbers of all their parts.

    Args:
        space: the action space of one environment.

    Attributes:
        dims: how many numbers.
        low: ``[dims]``, the lowest value of each.
        high: ``[dims]``, the highest.
        continuous: ``[dims]``, whether values between are meant; else every whole number from low to high is.
        whole: ``[dims]``, whether values are rounded.

    Raises:
        ConfigError: a Box without finite bounds, a space that is not made of numbers, or more than :data:`MOST_NAMED`
            named values.
    """

    def __init__(self, space: Space) -> None:
        check_actions(space)
        self.space, self._leaves = space, leaves(space)
        bounds = [_bounds(leaf.space) for leaf in self._leaves]
        self._widths = [len(low) for low, _ in bounds]
        self._floating = [bool(np.issubdtype(leaf.space.dtype, np.floating)) for leaf in self._leaves]
        self.dims = sum(self._widths)
        self.low = np.concatenate([low for low, _ in bounds])
        self.high = np.concatenate([high for _, high in bounds])
        self.continuous = self._each(lambda leaf: isinstance(leaf.space, spaces.Box))
        self.whole = self._each(lambda leaf: not np.issubdtype(leaf.space.dtype, np.floating))

        count = int((self.high - self.low + 1)[~self.continuous].sum())
        if count > MOST_NAMED:
            raise ConfigError(
                f"action space {named(space)}: has {count:,} named actions; must be at most {MOST_NAMED:,} (a Box of "
                "integers can have more)"
            )

    def _each(self, question: Callable[[Leaf], bool]) -> NDArray[np.bool_]:
        answers = [question(leaf) for leaf in self._leaves]
        return np.repeat(np.asarray(answers), self._widths)

    def choices(self, bins: int) -> list[int]:
        """Values that each number can take, a continuous one ``bins`` at most."""
        spans = self.high - self.low + 1
        counted = np.where(self.whole, spans, np.inf)
        return [int(value) for value in np.where(self.continuous, np.minimum(counted, bins), spans)]

    def permitted(self, mask: Array) -> NDArray[np.bool_]:
        """Which values of each number may be chosen, ``[batch, values]``; where an environment permits none, all are.

        Args:
            mask: ``[batch, values]``, what the environment says: those of the first number, of the second, and so on.

        Raises:
            ConfigError: a mask of another shape, or for continuous actions.
        """
        sizes = np.asarray(self.choices(1))
        if self.continuous.any() or mask.shape[1] != sizes.sum():
            need = "left out for continuous actions" if self.continuous.any() else f"{sizes.sum()}"
            raise ConfigError(f"info['action_mask'] of {mask.shape[1]} values: must be {need} for {named(self.space)}")
        mask = mask.astype(np.bool_)
        some = np.logical_or.reduceat(mask, np.cumsum(sizes) - sizes, axis=1)
        return np.asarray(mask | ~np.repeat(some, sizes, axis=1), np.bool_)

    def assemble(self, values: Array) -> Action:
        """Actions of the environment, as a vector environment takes them, from numbers ``[batch, dims]``."""
        parts = [values] if len(self._widths) == 1 else np.split(values, np.cumsum(self._widths)[:-1], axis=1)
        kinds = zip(self._leaves, self._floating, parts, strict=True)
        return assemble(self.space, [_shaped(leaf, floating, part) for leaf, floating, part in kinds])


def _bounds(space: Space) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value of each number of a leaf."""
    if isinstance(space, spaces.Discrete):
        first = np.array([float(space.start)])
        return first, first + float(space.n) - 1
    if isinstance(space, spaces.MultiDiscrete):
        start = space.start.astype(np.float64).flatten()
        return start, start + space.nvec.flatten() - 1
    if isinstance(space, spaces.MultiBinary):
        bits = int(np.prod(space.shape))
        return np.zeros(bits), np.ones(bits)
    assert isinstance(space, spaces.Box)
    return space.low.astype(np.float64).flatten(), space.high.astype(np.float64).flatten()


def _shaped(leaf: Leaf, floating: bool, values: Array) -> Array:
    if not floating and values.dtype.kind == "f":
        values = np.rint(values)
    shaped: Array = values.reshape(-1, *leaf.shape).astype(leaf.space.dtype, copy=False)
    if isinstance(leaf.space, spaces.Box):
        shaped = np.clip(shaped, leaf.space.low, leaf.space.high)
    return shaped
