from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Dense
from snnrl.networks import Network, NetworkState
from snnrl.neurons import LIF
from snnrl.state import compact, detach, leaves, reset_rows


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


@given(rows=st.integers(1, 4))
@settings(deadline=None, max_examples=4)
def test_a_detached_state_is_the_same_without_its_history(rows: int) -> None:
    weight = torch.tensor(2.0, requires_grad=True)
    state = tree(rows, 3)
    state = state._replace(left=state.left._replace(v=state.left.v * weight), right=torch.ones(rows, 2) * weight)
    after = detach(state)
    assert isinstance(after, Tree)
    assert isinstance(after.left, Leaf)
    assert after.left.v.data_ptr() == state.left.v.data_ptr()
    assert state.left.v.requires_grad
    assert not any(leaf.requires_grad for leaf in leaves(after))
    assert after.nothing == ()


def test_gradients_of_a_stretch_end_where_the_state_was_detached() -> None:
    """Of a whole network: the second window alone gives what it gives after a first that was cut off."""
    network = Network()
    network.add("input", 2)
    network.add("output", LIF(3, tau_mem=5.0, reset="soft", surrogate="atan"))
    network.connect("input", "output", Dense(2, 3, weight_mean=1.0, trainable=True))
    spikes = torch.ones(8, 1, 2)

    def gradient(state: NetworkState) -> Tensor:
        network.zero_grad()
        recording, _ = network.run({"input": spikes}, state)
        recording["output"]["spikes"].sum().backward()
        [weight] = network.parameters()
        assert weight.grad is not None
        return weight.grad.clone()

    _, state = network.run({"input": spikes})
    through, cut = gradient(state), gradient(detach(state))
    assert not torch.equal(through, cut)
    with torch.no_grad():
        _, plain = network.run({"input": spikes})
    assert torch.equal(cut, gradient(plain))


def test_a_compact_state_holds_no_memory_but_its_own() -> None:
    window = torch.randn(50, 3, 2)
    state = compact((window[-1], (torch.zeros(3),)))
    assert torch.equal(state[0], window[-1])
    assert [leaf.untyped_storage().nbytes() for leaf in leaves(state)] == [3 * 2 * 4, 3 * 4]
