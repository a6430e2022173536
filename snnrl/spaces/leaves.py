"""A space as the list of the arrays that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from snnrl.errors import ConfigError
from snnrl.types import Array, Observation

Space = spaces.Space[Any]
"""A space of any elements."""
Arrays = Sequence[Array]
"""An array for each leaf of a space, ``[batch, *leaf_shape]``."""

_PLAIN = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_KNOWN = "Box, Discrete, MultiDiscrete, MultiBinary, or a Tuple or Dict of these"


class Leaf(NamedTuple):
    """A part of a space that is one array."""

    path: tuple[str | int, ...]
    """Keys of Dicts and places in Tuples that lead to it."""
    space: Space

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one element."""
        return self.space.shape or ()


def leaves(space: Space) -> list[Leaf]:
    """The parts of a space, those of Tuples and Dicts in their order; a space that is one array has one."""
    if isinstance(space, spaces.Dict):
        return [Leaf((key, *leaf.path), leaf.space) for key, part in space.spaces.items() for leaf in leaves(part)]
    if isinstance(space, spaces.Tuple):
        parts = enumerate(space.spaces)
        return [Leaf((place, *leaf.path), leaf.space) for place, part in parts for leaf in leaves(part)]
    return [Leaf((), space)]


def alike(one: Space, other: Space) -> bool:
    """Whether elements of two spaces are the same arrays; bounds and dtype of a Box may differ.

    >>> alike(spaces.Box(0, 1, (2,)), spaces.Box(-1, 1, (2,))), alike(spaces.Discrete(2), spaces.Discrete(3))
    (True, False)
    """
    pairs = list(zip_longest(leaves(one), leaves(other)))
    if any(first is None or second is None or first.path != second.path for first, second in pairs):
        return False
    boxes = [isinstance(first.space, spaces.Box) and isinstance(second.space, spaces.Box) for first, second in pairs]
    return all(
        first.shape == second.shape if box else first.space == second.space
        for box, (first, second) in zip(boxes, pairs, strict=True)
    )


def named(space: Space) -> str:
    """A space in one line."""
    return " ".join(str(space).split())


def check_observations(space: Space) -> None:
    """Raise a ConfigError unless agents can see an observation space."""
    found = leaves(space)
    if not found or not all(isinstance(leaf.space, _PLAIN) and np.prod(leaf.shape) > 0 for leaf in found):
        raise ConfigError(f"observation space {named(space)}: cannot be turned into numbers; must be {_KNOWN}")


def check_actions(space: Space) -> None:
    """Raise a ConfigError unless agents can act in a space."""
    found = leaves(space)
    if not found or not all(isinstance(leaf.space, _PLAIN) and np.prod(leaf.shape) > 0 for leaf in found):
        raise ConfigError(f"action space {named(space)}: cannot be made of numbers; must be {_KNOWN}")
    for leaf in found:
        if isinstance(leaf.space, spaces.Box) and not _is_finite(leaf.space):
            raise ConfigError(
                f"action space {named(space)}: must have finite bounds (gymnasium.wrappers.TransformAction helps)"
            )


def _is_finite(box: spaces.Box) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(box.high.astype(np.float32) - box.low.astype(np.float32)).all())


def split(space: Space, batch: Observation) -> list[Array]:
    """A batch of elements, as vector environments give them, as an array ``[batch, *leaf_shape]`` for each leaf."""
    return [np.asarray(_take(batch, leaf.path)) for leaf in leaves(space)]


def as_batch(space: Space, observation: Observation) -> tuple[list[Array], bool]:
    """The arrays of one element or of a batch, with a leading batch dimension, and whether it was there already.

    Raises:
        ValueError: neither an element of the space nor a batch of them.
    """
    try:
        arrays = split(space, observation)
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"observation {type(observation).__name__}: must be of {space}; {error!r}") from error
    shapes = [leaf.shape for leaf in leaves(space)]
    if all(array.shape == shape for array, shape in zip(arrays, shapes, strict=True)):
        return [array[None] for array in arrays], False
    for array, shape in zip(arrays, shapes, strict=True):
        if array.shape[1:] != shape or array.ndim != len(shape) + 1 or len(array) != len(arrays[0]):
            raise ValueError(f"observation of shape {array.shape}: must be {shape} or a batch (n, *{shape})")
    return arrays, True


def assemble(space: Space, arrays: Iterable[object]) -> Observation:
    """Put what belongs to each leaf where the space has it: arrays of batches, or the parts of one element."""
    return _assemble(space, iter(arrays))


def _assemble(space: Space, arrays: Iterator[object]) -> Observation:
    if isinstance(space, spaces.Dict):
        return {key: _assemble(part, arrays) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_assemble(part, arrays) for part in space.spaces)
    return next(arrays)


def first(space: Space, batch: Observation) -> Observation:
    """The first element of a batch."""
    return assemble(space, [_first(*pair) for pair in zip(leaves(space), split(space, batch), strict=True)])


def _first(leaf: Leaf, array: Array) -> Observation:
    """A number for a Discrete space, an array of the leaf's shape for others."""
    return array[0] if isinstance(leaf.space, spaces.Discrete) else np.asarray(array[0])


def _take(value: Observation, path: tuple[str | int, ...]) -> Observation:
    for key in path:
        value = value[key]
    return value
