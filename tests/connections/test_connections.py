"""What holds for every kind of connection: currents, products, weights that change."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import (
    Connection,
    Conv2d,
    Dense,
)
from tests.connections.every_connection import (
    KINDS,
    assert_equal,
    dense,
    every_kind,
    normal,
    seeded,
)

quick = settings(deadline=None, max_examples=30)


def test_current_is_the_sum_of_the_weights_of_the_neurons_that_spike() -> None:
    connection = dense(3, 2)
    connection.apply_(torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]) - connection.weight)
    assert_equal(connection(torch.tensor([[1.0, 0.0, 1.0]]).double()), torch.tensor([[4.0, 40.0]]).double())


def test_hebbian_product_of_a_dense_connection_is_the_sum_of_outer_products_in_each_row() -> None:
    post, pre = normal(4, 2, 3), normal(4, 2, 5, seed=1)
    product = dense(5, 3).hebbian(post, pre)
    for row in range(2):
        for target in range(3):
            for source in range(5):
                expected = sum(post[event, row, target] * pre[event, row, source] for event in range(4))
                assert product[row, target, source].item() == pytest.approx(float(expected), rel=1e-12)


@every_kind
@pytest.mark.parametrize("events", [1, 4])
def test_hebbian_product_is_the_vector_jacobian_product_of_forward(kind: str, events: int) -> None:
    connection, shape = KINDS[kind]()
    batch = 3
    pre = normal(events, batch, *shape)
    weight = connection.weight.requires_grad_()
    current = connection(pre)
    post = normal(*current.shape, seed=1)
    expected = [
        torch.autograd.grad(current[:, row], weight, post[:, row], retain_graph=True)[0] for row in range(batch)
    ]
    weight.requires_grad_(False)
    assert_equal(connection.hebbian(post, pre), torch.stack(expected))


@every_kind
def test_hebbian_product_is_added_to_what_is_there(kind: str) -> None:
    connection, shape = KINDS[kind]()
    pre = normal(2, 3, *shape)
    post = normal(*connection(pre).shape, seed=1)
    product = connection.hebbian(post, pre)
    start = normal(*product.shape, seed=2)
    layouts = {"its own": connection.new_eligibility(3), "row by row": torch.zeros(product.shape, dtype=torch.float64)}
    for layout, out in layouts.items():
        out.copy_(start)
        returned = connection.hebbian(post, pre, out=out)
        assert returned.data_ptr() == out.data_ptr(), layout
        assert_equal(out, start + product)


@every_kind
def test_rows_of_a_batch_do_not_mix(kind: str) -> None:
    connection, shape = KINDS[kind]()
    pre = normal(2, 3, *shape)
    current = connection(pre)
    post = normal(*current.shape, seed=1)
    product = connection.hebbian(post, pre)
    for row in range(3):
        alone = slice(row, row + 1)
        assert_equal(connection(pre[:, alone]), current[:, alone])
        assert_equal(connection.hebbian(post[:, alone], pre[:, alone]), product[alone])


@every_kind
def test_current_is_the_same_whatever_the_leading_shape(kind: str) -> None:
    connection, shape = KINDS[kind]()
    pre = normal(2, 3, *shape)
    assert_equal(connection(pre).flatten(0, 1), connection(pre.flatten(0, 1)))


@every_kind
def test_rows_are_summed_with_their_factors(kind: str) -> None:
    connection, _ = KINDS[kind]()
    eligibility = connection.new_eligibility(3)
    eligibility.copy_(normal(*eligibility.shape))
    factor = torch.tensor([2.0, 0.0, -0.5], dtype=torch.float64)
    for rows in (eligibility, eligibility.contiguous()):
        summed = connection.sum_rows(rows, factor)
        assert summed.shape == connection.weight.shape
        assert_equal(summed, 2.0 * rows[0] - 0.5 * rows[2])


@every_kind
def test_new_eligibility_is_zero_for_every_row_and_synapse(kind: str) -> None:
    connection, _ = KINDS[kind]()
    eligibility = connection.new_eligibility(4)
    assert eligibility.shape == (4, *connection.weight.shape)
    assert eligibility.dtype == torch.float64
    assert not eligibility.any()


@every_kind
@given(
    limits=st.tuples(st.floats(-2.0, 2.0), st.floats(0.01, 2.0)), scale=st.floats(0.0, 100.0), seed=st.integers(0, 99)
)
@quick
def test_weights_stay_in_bounds_whatever_the_change(
    kind: str, limits: tuple[float, float], scale: float, seed: int
) -> None:
    low, high = limits[0], limits[0] + limits[1]
    connection, _ = KINDS[kind]()
    connection.bounds = (low, high)
    before = connection.weight.clone()
    delta = scale * normal(*before.shape, seed=seed)
    connection.apply_(delta)
    there = torch.ones_like(before) if connection.mask is None else connection.mask
    assert torch.equal(connection.weight, (before + delta).clamp(low, high) * there)
    assert connection.weight[there > 0].min() >= low
    assert connection.weight[there > 0].max() <= high


@every_kind
def test_a_zero_change_changes_nothing(kind: str) -> None:
    connection, _ = KINDS[kind]()
    before = connection.weight.clone()
    connection.apply_(torch.zeros_like(before))
    assert torch.equal(connection.weight, before)


@every_kind
def test_no_tensor_asks_for_a_gradient(kind: str) -> None:
    connection, shape = KINDS[kind]()
    pre = normal(2, 3, *shape)
    current = connection(pre)
    product = connection.hebbian(current, pre)
    connection.apply_(product.sum(0))
    assert not any(tensor.requires_grad for tensor in (connection.weight, current, product))


def test_a_change_of_weights_that_are_learned_by_gradient_stays_out_of_the_graph() -> None:
    connection = dense(2, 2)
    connection.weight.requires_grad_()
    connection.apply_(torch.ones(2, 2))
    assert connection.weight.is_leaf
    assert connection.weight.grad_fn is None


@pytest.mark.parametrize("make", [Dense, lambda *sizes, **settings: Conv2d(*sizes, 5, **settings)])
def test_initial_weights_have_the_mean_and_deviation_asked_for(make: Callable[..., Connection]) -> None:
    """Both within 5 standard errors, ``std / sqrt(n)`` and ``std / sqrt(2 n)``."""
    mean, std = 0.7, 0.2
    weight = make(100, 100, weight_mean=mean, weight_std=std, generator=seeded()).weight
    count = weight.numel()
    assert abs(weight.mean().item() - mean) < 5 * std / math.sqrt(count)
    assert abs(weight.std().item() - std) < 5 * std / math.sqrt(2 * count)


@pytest.mark.parametrize("make", [Dense, lambda *sizes, **settings: Conv2d(*sizes, 2, **settings)])
def test_initial_weights_come_from_the_generator_and_lie_in_bounds(make: Callable[..., Connection]) -> None:
    def weight(seed: int) -> Tensor:
        return make(7, 5, weight_std=3.0, bounds=(-0.5, 1.0), generator=seeded(seed)).weight

    assert torch.equal(weight(1), weight(1))
    assert not torch.equal(weight(1), weight(2))
    assert weight(1).min() == -0.5
    assert weight(1).max() == 1.0


def test_the_synapses_of_one_presynaptic_neuron_are_contiguous_and_stay_so() -> None:
    connection = Dense(6, 4, weight_std=1.0, generator=seeded())
    loaded = Dense(6, 4)
    loaded.load_state_dict(connection.state_dict())
    assert torch.equal(loaded.weight, connection.weight)
    for same in (connection, loaded, copy.deepcopy(connection), copy.deepcopy(connection).double()):
        assert same.weight.shape == (4, 6)
        assert same.weight[:, 0].is_contiguous()
        assert same.new_eligibility(2)[0, :, 0].is_contiguous()
