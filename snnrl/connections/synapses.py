"""Which of many possible synapses exist."""

from __future__ import annotations

import math

import torch
from torch import Tensor

AT_ONCE = 1 << 22
"""Numbers that are drawn, or laid out densely, together: more are held only where there are as many synapses."""
MANY = 1 << 30
"""Pairs from which on not every one is asked, but how far it is to the next synapse."""


def random_pairs(pairs: int, density: float, generator: torch.Generator | None) -> Tensor:
    """The numbers of those of ``pairs`` that are connected, each with probability ``density``; ascending, int64.

    Memory goes by their number, and so does time where there are many pairs.
    """
    draw = _skipping if pairs > MANY and density < 1 else _one_by_one
    return draw(pairs, density, generator)


def _one_by_one(pairs: int, density: float, generator: torch.Generator | None) -> Tensor:
    found = []
    for first in range(0, pairs, AT_ONCE):
        drawn = torch.rand(min(AT_ONCE, pairs - first), generator=generator) < density
        found.append(drawn.nonzero().squeeze(1) + first)
    return torch.cat(found)


def _skipping(pairs: int, density: float, generator: torch.Generator | None) -> Tensor:
    """Draws the way from one synapse to the next (Batagelj & Brandes 2005, Phys. Rev. E 71:036113, algorithm 1)."""
    expected = pairs * density
    count = math.ceil(expected + 6 * math.sqrt(expected)) + 8
    found, last = [], -1
    while last < pairs:
        skipped = torch.rand(count, dtype=torch.float64, generator=generator).neg_().log1p_().div_(math.log1p(-density))
        found.append(last + (skipped.long() + 1).cumsum(0))
        last = int(found[-1][-1])
    place = torch.cat(found)
    return place[place < pairs]
