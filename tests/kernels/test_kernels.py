"""Compiled loops against plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from snnrl.connections import Dense
from snnrl.kernels import add_outer_events, frame_events
from snnrl.kernels import frames as frames_kernel
from snnrl.kernels.frames import DIRECTIONS, MOST_OBJECTS, Figure, Layout
from snnrl.spikes import SparseSpikes

LEVELS = (20, 60, 98, 142)
LAYOUT = Layout(48, 32, 7)
BANDS = (np.arange(256) * 6 // 256).astype(np.uint8)
FIGURES = {
    "none": Figure(-1, 0, 0, 0, 0, False, True),
    "wide": Figure(98, 24, 40, 0, 32, False, True),
    "tall": Figure(20, 0, 40, 8, 16, True, False),
    "roaming": Figure(142, 0, 40, 0, 32, True, True),
}


def noise(seed: int, batch: int, rows: int = 40, density: float = 0.3) -> NDArray[np.uint8]:
    """Frames ``[batch, rows, 32]`` of which a share of the pixels have any luminance, often a listed one."""
    generator = np.random.default_rng(seed)
    shape = (batch, rows, LAYOUT.width)
    luminance = np.where(
        generator.random(shape) < 0.7, generator.choice(LEVELS, shape), generator.integers(256, size=shape)
    )
    return np.where(generator.random(shape) < density, luminance, 0).astype(np.uint8)


def nothing_seen(batch: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    return np.zeros((batch, MOST_OBJECTS, 4), np.int32), np.tile(np.array([20, 16]), (batch, 1))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    figure=st.sampled_from(list(FIGURES.values())),
    rows=st.integers(33, 40),
    batch=st.integers(1, 4),
    density=st.sampled_from([0.0, 0.01, 0.3]),
)
def test_events_are_sorted_and_distinct_and_lie_in_the_layout(
    seed: int, figure: Figure, rows: int, batch: int, density: float
) -> None:
    background = noise(seed, 1, rows, 0.1)[0]
    objects, centre = nothing_seen(batch)
    for time in range(3):
        frames = noise(seed + time, batch, rows, density)
        row, index, objects, centre = frame_events(frames, background, BANDS, objects, centre, LAYOUT, figure)
        events = list(zip(row.tolist(), index.tolist(), strict=True))
        assert row.dtype == index.dtype == centre.dtype == np.int64
        assert objects.dtype == np.int32
        assert events == sorted(set(events))
        assert 0 <= index.min() <= index.max() == LAYOUT.size - 1
        assert row[index == LAYOUT.size - 1].tolist() == list(range(batch)), "one neuron always spikes"
        seen = objects[..., 3] > 0
        assert (seen[:, :-1] >= seen[:, 1:]).all(), "objects are listed without a gap"
        assert (objects[seen][:, 1] < rows).all()
        assert (centre >= 0).all()
        assert (centre < [rows, LAYOUT.width]).all()


@pytest.mark.parametrize("name", FIGURES)
def test_compiled_loops_do_as_the_interpreter_does(name: str) -> None:
    background, compiled = noise(9, 1, density=0.1)[0], nothing_seen(2)
    plain = compiled
    for time in range(3):
        frames = noise(time, 2, density=0.1)
        bits, *after = frames_kernel._see.py_func(frames, background, BANDS, *plain, *LAYOUT, *FIGURES[name])
        expected = frames_kernel._list.py_func(bits, LAYOUT.tiles, LAYOUT.channels)
        row, index, *compiled = frame_events(frames, background, BANDS, *compiled, LAYOUT, FIGURES[name])
        assert np.array_equal(row, expected[0])
        assert np.array_equal(index, expected[1])
        assert all(map(np.array_equal, compiled, after))
        plain = after


def test_every_size_of_a_layout_follows_from_its_tiles() -> None:
    layout = Layout(160, 160, 7)
    assert layout.tiles == 20 * 40
    assert layout.size == 800 * 7 + (1600 + 200) * (7 + DIRECTIONS) + 1


def test_frame_events_take_memory_in_any_order() -> None:
    """A cut of larger frames, and states that one row of memory stands for."""
    frames, background = noise(1, 3), noise(2, 1)[0]
    objects, centre = nothing_seen(3)
    expected = frame_events(frames, background, BANDS, objects, centre, LAYOUT, FIGURES["roaming"])
    larger = np.concatenate([frames[:, :3], frames, frames[:, 3:]], axis=1)[:, 3:43]
    turned = np.asfortranarray(background)
    shared = np.broadcast_to(centre[0], centre.shape)
    found = frame_events(larger, turned, BANDS, objects, shared, LAYOUT, FIGURES["roaming"])
    assert all(map(np.array_equal, found, expected))


def test_frame_events_leave_their_arguments_alone() -> None:
    background = noise(0, 1)[0]
    _, _, objects, centre = frame_events(noise(1, 2), background, BANDS, *nothing_seen(2), LAYOUT, FIGURES["roaming"])
    given = (noise(2, 2), background, BANDS, objects, centre)
    kept = [part.copy() for part in given]
    frame_events(*given, LAYOUT, FIGURES["roaming"])
    assert all(map(np.array_equal, given, kept))


@pytest.mark.xfail(raises=IndexError, reason="room for half as many objects as pixels; memory beyond it is written to")
def test_there_is_room_for_as_many_objects_as_pixels() -> None:
    """In the interpreter, which sees an index that is out of range: no two neighbours are of one channel."""
    frames = np.zeros((1, 8, 8), dtype=np.uint8)
    for row, column in np.ndindex(8, 8):
        frames[0, row, column] = 50 + 50 * (2 * (row % 2) + column % 2)
    assert len(set(BANDS[frames].flat)) == 4
    layout, objects, centre = Layout(8, 8, 7), *nothing_seen(1)
    _, objects, _ = frames_kernel._see.py_func(
        frames, np.zeros((8, 8), np.uint8), BANDS, objects, centre, *layout, *FIGURES["none"]
    )
    assert (objects[0, :, 3] == 1).sum() == 64


def outer_case(seed: int, events: int, width: int) -> tuple[Tensor, ...]:
    """``out, at, row, value, post`` with repeated targets."""
    generator = torch.Generator().manual_seed(seed)
    out = torch.randn(7, width, generator=generator)
    at = torch.randint(7, (events,), generator=generator)
    row = torch.randint(5, (events,), generator=generator)
    value = torch.randn(events, generator=generator)
    post = torch.randn(5, width, generator=generator)
    return out, at, row, value, post


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), events=st.integers(0, 40), width=st.integers(1, 9))
def test_sums_of_outer_products_are_those_of_index_add(seed: int, events: int, width: int) -> None:
    out, at, row, value, post = outer_case(seed, events, width)
    expected = out.clone().index_add_(0, at, post[row] * value[:, None])
    add_outer_events(out[None], row, at, value, post)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)


def test_sums_of_outer_products_are_exact_where_arithmetic_is() -> None:
    out, at, row, value, post = (part.round() if part.is_floating_point() else part for part in outer_case(1, 200, 4))
    expected = out.clone().index_add_(0, at, post[row] * value[:, None])
    add_outer_events(out[None], row, at, value, post)
    assert torch.equal(out, expected)


def test_without_events_nothing_is_added() -> None:
    out, at, row, value, post = outer_case(0, 0, 3)
    before = out.clone()
    add_outer_events(out[None], row, at, value, post)
    assert torch.equal(out, before)


def test_postsynaptic_activity_may_lie_in_memory_in_any_order() -> None:
    out, at, row, value, post = outer_case(2, 20, 5)
    expected = out.clone()
    add_outer_events(expected[None], row, at, value, post)
    add_outer_events(out[None], row, at, value, post.t().contiguous().t())
    assert torch.equal(out, expected)


@pytest.mark.parametrize(("which", "wrong"), [("at", 7), ("at", -1), ("row", 5), ("row", -1), ("row", 2**40)])
def test_a_wrong_index_is_an_error_and_nothing_is_written(which: str, wrong: int) -> None:
    out, at, row, value, post = outer_case(0, 6, 3)
    before = out.clone()
    {"at": at, "row": row}[which][3] = wrong
    with pytest.raises(IndexError, match=rf"must be in 0 \.\. {6 if which == 'at' else 4}"):
        add_outer_events(out[None], row, at, value, post)
    assert torch.equal(out, before)


def test_the_hebbian_product_of_events_is_that_of_the_dense_spikes() -> None:
    generator = torch.Generator().manual_seed(0)
    time, batch, pre, post = 4, 3, 6, 5
    dense = torch.rand(time, batch, pre, generator=generator) * (
        torch.rand(time, batch, pre, generator=generator) < 0.4
    )
    where = dense.reshape(-1, pre).nonzero()
    events = SparseSpikes(
        where[:, 0], where[:, 1], dense.reshape(-1, pre)[where[:, 0], where[:, 1]], (time, batch), pre
    )
    activity = torch.randn(time, batch, post, generator=generator)
    connection = Dense(pre, post)
    expected = torch.einsum("tbi,tbj->bij", activity, dense)
    torch.testing.assert_close(connection.hebbian(activity, events), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(connection.hebbian(activity, dense), expected, rtol=1e-5, atol=1e-6)
