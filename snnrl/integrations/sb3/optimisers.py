"""Optimisers of stable-baselines3's algorithms."""

from __future__ import annotations

from collections.abc import Iterable

from torch.optim import Adam


def fuse(optimisers: Iterable[object]) -> None:
    """Have those that are Adam update all their parameters in one call: equal to rounding, and several times as fast.

    A state that is loaded afterwards, of a run of before, brings its own way along.
    """
    for optimiser in optimisers:
        if type(optimiser) is Adam:
            for group in optimiser.param_groups:
                group["fused"] = True
