"""Compiled loops against the plain definitions in torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Dense
from snnrl.encoders import FrameEncoder
from snnrl.encoders.frames import FrameState
from snnrl.kernels import add_outer_events, frame_events
from snnrl.spikes import SparseSpikes

HEIGHT, WIDTH = 40, 32
LEVELS = (20, 60, 98, 142)

ENCODERS: dict[str, dict[str, Any]] = {
    "bands": {},
    "luminances": {"luminances": LEVELS},
    "one luminance": {"luminances": LEVELS[:1]},
    "six luminances": {"luminances": [*LEVELS, 200, 255]},
    "second map": {"luminances": LEVELS, "self_luminance": 98},
    "second map, rows of the figure": {"luminances": LEVELS, "self_luminance": 20, "self_rows": [30, 38]},
    "tiles of 5 rows": {"luminances": LEVELS, "tile": [5, 4], "self_luminance": 142},
    "tiles of 1 row": {"tile": [1, 4]},
    "rows cut": {"luminances": LEVELS, "rows": [3, 26], "self_luminance": 60, "self_rows": [10, 40]},
    "rows cut, tiles of 5 rows": {"rows": [7, 40], "tile": [5, 4]},
}


def noise(seed: int, frames: int, batch: int) -> Tensor:
    """``[frames, batch, 1, height, width]``: mostly black, the rest any luminance, often a listed one."""
    generator = torch.Generator().manual_seed(seed)
    shape = (frames, batch, 1, HEIGHT, WIDTH)
    listed = torch.tensor(LEVELS)[torch.randint(len(LEVELS), shape, generator=generator)]
    anything = torch.randint(256, shape, generator=generator)
    draw = torch.rand(shape, generator=generator)
    return torch.where(draw < 0.02, listed, torch.where(draw < 0.03, anything, 0)).to(torch.uint8)


def blocks(seed: int, frames: int, batch: int) -> Tensor:
    """Blocks of listed luminances that drift, as far as and farther than motion is seen, over the borders too."""
    generator = torch.Generator().manual_seed(seed)
    out = torch.zeros((frames, batch, 1, HEIGHT, WIDTH), dtype=torch.uint8)
    for row in range(batch):
        for level in LEVELS:
            place = torch.randint(0, 30, (2,), generator=generator)
            speed = torch.randint(-10, 11, (2,), generator=generator)
            size = torch.randint(1, 7, (2,), generator=generator)
            for frame in range(frames):
                top, left = (place + frame * speed).clamp_min(0).tolist()
                out[frame, row, 0, top : top + int(size[0]), left : left + int(size[1])] = level
    return out


def check_equal_spikes(encoder: FrameEncoder, episode: Tensor) -> int:
    """Both ways through an episode, each with its own state; returns the number of events."""
    fast = plain = encoder.init_state(episode.shape[1])
    events = 0
    for frames in episode:
        seen = frames[:, 0, encoder.top : encoder.bottom]
        row, index, *state = frame_events(
            seen, encoder.get_buffer("_table"), fast.columns, fast.centre, encoder._geometry
        )
        fast = FrameState(*state)
        plain_row, plain_index, *plain_state = encoder.plain_events(frames, plain)
        plain = FrameState(*plain_state)
        assert torch.equal(row, row.sort().values)
        assert torch.equal(row, plain_row)
        assert torch.equal(index, plain_index)
        assert torch.equal(fast.columns, plain.columns)
        assert torch.equal(fast.centre, plain.centre)
        assert fast.columns.dtype == plain.columns.dtype == torch.uint8
        assert row.dtype == index.dtype == torch.int64
        events += len(row)
    return events


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("scene", [noise, blocks])
def test_compiled_frame_events_are_those_of_the_plain_encoder(name: str, scene: Any) -> None:
    encoder = FrameEncoder(HEIGHT, WIDTH, **ENCODERS[name])
    episode = scene(3, 8, 3)
    assert check_equal_spikes(encoder, episode) > 2 * 8 * 3


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    scene=st.sampled_from([noise, blocks]),
    luminances=st.none() | st.lists(st.sampled_from([*LEVELS, 1, 255]), min_size=1, max_size=6, unique=True),
    tile_rows=st.integers(1, 11),
    cut=st.tuples(st.integers(0, 20), st.integers(21, 40)),
    figure=st.booleans(),
    batch=st.integers(1, 4),
)
def test_compiled_frame_events_are_the_plain_ones_for_any_settings(
    seed: int,
    scene: Any,
    luminances: list[int] | None,
    tile_rows: int,
    cut: tuple[int, int],
    figure: bool,
    batch: int,
) -> None:
    own = luminances[seed % len(luminances)] if figure and luminances is not None else None
    encoder = FrameEncoder(
        HEIGHT, WIDTH, rows=cut, luminances=luminances, tile=(tile_rows, 4), self_luminance=own, self_rows=cut
    )
    check_equal_spikes(encoder, scene(seed, 4, batch))


def test_motion_is_seen_by_both_up_to_the_reach_and_not_beyond() -> None:
    encoder = FrameEncoder(HEIGHT, WIDTH, luminances=LEVELS)
    for distance, seen in ((1, True), (8, True), (9, False), (-8, True), (-9, False)):
        episode = torch.zeros((2, 1, 1, HEIGHT, WIDTH), dtype=torch.uint8)
        episode[0, 0, 0, 20, 5] = episode[1, 0, 0, 20 + distance, 5] = 98
        events = check_equal_spikes(encoder, episode)
        assert events == (2 + 2 + seen)


def test_frame_events_leave_their_arguments_alone() -> None:
    encoder = FrameEncoder(HEIGHT, WIDTH, luminances=LEVELS, self_luminance=98)
    first, second = blocks(0, 2, 2)
    _, state = encoder(first, encoder.init_state(2))
    kept = [part.clone() for part in (second, *state)]
    encoder(second, state)
    assert all(torch.equal(now, then) for now, then in zip((second, *state), kept, strict=True))


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
