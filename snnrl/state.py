"""Episode state: nested NamedTuples of tensors whose first dimension is the batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

S = TypeVar("S", bound=tuple[Any, ...])


def reset_rows(state: S, fresh: S, rows: Tensor) -> S:
    """``state`` with the rows of ``fresh`` where the boolean ``rows`` ``[batch]`` is true; other rows untouched."""

    def pick(old: Any, new: Any) -> Any:
        if isinstance(old, Tensor):
            return torch.where(rows.view(-1, *[1] * (old.dim() - 1)), new, old)
        return reset_rows(old, new, rows)

    leaves = [pick(old, new) for old, new in zip(state, fresh, strict=True)]
    return cast(S, type(state)(*leaves) if hasattr(state, "_fields") else tuple(leaves))


def leaves(state: Any) -> Iterator[Tensor]:
    """Every tensor of a nested state."""
    for part in state:
        if isinstance(part, Tensor):
            yield part
        else:
            yield from leaves(part)


def copied(state: S) -> S:
    """The same state in memory of its own."""
    parts = [part.clone() if isinstance(part, Tensor) else copied(part) for part in state]
    return cast(S, type(state)(*parts) if hasattr(state, "_fields") else tuple(parts))
