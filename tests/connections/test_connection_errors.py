"""Sizes, bounds and shapes of spikes that are wrong are named with what would be right."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from snnrl.connections import (
    Connection,
    Conv1d,
    Conv2d,
    Conv3d,
    Dense,
    Lateral,
    Local1d,
    Local2d,
    MeanField,
    OneToOne,
    Sparse,
)
from snnrl.errors import ConfigError
from tests.connections.every_connection import (
    KINDS,
    SYNAPSES,
)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0, 1), r"^pre=0: must be a positive number of neurons$"),
        (lambda: Dense(1, -2), r"^post=-2: must be a positive number of neurons$"),
        (lambda: Conv2d(0, 1, 1), r"^pre_channels=0: must be a positive number of channels$"),
        (lambda: Conv2d(1, 0, 1), r"^post_channels=0: must be a positive number of channels$"),
        (lambda: Conv2d(1, 1, 0), r"^kernel_size=0: must be positive$"),
        (lambda: Conv2d(1, 1, 1, stride=0), r"^stride=0: must be positive$"),
        (lambda: Conv2d(1, 1, 1, padding=-1), r"^padding=-1: must be at least 0$"),
        (lambda: Conv1d(1, 1, (2, 2)), r"^kernel_size=\(2, 2\): must be a number or a tuple of 1$"),
        (lambda: Conv3d(1, 1, 1, stride=(1, 0, 1)), r"^stride=\(1, 0, 1\): must be positive$"),
        (lambda: Lateral(0), r"^size=0: must be a positive number of neurons$"),
        (lambda: OneToOne((2, 0)), r"^shape=\(2, 0\): must be positive sizes$"),
        (lambda: OneToOne(()), r"^shape=\(\): must be positive sizes$"),
        (lambda: MeanField(0, 1), r"^pre=0: must be a positive number of neurons$"),
        (lambda: MeanField(1, 0), r"^post=0: must be a positive number of neurons$"),
        (lambda: Sparse(0, 1, SYNAPSES), r"^pre=0: must be a positive number of neurons$"),
        (lambda: Sparse(1, 0, SYNAPSES), r"^post=0: must be a positive number of neurons$"),
        (lambda: Sparse(6, 4, SYNAPSES[0]), r"^index=\[6\]: must be of shape \[2, synapses\] with at least one"),
        (lambda: Sparse(6, 4, SYNAPSES[:, :0]), r"^index=\[2, 0\]: must be of shape \[2, synapses\] with at least one"),
        (lambda: Sparse(5, 4, SYNAPSES), r"^index=up to \[3, 5\]: must be within \[4, 5\] neurons$"),
        (lambda: Sparse(6, 4, -SYNAPSES), r"^index=.*: must be within \[4, 6\] neurons$"),
        (lambda: Sparse(6, 4, SYNAPSES[:, [0, 1, 0]]), r"^index=a pair twice: must be a pair of neurons at most once$"),
        (lambda: Sparse.random(3, 2, 0.0), r"^density=0.0: must be in \(0, 1\]$"),
        (lambda: Sparse.random(3, 2, 1.1), r"^density=1.1: must be in \(0, 1\]$"),
        (lambda: Local1d(4, 0, 1, 1), r"^pre_channels=0: must be a positive number of channels$"),
        (lambda: Local1d(4, 1, 0, 1), r"^post_channels=0: must be a positive number of channels$"),
        (lambda: Local2d((4, 0), 1, 1, 1), r"^space=\(4, 0\): must be positive sizes$"),
        (lambda: Local2d(4, 1, 1, 1), r"^space=4: must be of 2 dimensions$"),
        (lambda: Local1d(3, 1, 1, 4), r"^kernel_size=\(4,\): must be at most the padded population \(3,\)$"),
    ],
)
def test_a_wrong_size_is_named_with_what_would_be_right(make: Callable[[], Connection], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (1.0, -1.0), (math.nan, 1.0), (0.0, math.nan), (math.inf, math.inf)])
def test_bounds_that_hold_no_interval_are_refused(bounds: tuple[float, float]) -> None:
    pair = r"^bounds=\(.*\): must be a pair \(lowest, highest\) with lowest below highest$"
    with pytest.raises(ConfigError, match=pair):
        Dense(1, 1, bounds=bounds)
    with pytest.raises(ConfigError, match=pair):
        Conv2d(1, 1, 1, bounds=bounds)


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        ("dense", (2, 4), r"^spikes=\[2, 4\]: must be of shape \[..., 5\]$"),
        ("dense", (5,), r"^spikes=\[5\]: must be of shape \[..., 5\]$"),
        ("sparse", (2, 5), r"^spikes=\[2, 5\]: must be of shape \[..., 6\]$"),
        ("mean field", (2, 3), r"^spikes=\[2, 3\]: must be of shape \[..., 5\]$"),
        ("one to one", (2, 3), r"^spikes=\[2, 3\]: must be of shape \[..., 2, 3\]$"),
        ("local", (1, 2, 5, 4), r"^spikes=\[1, 2, 5, 4\]: must be of shape \[..., 2, 4, 5\]$"),
        ("convolution", (1, 3, 4, 5), r"^spikes=\[1, 3, 4, 5\]: must be of shape \[..., 2, \*space\]$"),
        ("convolution", (2, 4, 5), r"^spikes=\[2, 4, 5\]: must be of shape \[..., 2, \*space\]$"),
    ],
)
def test_spikes_of_another_shape_are_refused(kind: str, shape: tuple[int, ...], message: str) -> None:
    connection, _ = KINDS[kind]()
    with pytest.raises(ConfigError, match=message):
        connection(torch.zeros(shape, dtype=torch.float64))
