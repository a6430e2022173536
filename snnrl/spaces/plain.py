"""Gymnasium's spaces as plain containers, to be written into a file and read without running code."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from snnrl.errors import ConfigError
from snnrl.spaces.leaves import Space
from snnrl.types import Array, Saved


def described(space: Space) -> Saved:
    """A space as numbers, texts, lists and dicts.

    >>> described(spaces.Discrete(3))
    {'kind': 'Discrete', 'n': 3, 'start': 0}

    Raises:
        ConfigError: a space that is not made of numbers.
    """
    kind = type(space).__name__
    if isinstance(space, spaces.Box):
        limits = {"low": _short(space.low), "high": _short(space.high)}
        return {"kind": "Box", **limits, "shape": list(space.shape), "dtype": np.dtype(space.dtype).name}
    if isinstance(space, spaces.Discrete):
        return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": "MultiDiscrete", "nvec": space.nvec.tolist(), "start": np.asarray(space.start).tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "MultiBinary", "shape": list(space.shape)}
    if isinstance(space, spaces.Tuple):
        return {"kind": "Tuple", "parts": [described(part) for part in space.spaces]}
    if isinstance(space, spaces.Dict):
        return {"kind": "Dict", "parts": {name: described(part) for name, part in space.spaces.items()}}
    raise ConfigError(f"a space {kind}: cannot be kept in a file; must be made of numbers")


def space_from(data: Saved) -> Space:
    """The space that :func:`described` describes.

    >>> space_from({"kind": "MultiBinary", "shape": [3]})
    MultiBinary((3,))

    Raises:
        KeyError, TypeError, ValueError: the description is not whole.
    """
    kind = data["kind"]
    if kind == "Box":
        shape, dtype = tuple(data["shape"]), np.dtype(data["dtype"])
        low, high = (np.broadcast_to(np.array(data[name], dtype), shape).copy() for name in ("low", "high"))
        return spaces.Box(low, high, shape, dtype.type)
    if kind == "Discrete":
        return spaces.Discrete(data["n"], start=data["start"])
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(np.array(data["nvec"]), start=np.array(data["start"]))
    if kind == "MultiBinary":
        return spaces.MultiBinary(tuple(data["shape"]))
    if kind == "Tuple":
        return spaces.Tuple([space_from(part) for part in data["parts"]])
    if kind == "Dict":
        return spaces.Dict({name: space_from(part) for name, part in data["parts"].items()})
    raise ValueError(f"there is no space {kind!r}")


def _short(limits: Array) -> object:
    """One number where all are the same."""
    first = limits.flat[0] if limits.size else None
    return limits.tolist() if first is None or not (limits == first).all() else first.item()
