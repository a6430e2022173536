"""What a connection is told about its weights, for all kinds of connections."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Connection, Conv1d, Conv2d, Dense, Lateral, Local1d, MeanField, OneToOne, Sparse
from snnrl.errors import ConfigError
from snnrl.spikes import SparseSpikes

quick = settings(deadline=None, max_examples=20)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed))


SYNAPSES = torch.tensor([[0, 0, 1, 3, 3, 3], [0, 5, 1, 0, 2, 5]])

KINDS: dict[str, tuple[Callable[..., Connection], tuple[int, ...], tuple[int, ...]]] = {
    "dense": (lambda **more: Dense(5, 3, **more), (5,), (3, 5)),
    "lateral": (lambda **more: Lateral(4, **more), (4,), (4, 4)),
    "sparse": (lambda **more: Sparse(6, 4, SYNAPSES, **more), (6,), (6,)),
    "convolution on a line": (lambda **more: Conv1d(2, 3, 2, **more), (2, 4), (3, 2, 2)),
    "convolution": (lambda **more: Conv2d(2, 3, 2, **more), (2, 3, 4), (3, 2, 2, 2)),
    "local": (lambda **more: Local1d(5, 2, 3, 2, **more), (2, 5), (3, 4, 4)),
    "one to one": (lambda **more: OneToOne((2, 3), **more), (2, 3), (2, 3)),
    "mean field": (lambda **more: MeanField(5, 3, **more), (5,), (3,)),
}
"""A connection of given settings, the shape of its presynaptic population, and that of its weights."""
every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind: str, **settings: Any) -> Connection:
    return KINDS[kind][0](**{"weight_std": 1.0, "generator": seeded(9)} | settings)


def coin(kind: str, seed: int, values: tuple[int, int]) -> Tensor:
    """One of two values for each weight."""
    return torch.tensor(values)[torch.randint(2, KINDS[kind][2], generator=seeded(seed))]


def after_construction_and_changes(connection: Connection, scale: float, seed: int) -> list[Tensor]:
    """The weights as they are made, and after each of three changes."""
    weights = [connection.weight.clone()]
    for step in range(3):
        connection.apply_(scale * normal(*connection.weight.shape, seed=seed + step))
        weights.append(connection.weight.clone())
    return weights


changes = given(scale=st.just(0.0) | st.floats(1e-3, 50.0), seed=st.integers(0, 200))


@every_kind
@changes
@quick
def test_bounds_mask_and_signs_hold_together_after_any_change(kind: str, scale: float, seed: int) -> None:
    mask, signs = coin(kind, seed, (0, 1)), coin(kind, seed + 1, (-1, 1))
    connection = made(kind, bounds=(-0.8, 1.5), mask=mask, signs=signs)
    for weight in after_construction_and_changes(connection, scale, seed):
        assert weight.min() >= -0.8
        assert weight.max() <= 1.5
        assert not weight[mask == 0].any()
        assert (weight * signs >= 0).all()


@every_kind
@changes
@quick
def test_absolute_weights_of_each_neuron_sum_to_the_norm_after_any_change(kind: str, scale: float, seed: int) -> None:
    connection = made(kind, norm=2.5)
    for weight in after_construction_and_changes(connection, scale, seed):
        strength = summed_by_hand(kind, weight)
        torch.testing.assert_close(strength, torch.full_like(strength, 2.5), rtol=1e-5, atol=0)


def summed_by_hand(kind: str, weight: Tensor) -> Tensor:
    """The absolute weights of each postsynaptic neuron or kernel that has any, summed."""
    if kind == "sparse":
        return torch.stack([weight[SYNAPSES[0] == neuron].abs().sum() for neuron in (0, 1, 3)])
    if kind in ("one to one", "mean field"):
        return weight.abs()
    return weight.abs().sum(-1) if kind == "local" else weight.abs().flatten(1).sum(1)


@every_kind
@changes
@quick
def test_norm_keeps_to_mask_and_signs(kind: str, scale: float, seed: int) -> None:
    mask, signs = coin(kind, seed, (0, 1)), coin(kind, seed + 1, (-1, 1))
    connection = made(kind, norm=0.5, mask=mask, signs=signs)
    for weight in after_construction_and_changes(connection, scale, seed):
        assert not weight[mask == 0].any()
        assert (weight * signs >= 0).all()
        strength = summed_by_hand(kind, weight)
        near = torch.isclose(strength, torch.tensor(0.5), rtol=1e-5)
        assert (near | (strength == 0)).all(), "a neuron without synapses has nothing to scale"


def test_order_of_what_is_held_is_bounds_then_signs_then_mask_then_norm_then_bounds_again() -> None:
    connection = Dense(
        4,
        1,
        weight=torch.tensor([[3.0, -1.0, 0.5, 0.5]]),
        bounds=(-2.0, 2.0),
        signs=torch.tensor([1, 1, 1, 1]),
        mask=torch.tensor([1, 1, 1, 0]),
        norm=5.0,
    )
    assert connection.weight.tolist() == [[2.0, 0.0, 1.0, 0.0]]


def test_dales_law_is_given_for_each_presynaptic_neuron() -> None:
    signs = torch.tensor([1, -1, 1, -1, 1])
    connection = made("dense", signs=signs, weight_std=3.0)
    for neuron in range(5):
        assert (connection.weight[:, neuron] * signs[neuron] >= 0).all()
    assert connection.weight.count_nonzero() > 3


def test_a_weight_that_a_change_pushes_across_zero_stops_there_and_can_come_back() -> None:
    connection = Dense(1, 1, weight=torch.tensor([[1.0]]), signs=torch.tensor([1]))
    seen = []
    for change in (-3.0, 0.5):
        connection.apply_(torch.tensor([[change]]))
        seen.append(connection.weight.item())
    assert seen == [0.0, 0.5]


@every_kind
def test_given_weights_are_copied_and_taken_as_they_are(kind: str) -> None:
    weight = normal(*KINDS[kind][2], seed=4) * (1 - torch.eye(4) if kind == "lateral" else 1)
    given_weight = weight.clone()
    connection = made(kind, weight=given_weight)
    assert torch.equal(connection.weight, weight)
    given_weight.zero_()
    assert torch.equal(connection.weight, weight)


@every_kind
def test_without_settings_weights_are_zero_and_not_trained(kind: str) -> None:
    connection = KINDS[kind][0]()
    assert not connection.weight.any()
    assert not connection.weight.requires_grad


@every_kind
def test_what_constrains_the_weights_is_not_saved_but_the_weights_are(kind: str) -> None:
    saved = made(kind, mask=coin(kind, 0, (0, 1)), signs=coin(kind, 1, (-1, 1))).state_dict()
    assert "weight" in saved
    assert not {"mask", "signs"} & set(saved)


@every_kind
def test_bfloat16_weights_carry_float32_spikes_and_are_changed_by_float32(kind: str) -> None:
    """All products here are exact in bfloat16, which keeps 8 bits: small integers."""
    connection, wide = made(kind, dtype=torch.bfloat16), made(kind)
    shape = KINDS[kind][1]
    whole = torch.randint(-3, 4, connection.weight.shape, generator=seeded(1)).float()
    for each in (connection, wide):
        each.apply_(-each.weight.float())
        each.apply_(whole)
    assert connection.weight.dtype == torch.bfloat16
    pre = (torch.rand(2, 3, *shape, generator=seeded(2)) < 0.5).float()
    current = connection(pre)
    assert current.dtype == torch.float32
    assert torch.allclose(current, wide(pre), rtol=0.01, atol=0)
    post = torch.randint(-2, 3, current.shape, generator=seeded(3)).float()
    product = connection.hebbian(post, pre)
    assert product.dtype == torch.float32
    assert torch.equal(product, wide.hebbian(post, pre))
    assert connection.new_eligibility(2).dtype == torch.float32
    assert connection.sum_rows(product, torch.ones(3)).dtype == torch.float32
    connection.apply_(product.sum(0))
    assert connection.weight.dtype == torch.bfloat16


@every_kind
@changes
@quick
def test_bfloat16_weights_hold_their_constraints_to_their_precision(kind: str, scale: float, seed: int) -> None:
    mask, signs = coin(kind, seed, (0, 1)), coin(kind, seed + 1, (-1, 1))
    connection = made(kind, dtype=torch.bfloat16, bounds=(-0.5, 1.0), mask=mask, signs=signs)
    for weight in after_construction_and_changes(connection, scale, seed):
        assert weight.min() >= -0.5
        assert weight.max() <= 1.0
        assert not weight[mask == 0].any()
        assert (weight * signs >= 0).all()


def test_a_large_bfloat16_matrix_driven_by_few_spikes_gives_the_dense_current() -> None:
    connection = Dense(1024, 512, weight_std=1.0, dtype=torch.bfloat16, generator=seeded())
    spikes = (torch.rand(3, 4, 1024, generator=seeded(1)) < 0.02).float()
    expected = spikes.double() @ connection.weight.double().t()
    torch.testing.assert_close(connection(spikes).double(), expected, rtol=1e-5, atol=1e-5)


def test_sparse_spikes_drive_bfloat16_weights() -> None:
    connection = made("dense", dtype=torch.bfloat16)
    spikes = (torch.rand(3, 5, generator=seeded()) < 0.5).float()
    torch.testing.assert_close(connection(SparseSpikes.from_dense(spikes)), connection(spikes), rtol=0.01, atol=0.01)


@every_kind
def test_trainable_weights_get_a_gradient_and_remain_leaves_after_a_change(kind: str) -> None:
    connection = made(kind, trainable=True)
    pre = normal(2, 3, *KINDS[kind][1])
    current = connection(pre)
    post = normal(*current.shape, seed=1)
    (current * post).sum().backward()
    gradient = connection.weight.grad
    assert gradient is not None
    torch.testing.assert_close(gradient, connection.hebbian(post, pre).sum(0).detach(), rtol=1e-4, atol=1e-5)
    connection.apply_(torch.ones_like(connection.weight))
    assert connection.weight.is_leaf
    assert connection.weight.requires_grad


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"bounds": (1.0, 1.0)},
            r"^bounds=\(1.0, 1.0\): must be a pair \(lowest, highest\) with lowest below highest$",
        ),
        ({"bounds": (0.0, math.nan)}, r"^bounds=\(0.0, nan\): must be a pair"),
        ({"weight": torch.zeros(5, 3)}, r"^weight=\[5, 3\]: must be of shape \[3, 5\]$"),
        ({"weight": torch.full((3, 5), math.nan)}, r"^weight=not finite: must be finite in every entry$"),
        ({"mask": torch.ones(3)}, r"^mask=\[3\]: must be of a shape that broadcasts to \[3, 5\]$"),
        ({"mask": torch.ones(1, 3, 5)}, r"^mask=\[1, 3, 5\]: must be of a shape that broadcasts to \[3, 5\]$"),
        ({"mask": torch.tensor([1, 1, 2, 1, 1])}, r"^mask=tensor\(.*\): must be 0 or 1 in every entry$"),
        ({"signs": torch.ones(4)}, r"^signs=\[4\]: must be of a shape that broadcasts to \[3, 5\]$"),
        ({"signs": torch.tensor([1, 1, 0, 1, 1])}, r"^signs=tensor\(.*\): must be -1 or 1 in every entry$"),
        ({"norm": 0.0}, r"^norm=0.0: must be a positive sum of absolute weights$"),
        ({"norm": -1.0}, r"^norm=-1.0: must be a positive sum of absolute weights$"),
        ({"norm": math.inf}, r"^norm=inf: must be a positive sum of absolute weights$"),
        ({"norm": math.nan}, r"^norm=nan: must be a positive sum of absolute weights$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made("dense", **settings)


@every_kind
def test_weights_of_another_shape_are_refused_by_every_kind(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"^weight=\[7, 7, 7\]: must be of shape \["):
        made(kind, weight=torch.zeros(7, 7, 7))


@every_kind
def test_a_misspelt_setting_is_refused(kind: str) -> None:
    with pytest.raises((ConfigError, TypeError), match="weigth_std"):
        made(kind, weigth_std=1.0)


def test_a_lateral_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^mask=\[3\]: must be of a shape that broadcasts to \[4, 4\]$"):
        Lateral(4, mask=torch.ones(3))


def test_norm_does_not_take_weights_beyond_their_bounds() -> None:
    assert Dense(2, 1, weight=torch.ones(1, 2), bounds=(0.0, 1.0), norm=10.0).weight.max() <= 1.0


def test_a_neuron_whose_weights_all_but_vanish_keeps_finite_weights() -> None:
    assert torch.isfinite(Dense(2, 1, weight=torch.full((1, 2), 1e-42), norm=1.0).weight).all()


def test_the_mask_of_a_lateral_connection_may_be_a_list_or_nothing() -> None:
    masked = Lateral(2, weight_mean=1.0, mask=[[1, 0], [1, 1]])  # type: ignore[typeddict-item]
    assert masked.weight.tolist() == [[0, 0], [1, 0]]
    assert Lateral(2, weight_mean=1.0, mask=None).weight.tolist() == [[0, 1], [1, 0]]  # type: ignore[typeddict-item]
