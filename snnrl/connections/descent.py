"""Projected gradient descent: after every step of an optimiser, weights are held to what was set of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Protocol
from weakref import WeakSet

from torch.nn import Parameter
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook


class Constrained(Protocol):
    """A module whose weight can be held to what was set."""

    def constrain_(self) -> None:
        """Hold it."""

    def named_parameters(self, *, recurse: bool) -> Iterator[tuple[str, Parameter]]:
        """As torch's modules have it."""


_trained: WeakSet[Constrained] = WeakSet()


def hold_after_steps(weights: Constrained) -> None:
    """Project these weights after every step of every optimiser that changes them, for as long as they live."""
    if weights not in _trained:
        _listen()
        _trained.add(weights)


@cache
def _listen() -> None:
    """Be told of the steps of all optimisers, which need not announce a change to the tensors that they change."""
    register_optimizer_step_post_hook(_after_step)


def _after_step(optimizer: Optimizer, args: object, kwargs: object) -> None:
    changed: set[int] = set()
    for weights in list(_trained):
        changed = changed or {id(each) for group in optimizer.param_groups for each in group["params"]}
        weight = dict(weights.named_parameters(recurse=False)).get("weight")
        if weight is not None and weight.grad is not None and id(weight) in changed:
            weights.constrain_()
