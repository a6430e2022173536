"""The order in which populations are run, and which of them form loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import TopologicalSorter
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


class Edge(NamedTuple):
    """A connection between two populations."""

    key: str
    """Its name."""
    pre: str
    post: str
    pre_shape: tuple[int, ...]
    """The shape in which it takes the spikes of ``pre``, which may be flattened for it."""
    post_shape: tuple[int, ...]
    """The shape in which it gives the current for ``post``, which may view it otherwise."""


class Loop(NamedTuple):
    """Populations that depend on each other; most often a single one that depends on no one that follows."""

    members: tuple[str, ...]
    inside: tuple[Edge, ...]
    """Connections between members."""
    entering: tuple[Edge, ...]
    """Connections from populations that were run before."""


def loops_in_order(populations: Iterable[str], edges: Sequence[Edge]) -> list[Loop]:
    """The strongly connected parts of a network, each after all that drive it.

    >>> edges = [Edge("", pre, post, (1,), (1,)) for pre, post in ("ab", "bc", "cb")]
    >>> [loop.members for loop in loops_in_order(["c", "b", "a"], edges)]
    [('a',), ('c', 'b')]
    """
    names = list(populations)
    place = {name: position for position, name in enumerate(names)}
    pairs = np.array([[place[edge.pre], place[edge.post]] for edge in edges], dtype=np.int64).reshape(-1, 2)
    links = csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(names), len(names)))
    _, part = connected_components(links, directed=True, connection="strong")
    before: dict[int, set[int]] = {int(label): set() for label in part}
    for pre, post in pairs:
        if part[pre] != part[post]:
            before[int(part[post])].add(int(part[pre]))
    loops = []
    for label in TopologicalSorter(before).static_order():
        members = tuple(name for name in names if part[place[name]] == label)
        to = [edge for edge in edges if edge.post in members]
        loops.append(
            Loop(
                members,
                tuple(edge for edge in to if edge.pre in members),
                tuple(edge for edge in to if edge.pre not in members),
            )
        )
    return loops
