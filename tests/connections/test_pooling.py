from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from snnrl.connections import Connection, Pool
from snnrl.errors import ConfigError
from snnrl.spikes import SparseSpikes


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.3).double()


def test_max_passes_a_spike_on_where_one_neuron_of_the_field_fires() -> None:
    line = torch.tensor([[[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]])
    assert Pool(1, 2)(line).tolist() == [[[0.0, 1.0, 1.0]]]


def test_mean_passes_on_the_share_of_the_field_that_fires() -> None:
    line = torch.tensor([[[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]]])
    assert Pool(1, 2, mode="mean")(line).tolist() == [[[0.0, 0.5, 1.0]]]


def test_fields_on_a_plane_by_hand() -> None:
    plane = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0]]).view(1, 1, 3, 4)
    assert Pool(2, (1, 2))(plane).tolist() == [[[[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]]]
    assert Pool(2, (3, 2), mode="mean")(plane).flatten().tolist() == pytest.approx([2 / 6, 1 / 6])


def test_fields_that_overlap_by_a_stride_below_their_extent() -> None:
    line = torch.tensor([[[0.0, 1.0, 0.0, 0.0]]])
    assert Pool(1, 2, stride=1)(line).tolist() == [[[1.0, 1.0, 0.0]]]


POOLS: dict[tuple[int, str], Callable[..., Tensor]] = {
    (1, "max"): functional.max_pool1d,
    (2, "max"): functional.max_pool2d,
    (3, "max"): functional.max_pool3d,
    (1, "mean"): functional.avg_pool1d,
    (2, "mean"): functional.avg_pool2d,
    (3, "mean"): functional.avg_pool3d,
}


@pytest.mark.parametrize(("dimensions", "mode"), POOLS)
@pytest.mark.parametrize("stride", [None, 1, 3])
def test_pooling_is_that_of_torch(dimensions: int, mode: str, stride: int | None) -> None:
    maps = spikes(4, 2, *(5, 7, 6)[:dimensions])
    pooled = Pool(dimensions, 2, mode=mode, stride=stride)(maps)  # type: ignore[arg-type]
    torch.testing.assert_close(pooled, POOLS[dimensions, mode](maps, 2, stride), rtol=1e-12, atol=0)


@pytest.mark.parametrize("mode", ["max", "mean"])
def test_time_and_batch_lead_as_one(mode: str) -> None:
    maps = spikes(3, 4, 2, 6, 5)
    pool = Pool(2, (2, 3), mode=mode, stride=(1, 2))  # type: ignore[arg-type]
    pooled = pool(maps)
    assert pooled.shape == (3, 4, 2, 5, 2)
    assert torch.equal(pooled.flatten(0, 1), pool(maps.flatten(0, 1)))


def test_sparse_spikes_are_pooled_as_dense_ones() -> None:
    maps = spikes(3, 2, 6, 4)
    assert torch.equal(Pool(2, 2)(SparseSpikes.from_dense(maps)), Pool(2, 2)(maps))


def test_pooling_has_nothing_to_learn_and_nothing_to_save() -> None:
    pool = Pool(2, 2)
    assert not isinstance(pool, Connection)
    assert list(pool.parameters()) == []
    assert pool.state_dict() == {}


def test_a_gradient_passes_through_both_modes() -> None:
    maps = torch.tensor([[[0.0, 1.0, 0.5, 0.25]]], requires_grad=True)
    for mode, expected in (("max", [0.0, 1.0, 1.0, 0.0]), ("mean", [0.5, 0.5, 0.5, 0.5])):
        (gradient,) = torch.autograd.grad(Pool(1, 2, mode=mode)(maps).sum(), maps)  # type: ignore[arg-type]
        assert gradient.flatten().tolist() == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pool(4, 2), r"^dimensions=4: must be 1, 2 or 3$"),
        (lambda: Pool(0, 2), r"^dimensions=0: must be 1, 2 or 3$"),
        (lambda: Pool(2, 2, mode="sum"), r"^mode=sum: must be max or mean$"),  # type: ignore[arg-type]
        (lambda: Pool(2, 0), r"^kernel_size=0: must be positive$"),
        (lambda: Pool(2, (2, 2, 2)), r"^kernel_size=\(2, 2, 2\): must be a number or a tuple of 2$"),
        (lambda: Pool(2, 2, stride=0), r"^stride=0: must be positive$"),
        (lambda: Pool(2, 2, stride=(1,)), r"^stride=\(1,\): must be a number or a tuple of 2$"),
        (lambda: Pool(2, 2)(torch.zeros(2, 4, 4)), r"^spikes=\[2, 4, 4\]: must be of shape \[\.\.\., channels"),
        (
            lambda: Pool(1, 5)(torch.zeros(1, 1, 4)),
            r"^kernel_size=\(5,\): must be at most the padded population \(4,\)$",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
