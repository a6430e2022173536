from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.spikes import SparseSpikes, as_dtype, stack_spikes

quick = settings(deadline=None, max_examples=40)


def train(*shape: int, seed: int = 0, density: float = 0.4) -> Tensor:
    """Spikes with amplitudes: about ``density`` of the entries are not 0."""
    generator = torch.Generator().manual_seed(seed)
    fires = torch.rand(shape, generator=generator) < density
    return fires * (torch.rand(shape, generator=generator) + 0.5)


shapes = st.lists(st.integers(1, 4), min_size=2, max_size=4)
densities = st.sampled_from([0.0, 0.3, 1.0])


@given(shape=shapes, density=densities, seed=st.integers(0, 1000))
@quick
def test_dense_to_sparse_and_back_is_the_identity(shape: list[int], density: float, seed: int) -> None:
    spikes = train(*shape, seed=seed, density=density)
    sparse = SparseSpikes.from_dense(spikes)
    assert torch.equal(sparse.dense(), spikes)
    assert sparse.shape == tuple(spikes.shape)
    assert len(sparse.row) == len(sparse.index) == len(sparse.value) == int((spikes != 0).sum())


def test_events_are_listed_row_by_row_over_the_flattened_leading_dimensions() -> None:
    spikes = torch.zeros(2, 2, 3)
    spikes[0, 1, 2], spikes[1, 0, 0], spikes[1, 1, 1] = 1.0, 2.0, 3.0
    sparse = SparseSpikes.from_dense(spikes)
    assert sparse.row.tolist() == [1, 2, 3]
    assert sparse.index.tolist() == [2, 0, 1]
    assert sparse.value.tolist() == [1.0, 2.0, 3.0]
    assert (sparse.rows, sparse.size, sparse.row_count) == ((2, 2), 3, 4)


@given(shape=shapes, density=densities, seed=st.integers(0, 1000))
@quick
def test_offsets_are_where_each_rows_events_begin(shape: list[int], density: float, seed: int) -> None:
    sparse = SparseSpikes.from_dense(train(*shape, seed=seed, density=density))
    rows = sparse.row.tolist()
    assert sparse.offsets.tolist() == [sum(row < wanted for row in rows) for wanted in range(sparse.row_count)]


def test_rows_without_events_still_have_an_offset() -> None:
    spikes = torch.zeros(4, 2)
    spikes[1] = 1.0
    assert SparseSpikes.from_dense(spikes).offsets.tolist() == [0, 0, 2, 2]


def test_reshaped_rows_hold_the_same_events() -> None:
    spikes = train(2, 3, 5)
    sparse = SparseSpikes.from_dense(spikes)
    assert torch.equal(sparse.reshape_rows(6).dense(), spikes.view(6, 5))
    assert torch.equal(sparse.reshape_rows(3, 1, 2).dense(), spikes.view(3, 1, 2, 5))


@given(count=st.integers(1, 4), shape=shapes, density=densities)
@quick
def test_stacking_is_what_torch_stack_does_to_dense_spikes(count: int, shape: list[int], density: float) -> None:
    windows = [train(*shape, seed=seed, density=density) for seed in range(count)]
    stacked = stack_spikes([SparseSpikes.from_dense(window) for window in windows])
    assert torch.equal(stacked.dense(), torch.stack(windows))
    assert stacked.row.tolist() == sorted(stacked.row.tolist()), "events are sorted by row"


def test_amplitudes_keep_their_precision() -> None:
    spikes = train(3, 4).double()
    assert SparseSpikes.from_dense(spikes).dense().dtype == torch.float64


def test_spikes_cannot_be_exchanged_after_they_were_made() -> None:
    sparse = SparseSpikes.from_dense(train(2, 2))
    with pytest.raises(AttributeError, match="cannot assign to field 'size'"):
        sparse.size = 3  # type: ignore[misc]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16, torch.bool, torch.uint8, torch.int64])
@pytest.mark.parametrize("wanted", [torch.float32, torch.float64])
def test_numbers_of_any_dtype_are_cast_to_what_takes_them(dtype: torch.dtype, wanted: torch.dtype) -> None:
    values = torch.tensor([0, 1, 1]).to(dtype)
    cast = as_dtype(values, wanted)
    assert cast.dtype == wanted
    assert cast.tolist() == [0.0, 1.0, 1.0]


def test_numbers_that_have_the_dtype_are_not_copied() -> None:
    values, sparse = torch.ones(3), SparseSpikes.from_dense(train(2, 3))
    assert as_dtype(values, torch.float32) is values
    assert sparse.to(torch.float32) is sparse


def test_what_is_no_real_number_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"^current=torch.complex64: must be real numbers$"):
        as_dtype(torch.zeros(2, dtype=torch.complex64), torch.float32, "current")
    with pytest.raises(ConfigError, match=r"^spikes=list: must be a tensor$"):
        as_dtype([1.0], torch.float32)  # type: ignore[arg-type]


def test_amplitudes_are_cast_and_events_stay() -> None:
    spikes = train(2, 3, 4) != 0
    cast = SparseSpikes.from_dense(spikes).to(torch.float64)
    assert torch.equal(cast.dense(), spikes.double())


@given(shape=shapes, density=densities, seed=st.integers(0, 1000))
@quick
def test_rows_are_split_as_those_of_the_dense_tensor(shape: list[int], density: float, seed: int) -> None:
    spikes = train(*shape, seed=seed, density=density)
    flat = spikes.flatten(0, -2)
    for rows in range(1, len(flat) + 2):
        parts = list(SparseSpikes.from_dense(spikes).split_rows(rows))
        assert [len(part.dense()) for part in parts] == [len(part) for part in flat.split(rows)]
        assert torch.equal(torch.cat([part.dense() for part in parts]), flat)
