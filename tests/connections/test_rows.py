"""A change of a few postsynaptic neurons is that of a whole matrix which is 0 elsewhere."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from snnrl.connections import Connection, Conv2d, Dense, Sparse

SETTINGS: Mapping[str, dict[str, Any]] = {
    "nothing": {},
    "bounds": {"bounds": (-0.2, 0.3)},
    "norm": {"norm": 2.0},
    "bounds from 0 and norm": {"bounds": (0.0, float("inf")), "norm": 2.0},
    "bounds around 0 and norm": {"bounds": (-0.5, 0.4), "norm": 2.0},
    "mask and norm": {"mask": torch.tensor([[1], [0], [1], [1], [1]]), "norm": 2.0},
    "signs": {"signs": torch.tensor([1, -1, 1, 1])},
    "bfloat16": {"dtype": torch.bfloat16, "norm": 2.0},
}


def check(connection: Connection, rows: torch.Tensor) -> None:
    connection.constrain_()
    whole, before = copy.deepcopy(connection), connection.weight.clone()
    delta = 0.3 * torch.randn(len(rows), *before.shape[1:], generator=torch.Generator().manual_seed(1))
    connection.apply_(delta, rows)
    whole.apply_(torch.zeros_like(before, dtype=delta.dtype).index_copy_(0, rows, delta))
    torch.testing.assert_close(connection.weight[rows], whole.weight[rows])
    assert not torch.equal(connection.weight, before)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("by_pre", [True, False])
def test_rows_of_a_dense_connection_are_changed_and_held_to_what_was_set(name: str, by_pre: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    connection = Dense(4, 5, by_pre=by_pre, weight_std=0.3, generator=draw, **SETTINGS[name])
    check(connection, torch.tensor([0, 2, 4]))


def test_kernels_of_a_convolution_and_single_synapses_are_rows_too() -> None:
    draw = torch.Generator().manual_seed(0)
    check(Conv2d(2, 5, 3, weight_std=0.3, norm=2.0, generator=draw), torch.tensor([1, 4]))
    synapses = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 2]])
    check(Sparse(3, 2, synapses, weight_std=0.3, norm=2.0, generator=draw), torch.tensor([1, 3]))


def test_rows_that_do_not_change_keep_every_bit() -> None:
    connection = Dense(40, 5, by_pre=False, weight=torch.rand(5, 40), bounds=(0.0, float("inf")), norm=7.0)
    before = connection.weight.clone()
    connection.apply_(torch.rand(2, 40), torch.tensor([1, 3]))
    assert torch.equal(connection.weight[[0, 2, 4]], before[[0, 2, 4]])


def test_weights_that_lie_by_postsynaptic_neuron_do_so_after_copies_and_loading() -> None:
    connection = Dense(4, 3, by_pre=False, weight_std=1.0)
    other = Dense(4, 3, weight_std=1.0)
    spikes = torch.rand(2, 4)
    other.load_state_dict(connection.state_dict())
    assert connection.weight.is_contiguous()
    assert copy.deepcopy(connection).double().weight.is_contiguous()
    assert not other.weight.is_contiguous()
    torch.testing.assert_close(connection(spikes), other(spikes))
