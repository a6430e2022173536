from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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
from snnrl.errors import ConfigError
from snnrl.spikes import SparseSpikes

quick = settings(deadline=None, max_examples=30)


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


@pytest.mark.parametrize("kind", [kind for kind, make in KINDS.items() if len(make()[1]) == 1])
def test_sparse_spikes_drive_every_connection_of_flat_populations(kind: str) -> None:
    connection, shape = KINDS[kind]()
    pre = train(2, 3, *shape)
    current = connection(pre)
    post = normal(*current.shape, seed=1)
    assert_equal(connection(SparseSpikes.from_dense(pre)), current)
    assert_equal(connection.hebbian(post, SparseSpikes.from_dense(pre)), connection.hebbian(post, pre))


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
