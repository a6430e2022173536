"""Connections take sparse spikes as they take dense ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.spikes import SparseSpikes
from tests.connections.every_connection import (
    KINDS,
    assert_equal,
    conv,
    dense,
    normal,
    train,
)

quick = settings(deadline=None, max_examples=30)


@given(
    rows=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    pre=st.integers(1, 6),
    post=st.integers(1, 4),
    density=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 1000),
)
@quick
def test_sparse_spikes_give_the_current_of_dense_ones(
    rows: list[int], pre: int, post: int, density: float, seed: int
) -> None:
    connection = dense(pre, post)
    spikes = train(*rows, pre, seed=seed, density=density)
    current = connection(SparseSpikes.from_dense(spikes))
    assert current.shape == (*rows, post)
    assert_equal(current, connection(spikes))


@given(
    events=st.integers(1, 4),
    batch=st.integers(1, 4),
    density=st.sampled_from([0.0, 0.3, 1.0]),
    own_layout=st.booleans(),
    seed=st.integers(0, 1000),
)
@quick
def test_sparse_spikes_give_the_hebbian_product_of_dense_ones(
    events: int, batch: int, density: float, own_layout: bool, seed: int
) -> None:
    connection = dense(5, 3)
    pre, post = train(events, batch, 5, seed=seed, density=density), normal(events, batch, 3, seed=seed + 1)
    product = connection.hebbian(post, pre)
    kept = post.clone()
    assert_equal(connection.hebbian(post, SparseSpikes.from_dense(pre)), product)
    out = connection.new_eligibility(batch) if own_layout else torch.empty(batch, 3, 5, dtype=torch.float64)
    out.fill_(2.0)
    connection.hebbian(post, SparseSpikes.from_dense(pre), out=out)
    assert_equal(out, product + 2.0)
    assert torch.equal(post, kept)


def test_a_convolution_takes_sparse_spikes_of_a_map() -> None:
    connection = conv(2, 3, 2)
    spikes = train(3, 2, 4, 5)
    assert_equal(connection(SparseSpikes.from_dense(spikes)), connection(spikes))


@pytest.mark.parametrize("kind", [kind for kind, make in KINDS.items() if len(make()[1]) == 1])
def test_sparse_spikes_drive_every_connection_of_flat_populations(kind: str) -> None:
    connection, shape = KINDS[kind]()
    pre = train(2, 3, *shape)
    current = connection(pre)
    post = normal(*current.shape, seed=1)
    assert_equal(connection(SparseSpikes.from_dense(pre)), current)
    assert_equal(connection.hebbian(post, SparseSpikes.from_dense(pre)), connection.hebbian(post, pre))
