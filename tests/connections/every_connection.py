"""One connection of every kind, and what tests of connections share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import (
    Connection,
    Conv1d,
    Conv2d,
    Conv3d,
    Dense,
    Lateral,
    Local1d,
    Local2d,
    Local3d,
    MeanField,
    OneToOne,
    Sparse,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def train(*shape: int, seed: int = 0, density: float = 0.3) -> Tensor:
    """Spikes with amplitudes: about ``density`` of the entries are not 0."""
    return normal(*shape, seed=seed) * (torch.rand(shape, generator=seeded(seed)) < density)


def dense(pre: int, post: int, **settings: Any) -> Dense:
    return Dense(pre, post, **{"weight_std": 1.0, "generator": seeded(99)} | settings).double()


def conv(pre: int, post: int, kernel: int, **settings: Any) -> Conv2d:
    return Conv2d(pre, post, kernel, **{"weight_std": 1.0, "generator": seeded(99)} | settings).double()


def assert_equal(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


def drawn(kind: Callable[..., Connection], *sizes: Any, **settings: Any) -> Connection:
    return kind(*sizes, **{"weight_std": 1.0, "generator": seeded(99)} | settings).double()


SYNAPSES = torch.tensor([[0, 3, 0, 1, 3, 3], [5, 2, 0, 1, 0, 5]])
"""Of a sparse connection of 6 to 4 neurons: postsynaptic and presynaptic neurons in no order; neuron 2 hears none."""

KINDS: dict[str, Callable[[], tuple[Connection, tuple[int, ...]]]] = {
    "dense": lambda: (dense(5, 3), (5,)),
    "lateral": lambda: (drawn(Lateral, 4), (4,)),
    "sparse": lambda: (drawn(Sparse, 6, 4, SYNAPSES), (6,)),
    "convolution on a line": lambda: (drawn(Conv1d, 2, 3, 2, stride=2, padding=1), (2, 7)),
    "convolution": lambda: (conv(2, 3, 2), (2, 4, 5)),
    "strided and padded convolution": lambda: (conv(2, 3, 3, stride=2, padding=1), (2, 6, 5)),
    "convolution whose stride skips the last column": lambda: (conv(1, 2, 2, stride=3), (1, 6, 7)),
    "convolution in a volume": lambda: (drawn(Conv3d, 2, 2, (1, 2, 3), padding=(0, 1, 0)), (2, 2, 3, 4)),
    "local on a line": lambda: (drawn(Local1d, 6, 2, 3, 3, padding=1), (2, 6)),
    "local": lambda: (drawn(Local2d, (4, 5), 2, 3, 2, stride=(1, 3)), (2, 4, 5)),
    "local in a volume": lambda: (drawn(Local3d, (2, 3, 4), 1, 2, 2), (1, 2, 3, 4)),
    "one to one": lambda: (drawn(OneToOne, (2, 3)), (2, 3)),
    "mean field": lambda: (drawn(MeanField, 5, 3), (5,)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
