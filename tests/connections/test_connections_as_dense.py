"""Each kind of connection is a dense one with some of the synapses taken away or shared."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from snnrl.connections import (
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
from tests.connections.every_connection import (
    SYNAPSES,
    assert_equal,
    conv,
    dense,
    drawn,
    normal,
    seeded,
    train,
)


def test_a_convolution_whose_kernel_covers_the_input_is_a_dense_connection() -> None:
    convolution, full = conv(2, 3, 4), dense(2 * 4 * 4, 3)
    full.apply_(convolution.weight.flatten(1) - full.weight)
    pre, post = normal(5, 2, 2, 4, 4), normal(5, 2, 3, seed=1)
    assert_equal(convolution(pre).flatten(2), full(pre.flatten(2)))
    shared = convolution.hebbian(post[..., None, None], pre)
    assert_equal(shared.flatten(2), full.hebbian(post, pre.flatten(2)))


def test_a_convolution_with_a_kernel_of_one_is_a_dense_connection_at_every_place() -> None:
    convolution, point = conv(3, 2, 1), dense(3, 2)
    point.apply_(convolution.weight.flatten(1) - point.weight)
    pre = normal(4, 3, 5, 6)
    assert_equal(convolution(pre).movedim(1, -1), point(pre.movedim(1, -1)))


FIELDS = {
    "line": ((7,), (3,), (1,), (0,)),
    "strided line": ((7,), (3,), (2,), (1,)),
    "plane": ((4, 5), (2, 3), (1, 1), (0, 0)),
    "strided and padded plane": ((4, 5), (2, 3), (2, 1), (1, 2)),
    "volume": ((3, 2, 4), (2, 2, 2), (1, 1, 1), (0, 0, 0)),
    "strided and padded volume": ((3, 2, 4), (2, 1, 3), (2, 1, 2), (0, 1, 1)),
}
"""Space, kernel, stride and padding."""
every_field = pytest.mark.parametrize("field", FIELDS)


def patches(maps: Tensor, field: str) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Each place of the output, and what ``maps`` ``[..., channels, *space]`` hold under the kernel there, flat."""
    space, kernel, stride, padding = FIELDS[field]
    padded = maps.new_zeros(
        *maps.shape[: -len(space)], *(size + 2 * pad for size, pad in zip(space, padding, strict=True))
    )
    padded[(..., *(slice(pad, pad + size) for size, pad in zip(space, padding, strict=True)))] = maps
    reach = [(size - k) // step + 1 for size, k, step in zip(padded.shape[-len(space) :], kernel, stride, strict=True)]
    for place in itertools.product(*map(range, reach)):
        under = [slice(at * step, at * step + k) for at, step, k in zip(place, stride, kernel, strict=True)]
        yield place, padded[(..., *under)].flatten(-len(space) - 1)


@every_field
def test_a_convolution_is_one_dense_connection_at_every_place(field: str) -> None:
    space, kernel, stride, padding = FIELDS[field]
    kind = (Conv1d, Conv2d, Conv3d)[len(space) - 1]
    convolution = drawn(kind, 2, 3, kernel, stride=stride, padding=padding)
    point = dense(2 * math.prod(kernel), 3, weight=convolution.weight.flatten(1))
    pre = normal(5, 2, 2, *space)
    current = convolution(pre)
    post = normal(*current.shape, seed=1)
    product, places = torch.zeros(2, *point.weight.shape, dtype=torch.float64), 0
    for place, patch in patches(pre, field):
        assert_equal(current[(..., *place)], point(patch))
        product, places = product + point.hebbian(post[(..., *place)], patch), places + 1
    assert math.prod(current.shape[3:]) == places
    assert_equal(convolution.hebbian(post, pre).flatten(2), product)


@every_field
def test_a_local_connection_is_a_dense_connection_of_its_own_at_every_place(field: str) -> None:
    space, kernel, stride, padding = FIELDS[field]
    kind = (Local1d, Local2d, Local3d)[len(space) - 1]
    local = drawn(kind, space, 2, 3, kernel, stride=stride, padding=padding)
    pre = normal(5, 2, 2, *space)
    current = local(pre)
    post = normal(*current.shape, seed=1)
    product = local.hebbian(post, pre)
    assert math.prod(current.shape[3:]) == local.weight.shape[1]
    for number, (place, patch) in enumerate(patches(pre, field)):
        point = dense(2 * math.prod(kernel), 3, weight=local.weight[:, number])
        assert_equal(current[(..., *place)], point(patch))
        assert_equal(product[:, :, number], point.hebbian(post[(..., *place)], patch))


@every_field
def test_a_local_connection_with_the_same_kernel_everywhere_is_a_convolution(field: str) -> None:
    space, kernel, stride, padding = FIELDS[field]
    convolution = drawn((Conv1d, Conv2d, Conv3d)[len(space) - 1], 2, 3, kernel, stride=stride, padding=padding)
    local = drawn((Local1d, Local2d, Local3d)[len(space) - 1], space, 2, 3, kernel, stride=stride, padding=padding)
    local.apply_(convolution.weight.flatten(1)[:, None] - local.weight)
    pre = normal(5, 2, 2, *space)
    post = normal(*convolution(pre).shape, seed=1)
    assert_equal(local(pre), convolution(pre))
    assert_equal(local.hebbian(post, pre).sum(2), convolution.hebbian(post, pre).flatten(2))


def test_a_sparse_connection_is_a_dense_one_with_a_mask() -> None:
    weight = torch.zeros(4, 6, dtype=torch.float64)
    weight[SYNAPSES[0], SYNAPSES[1]] = normal(6)
    there = (weight != 0).nonzero(as_tuple=True)
    for norm in (None, 2.0):
        sparse = Sparse(6, 4, SYNAPSES, weight=weight[SYNAPSES[0], SYNAPSES[1]], norm=norm).double()
        full = Dense(6, 4, weight=weight, mask=weight != 0, norm=norm).double()
        assert_equal(sparse.weight, full.weight[there])
        pre, post = train(3, 2, 6), normal(3, 2, 4, seed=1)
        for _ in range(2):
            assert_equal(sparse(pre), full(pre))
            assert_equal(sparse.hebbian(post, pre), full.hebbian(post, pre)[:, *there])
            assert_equal(sparse.input_strength(), full.input_strength().expand(4, 6)[there])
            change = normal(4, 6, seed=3)
            sparse.apply_(change[there])
            full.apply_(change)
            assert_equal(sparse.weight, full.weight[there])


def test_weights_of_a_sparse_connection_follow_the_order_in_which_its_synapses_were_given() -> None:
    given_weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    connection = Sparse(6, 4, SYNAPSES, weight=given_weight)
    current = connection(torch.eye(6))
    for (post, pre), weight in zip(SYNAPSES.t().tolist(), given_weight, strict=True):
        assert current[pre, post] == weight
    assert current.count_nonzero() == 6


def test_masks_and_signs_of_a_sparse_connection_follow_the_same_order() -> None:
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    mask = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    connection = Sparse(6, 4, SYNAPSES, weight=2.0 * signs, signs=signs, mask=mask)
    current = connection(torch.eye(6))
    assert current[SYNAPSES[1], SYNAPSES[0]].tolist() == (2.0 * signs * mask).tolist()


def test_random_synapses_exist_with_the_density_asked_for_and_come_from_the_generator() -> None:
    """Within 5 standard errors of a binomial count."""
    pre, post, density = 60, 50, 0.2

    def random(seed: int) -> Sparse:
        return Sparse.random(pre, post, density, weight_std=1.0, generator=seeded(seed))

    error = math.sqrt(pre * post * density * (1 - density))
    assert abs(len(random(1).weight) - pre * post * density) < 5 * error
    assert torch.equal(random(1).weight, random(1).weight)
    assert torch.equal(random(1).pre_index, random(1).pre_index)
    assert not torch.equal(random(1).pre_index[:100], random(2).pre_index[:100])
    assert len(Sparse.random(3, 2, 1.0).weight) == 6


def test_a_one_to_one_connection_is_a_dense_one_with_a_diagonal() -> None:
    single = drawn(OneToOne, 4)
    full = dense(4, 4, weight=torch.diag(single.weight))
    pre, post = train(3, 2, 4), normal(3, 2, 4, seed=1)
    assert_equal(single(pre), full(pre))
    assert_equal(single.hebbian(post, pre), full.hebbian(post, pre).diagonal(dim1=1, dim2=2))


def test_a_mean_field_is_a_dense_connection_in_which_a_neuron_hears_all_alike() -> None:
    mean = drawn(MeanField, 5, 3)
    full = dense(5, 3, weight=(mean.weight / 5)[:, None].expand(3, 5))
    pre, post = train(3, 2, 5), normal(3, 2, 3, seed=1)
    assert_equal(mean(pre), full(pre))
    assert_equal(mean.hebbian(post, pre), full.hebbian(post, pre).mean(2))


def test_a_lateral_connection_never_connects_a_neuron_with_itself() -> None:
    connection = drawn(Lateral, 4, weight_mean=3.0)
    full = dense(4, 4, weight=connection.weight)
    spikes = train(3, 2, 4)
    assert_equal(connection(spikes), full(spikes))
    connection.apply_(torch.ones(4, 4, dtype=torch.float64))
    assert not connection.weight.diagonal().any()
    assert connection.weight.count_nonzero() == 12


def test_a_mask_of_a_lateral_connection_takes_away_further_synapses() -> None:
    assert Lateral(3, weight_mean=1.0, mask=torch.tensor([1, 1, 0])).weight.tolist() == [
        [0, 1, 0],
        [1, 0, 0],
        [1, 1, 0],
    ]
