"""Episode state: nested NamedTuples of tensors whose first dimension is the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor

State: TypeAlias = tuple[Any, ...]
"""Tensors whose first dimension is the batch, and tuples of them; most often a NamedTuple."""
S = TypeVar("S", bound=State)


def mapped(change: Callable[[Tensor], Tensor], state: S) -> S:
    """The same nested state with ``change`` of every tensor."""
    parts = [change(part) if isinstance(part, Tensor) else mapped(change, part) for part in state]
    return _made_as(state, parts)


def _made_as(state: S, parts: Iterable[object]) -> S:
    """A tuple of the same kind with other ``parts``."""
    kind: Callable[[Iterable[object]], S] = getattr(state, "_make", type(state))
    return kind(parts)


def detach(state: S) -> S:
    """The same state without its history: gradients of what follows end here.

    For truncated backpropagation through time (Williams & Peng 1990, Neural Comput. 2:490): after each window of steps
    that the optimiser has used, go on from ``detach(state)``. Memory is shared with ``state``.

    Args:
        state: of neurons, rules, encoders or a whole network: nested NamedTuples of tensors of any shape.
    """
    return mapped(Tensor.detach, state)


def reset_rows(state: S, fresh: S, rows: Tensor) -> S:
    """``state`` with the rows of ``fresh`` where the boolean ``rows`` ``[batch]`` is true; other rows untouched.

    State may lie on several devices, as that of an encoder that works on the host.
    """
    parts = [
        torch.where(rows.to(old.device).view(-1, *[1] * (old.dim() - 1)), new, old)
        if isinstance(old, Tensor)
        else reset_rows(old, new, rows)
        for old, new in zip(state, fresh, strict=True)
    ]
    return _made_as(state, parts)


def leaves(state: State) -> Iterator[Tensor]:
    """Every tensor of a nested state."""
    for part in state:
        if isinstance(part, Tensor):
            yield part
        else:
            yield from leaves(part)


def copied(state: S) -> S:
    """The same state in memory of its own."""
    return mapped(Tensor.clone, state)


def compact(state: S) -> S:
    """The same state, whose tensors hold no more memory than their numbers take; views are copied for it."""
    return mapped(lambda part: part if part.untyped_storage().nbytes() <= part.nbytes else part.clone(), state)
