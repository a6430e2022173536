"""Observations of any space as one array, as vectors, numbers or pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import ceil, prod, sqrt

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from snnrl.errors import ConfigError
from snnrl.spaces.leaves import Arrays, Leaf, Space, leaves, named
from snnrl.spaces.pictures import Pictures
from snnrl.types import Array, Observation

_NAMED = (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
MOST_NAMES = 2**12
"""Values of a named number beyond which a vector has the number itself, in [0, 1], rather than a place for each."""
_OFFSET = 2.0**10
"""Distance from zero, in units of its range, from which an observation is told from its middle: float32, in which
networks compute, would leave no more than 13 bits of it."""


_WIDEST = 1e6
"""Range from which bounds stand for none."""


class View(ABC):
    """How the observations of a space are seen.

    Attributes:
        space: of what is seen of one observation.
    """

    space: Space

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what is seen of one observation."""
        return self.space.shape or ()

    @abstractmethod
    def __call__(self, arrays: Arrays) -> Observation:
        """What is seen, ``[batch, *shape]``, of the arrays of :func:`~snnrl.spaces.leaves.split`."""


class AsItIs(View):
    """A space that is one array already."""

    def __init__(self, space: Space) -> None:
        self.space = space

    def __call__(self, arrays: Arrays) -> Array:
        return arrays[0]


class Table(View):
    """Numbers that are all named, as one number: which combination it is, counted from 0.

    Args:
        space: Discrete, MultiDiscrete, MultiBinary, or a Tuple or Dict of these.

    Attributes:
        count: of the combinations.
    """

    def __init__(self, space: Space) -> None:
        counted = [_counts(leaf.space) for leaf in leaves(space)]
        self._first = [first for first, _ in counted]
        counts = [int(count) for _, each in counted for count in each]
        self.count = prod(counts)
        self.space = spaces.Discrete(self.count)
        self._place = np.cumprod([1, *counts[::-1]])[-2::-1].astype(np.int64)

    def __call__(self, arrays: Arrays) -> NDArray[np.int64]:
        columns = [
            array.reshape(len(array), -1).astype(np.int64) - first
            for array, first in zip(arrays, self._first, strict=True)
        ]
        return np.asarray(np.concatenate(columns, 1) @ self._place, np.int64)

    @staticmethod
    def combinations(space: Space) -> float:
        """How many there are; infinite where a part is a Box."""
        parts = [leaf.space for leaf in leaves(space)]
        if not all(isinstance(part, _NAMED) for part in parts):
            return float("inf")
        return float(prod(int(count) for part in parts for count in _counts(part)[1]))


class Vector(View):
    """All numbers of an observation side by side: one-hot where they are named, bytes divided by 255, others as is.

    Args:
        space: any space that :func:`~snnrl.spaces.leaves.check_observations` lets pass.
    """

    def __init__(self, space: Space) -> None:
        self._parts = [_Part(leaf) for leaf in leaves(space)]
        low, high = (np.concatenate([getattr(part, name) for part in self._parts]) for name in ("low", "high"))
        wide = any(part.wide for part in self._parts)
        self._dtype: type[np.floating] = np.float64 if wide else np.float32
        self.space = spaces.Box(low.astype(self._dtype), high.astype(self._dtype), dtype=self._dtype)

    def __call__(self, arrays: Arrays) -> Array:
        parts = [part(array) for part, array in zip(self._parts, arrays, strict=True)]
        return np.concatenate(parts, 1).astype(self._dtype, copy=False)


class Unit(View):
    """All numbers of an observation side by side, each as its place between its bounds, from 0 to 1.

    Args:
        space: as for :class:`Vector`, with bounds.

    Raises:
        ConfigError: a number has no bounds.
    """

    def __init__(self, space: Space) -> None:
        self._vector = Vector(space)
        box = self._vector.space
        assert isinstance(box, spaces.Box)
        low, high = box.low.astype(np.float64), box.high.astype(np.float64)
        if not (box.is_bounded() and (high - low < _WIDEST).all()):
            raise ConfigError(f"observation space {named(space)}: has numbers without bounds; must be bounded")
        self._low, self._range = low, np.maximum(high - low, np.finfo(np.float64).tiny)
        self.space = spaces.Box(0.0, 1.0, box.shape, np.float32)

    def __call__(self, arrays: Arrays) -> NDArray[np.float32]:
        return np.asarray((self._vector(arrays) - self._low) / self._range, np.float32)


class Seen(View):
    """Pictures, channels first; see :class:`~snnrl.spaces.pictures.Pictures`."""

    def __init__(self, space: spaces.Box) -> None:
        self._pictures = Pictures(space)
        self.space = self._pictures.space

    def __call__(self, arrays: Arrays) -> NDArray[np.uint8]:
        return self._pictures(arrays[0])


class Grey(View):
    """The luminance of the newest picture as a frame ``(1, height, width)``.

    Args:
        space: of pictures.
        multiple: black columns are added on the right until the width is a multiple of this.
        most_pixels: of larger pictures every second row and column is seen, or every third, and so on.

    Attributes:
        height: rows of the frame.
        width: columns.
    """

    def __init__(self, space: spaces.Box, multiple: int, most_pixels: float) -> None:
        self._pictures = pictures = Pictures(space)
        self._step = max(ceil(sqrt(pictures.height * pictures.width / most_pixels)), 1)
        self.height, width = -(-pictures.height // self._step), -(-pictures.width // self._step)
        self._missing = -width % multiple
        self.width = width + self._missing
        self.space = spaces.Box(0, 255, (1, self.height, self.width), np.uint8)

    def __call__(self, arrays: Arrays) -> NDArray[np.uint8]:
        grey = self._pictures.grey(arrays[0])[:, :, :: self._step, :: self._step]
        if not self._missing:
            return np.ascontiguousarray(grey)
        return np.pad(grey, ((0, 0), (0, 0), (0, 0), (0, self._missing)))


class Layers(View):
    """Boolean maps side by side, channels first: ``(layers, height, width)``.

    Args:
        space: a boolean Box ``(height, width, layers)``, or one with its layers first if they are the fewest.
    """

    def __init__(self, space: spaces.Box) -> None:
        self._first = int(np.argmin(space.shape[::-1])) == 2
        shape = space.shape if self._first else (space.shape[2], *space.shape[:2])
        self.space = spaces.Box(0, 1, shape, np.bool_)

    def __call__(self, arrays: Arrays) -> NDArray[np.bool_]:
        return arrays[0] if self._first else np.ascontiguousarray(np.moveaxis(arrays[0], -1, 1))


class Several(View):
    """An observation of several arrays as a Dict without further Dicts or Tuples in it.

    Args:
        views: of each leaf of a Tuple or Dict, in their order, by the names that they shall have.
    """

    def __init__(self, views: Mapping[str, View]) -> None:
        self._views = dict(views)
        self.space = spaces.Dict({name: view.space for name, view in self._views.items()})
        self._order = list(self.space.spaces)

    def __call__(self, arrays: Arrays) -> dict[str, Array]:
        seen = {name: view([array]) for (name, view), array in zip(self._views.items(), arrays, strict=True)}
        return {name: seen[name] for name in self._order}


class _Part:
    """A leaf as a part of a vector: its bounds, and its values."""

    def __init__(self, leaf: Leaf) -> None:
        self.wide = False
        self._shift: NDArray[np.float64] | None = None
        self._scale: float | None = None
        space = leaf.space
        if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
            self._first, self._counts = _counts(space)
            size = sum(count if count <= MOST_NAMES else 1 for count in self._counts)
            self.low, self.high = np.zeros(size), np.ones(size)
            return
        self._counts = []
        if isinstance(space, spaces.MultiBinary):
            size = int(np.prod(space.shape))
            self.low, self.high = np.zeros(size), np.ones(size)
            return
        assert isinstance(space, spaces.Box)
        self.low, self.high = (np.asarray(edge, dtype=np.float64).flatten() for edge in (space.low, space.high))
        if space.dtype == np.uint8 and (self.high == 255).all():
            self._scale, self.low, self.high = 1 / 255, self.low / 255, self.high / 255
        elif is_offset(space):
            self._shift = (self.low + self.high) / 2
            self.low, self.high = self.low - self._shift, self.high - self._shift
        else:
            self.wide = space.dtype == np.float64

    def __call__(self, array: Array) -> Array:
        rows = array.reshape(len(array), -1)
        if self._counts:
            columns = (rows.astype(np.int64) - self._first).T
            return np.concatenate([_named(*pair) for pair in zip(columns, self._counts, strict=True)], axis=1)
        if self._shift is not None:
            return rows.astype(np.float64) - self._shift
        return rows if self._scale is None else rows * np.float32(self._scale)


def _named(value: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Numbers ``[batch]`` below ``count``, one-hot where these are not too many."""
    if count > MOST_NAMES:
        return (value / (count - 1)).astype(np.float32)[:, None]
    places = np.zeros((len(value), count), dtype=np.float32)
    np.put_along_axis(places, value[:, None], 1.0, axis=1)
    return places


def is_offset(space: spaces.Box) -> bool:
    """Whether the values of a bounded Box lie so far from zero that float32 cannot tell them apart."""
    if space.dtype not in (np.float64, np.int64, np.uint64, np.uint32, np.int32) or not space.is_bounded():
        return False
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    return bool((np.maximum(abs(low), abs(high)) > _OFFSET * (high - low)).any())


def _counts(space: Space) -> tuple[NDArray[np.int64], list[int]]:
    """The lowest value of each number that is named, and how many values it has."""
    if isinstance(space, spaces.Discrete):
        return np.array([int(space.start)]), [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return space.start.flatten().astype(np.int64), [int(count) for count in space.nvec.flatten()]
    assert isinstance(space, spaces.MultiBinary)
    return np.zeros(int(np.prod(space.shape)), dtype=np.int64), [2] * int(np.prod(space.shape))
