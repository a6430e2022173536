from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.state import reset_rows


class Leaf(NamedTuple):
    v: Tensor
    count: Tensor


class Tree(NamedTuple):
    left: Leaf
    right: Tensor
    nothing: tuple[()]


def tree(batch: int, fill: int) -> Tree:
    return Tree(
        Leaf(torch.full((batch, 2, 3), float(fill)), torch.full((batch,), fill)), torch.full((batch, 0), fill), ()
    )


@given(rows=st.lists(st.booleans(), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30)
def test_reset_rows_are_fresh_and_the_others_untouched(rows: list[bool]) -> None:
    batch = len(rows)
    old, new = tree(batch, 7), tree(batch, 1)
    after = reset_rows(old, new, torch.tensor(rows))
    for row, reset in enumerate(rows):
        expected = 1 if reset else 7
        assert after.left.v[row].tolist() == [[expected] * 3] * 2
        assert after.left.count[row].item() == expected
    assert old.left.v.eq(7).all(), "the old state is left as it was"


def test_the_result_has_the_types_of_the_state() -> None:
    after = reset_rows(tree(2, 7), tree(2, 1), torch.tensor([True, False]))
    assert isinstance(after, Tree)
    assert isinstance(after.left, Leaf)
    assert after.left.count.dtype == torch.int64
    assert after.right.shape == (2, 0)
    assert after.nothing == ()


def test_plain_tuples_are_states_too() -> None:
    state = (torch.zeros(2), (torch.zeros(2, 1),))
    fresh = (torch.ones(2), (torch.ones(2, 1),))
    after = reset_rows(state, fresh, torch.tensor([False, True]))
    assert type(after) is tuple
    assert after[0].tolist() == [0.0, 1.0]
    assert after[1][0].tolist() == [[0.0], [1.0]]


def test_what_is_not_a_number_does_not_survive_a_reset() -> None:
    """A product with a mask would keep it."""
    state = (torch.full((2, 1), torch.nan),)
    after = reset_rows(state, (torch.zeros(2, 1),), torch.tensor([True, False]))
    assert after[0][0].item() == 0.0
    assert after[0][1].isnan()


def test_states_of_different_length_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        reset_rows((torch.zeros(1), torch.zeros(1)), (torch.zeros(1),), torch.tensor([True]))
