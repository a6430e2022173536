"""Small changes of weights in bfloat16 add up."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Connection, Conv2d, Dense, Lateral, Local1d, MeanField, OneToOne, Sparse
from snnrl.connections.narrow import narrowed, widened
from snnrl.errors import ConfigError

KINDS: dict[str, Callable[..., Connection]] = {
    "dense": lambda **more: Dense(5, 3, **more),
    "lateral": lambda **more: Lateral(4, **more),
    "sparse": lambda **more: Sparse(3, 3, torch.tensor([[0, 1, 1], [1, 0, 2]]), **more),
    "convolution": lambda **more: Conv2d(2, 3, 2, **more),
    "local": lambda **more: Local1d(5, 2, 3, 2, **more),
    "one to one": lambda **more: OneToOne((2, 3), **more),
    "mean field": lambda **more: MeanField(5, 3, **more),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair(kind: str = "dense", **more: Any) -> tuple[Connection, Connection]:
    """A connection in bfloat16, and one in float32 that begins with the same weights."""
    narrow = KINDS[kind](**{"weight_std": 0.5, "dtype": torch.bfloat16, "generator": seeded()} | more)
    return narrow, KINDS[kind](**more | {"weight": narrow.weight.detach().float()})


def small_change(connection: Connection, step: int) -> Tensor:
    return 1e-3 * torch.randn(connection.weight.shape, generator=seeded(step))


def assert_nearest(narrow: Connection, wide: Connection) -> None:
    """What is read is the bfloat16 nearest to the weight in float32, to the last bits of that."""
    near = wide.weight.detach()
    spacing = torch.finfo(torch.bfloat16).eps * near.abs()
    assert ((narrow.weight.float() - near).abs() <= 0.51 * spacing + 1e-7).all()


@every_kind
def test_changes_too_small_for_bfloat16_add_up_as_in_float32(kind: str) -> None:
    connection = KINDS[kind](weight_mean=0.5, dtype=torch.bfloat16)
    there = connection.weight != 0
    for _ in range(100):
        connection.apply_(torch.full(connection.weight.shape, 0.001))
    assert connection.weight.dtype == torch.bfloat16
    assert (connection.weight[there] == torch.tensor(0.6).bfloat16()).all()


@every_kind
@pytest.mark.parametrize("constraint", [{}, {"bounds": (-0.5, 0.75)}, {"norm": 1.5}])
def test_weights_in_bfloat16_follow_those_in_float32(kind: str, constraint: dict[str, Any]) -> None:
    narrow, wide = pair(kind, **constraint)
    wide.apply_(torch.zeros_like(wide.weight))
    narrow.apply_(torch.zeros(narrow.weight.shape))
    for step in range(200):
        for each in (narrow, wide):
            each.apply_(small_change(each, step))
    assert_nearest(narrow, wide)


def test_only_weights_that_have_learned_take_more_memory() -> None:
    narrow, wide = pair()
    assert list(narrow.state_dict()) == ["weight"]
    for each in (narrow, wide):
        each.apply_(small_change(each, 0))
    assert list(wide.state_dict()) == ["weight"]
    assert {key: value.dtype for key, value in narrow.state_dict().items()} == {
        "weight": torch.bfloat16,
        "lower_half": torch.int16,
    }


def loaded(connection: Connection) -> Connection:
    other = KINDS["dense"](dtype=torch.bfloat16)
    other.load_state_dict(connection.state_dict())
    return other


COPIES: dict[str, Callable[[Connection], Connection]] = {
    "copied": copy.deepcopy,
    "pickled": lambda connection: pickle.loads(pickle.dumps(connection)),
    "loaded": loaded,
    "moved": lambda connection: connection.to("cpu"),
}


@pytest.mark.parametrize("way", COPIES)
def test_learning_goes_on_to_the_bit_where_weights_were(way: str) -> None:
    whole, _ = pair()
    for step in range(40):
        whole.apply_(small_change(whole, step))
        if step == 20:
            other = COPIES[way](copy.deepcopy(whole))
        elif step > 20:
            other.apply_(small_change(other, step))
    for key, value in whole.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)


def test_a_checkpoint_without_lower_halves_is_loaded() -> None:
    connection, _ = pair()
    before = connection.state_dict()
    before = {key: value.clone() for key, value in before.items()}
    connection.apply_(small_change(connection, 0))
    connection.load_state_dict(before)
    assert connection.lower_half is None
    assert torch.equal(connection.weight, before["weight"])


def test_loading_something_else_leaves_lower_halves_alone() -> None:
    connection, _ = pair()
    connection.apply_(small_change(connection, 0))
    before = connection.lower_half
    connection.load_state_dict({}, strict=False)
    assert before is not None
    assert connection.lower_half is before


@pytest.mark.parametrize("way", ["in place", "behind torch's back"])
def test_weights_that_someone_sets_are_what_changes_are_added_to(way: str) -> None:
    connection, _ = pair()
    connection.apply_(small_change(connection, 0))
    for value in (0.0, 1.0, -2.0):
        target = connection.weight.data if way != "in place" else connection.weight
        with torch.no_grad():
            target.fill_(value)
        connection.apply_(torch.full((3, 5), 0.25))
        assert (connection.weight == value + 0.25).all()


def test_rules_on_float16_are_refused_by_name() -> None:
    connection = Dense(5, 3, weight_std=0.5, dtype=torch.float16)
    assert connection(torch.ones(1, 5)).dtype == torch.float32
    with pytest.raises(ConfigError, match=r"^dtype=torch.float16: must be torch.bfloat16, float32 or float64"):
        connection.apply_(torch.ones(3, 5))


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int32])
def test_weights_that_cannot_be_multiplied_are_refused_by_name(dtype: torch.dtype) -> None:
    with pytest.raises(ConfigError, match=r"^dtype=torch\.\w+: must be "):
        Dense(5, 3, dtype=dtype)


@given(
    value=st.floats(-(2.0**100), 2.0**100, width=32)
    | st.sampled_from([0.0, -0.0, 1e-45, -1e-45, 1e-39, 1.00390625, -1.00390625, 1.01171875, 3.3e38])
)
@settings(deadline=None, max_examples=200)
def test_halves_make_the_whole_but_for_the_last_bit(value: float) -> None:
    wide = torch.tensor([value])
    upper = torch.empty(1, dtype=torch.bfloat16)
    lower = narrowed(wide, upper)
    assert torch.equal(upper, wide.bfloat16())
    again = widened(upper, lower)
    if upper.item() != 0:
        assert (again.view(torch.int32) - wide.view(torch.int32)).abs().item() <= 1
    else:
        assert abs(again.item()) < 1e-40


def _learned_in_bfloat16() -> Dense:
    connection = Dense(2, 2, weight=torch.full((2, 2), 0.5), dtype=torch.bfloat16)
    for _ in range(2):
        connection.apply_(torch.full((2, 2), 0.0005))
    return connection


def test_weights_that_are_made_wider_keep_what_rules_added_to_them() -> None:
    torch.testing.assert_close(_learned_in_bfloat16().float().weight.data, torch.full((2, 2), 0.501))


def test_weights_saved_in_bfloat16_are_loaded_whole_into_wider_ones() -> None:
    wider = Dense(2, 2)
    wider.load_state_dict(_learned_in_bfloat16().state_dict())
    torch.testing.assert_close(wider.weight.data, torch.full((2, 2), 0.501))
    assert "lower_half" not in wider.state_dict()
