"""Scenes to events: the compiled loops hold what they promise, and do as the interpreter does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from snnrl.kernels import object_events, objects
from snnrl.kernels.objects import DIRECTIONS, MOST_OBJECTS, Avatar, Layout

LEVELS = (20, 60, 98, 142)
LAYOUT = Layout(48, 32, 7)
BANDS = (np.arange(256) * 6 // 256).astype(np.uint8)
FIGURES = {
    "none": Avatar(-1, 0, 0, 0, 0, False, True),
    "wide": Avatar(98, 24, 40, 0, 32, False, True),
    "tall": Avatar(20, 0, 40, 8, 16, True, False),
    "roaming": Avatar(142, 0, 40, 0, 32, True, True),
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
    avatar=st.sampled_from(list(FIGURES.values())),
    rows=st.integers(33, 40),
    batch=st.integers(1, 4),
    density=st.sampled_from([0.0, 0.01, 0.3]),
)
def test_events_are_sorted_and_distinct_and_lie_in_the_layout(
    seed: int, avatar: Avatar, rows: int, batch: int, density: float
) -> None:
    background = noise(seed, 1, rows, 0.1)[0]
    objects, centre = nothing_seen(batch)
    for time in range(3):
        frames = noise(seed + time, batch, rows, density)
        row, index, objects, centre = object_events(frames, background, BANDS, objects, centre, LAYOUT, avatar)
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


def interpreted(*arguments: Any) -> tuple[NDArray[Any], ...]:
    """What :func:`object_events` does, by the interpreter, which sees an index that is out of range."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_locate", "_label", "_follow", "_direction", "_mark", "_root", "_list", "_see"):
            patch.setattr(objects, name, getattr(objects, name).py_func)
        return object_events(*arguments)


@pytest.mark.parametrize("name", FIGURES)
def test_compiled_loops_do_as_the_interpreter_does(name: str) -> None:
    background, compiled = noise(9, 1, density=0.1)[0], nothing_seen(2)
    plain = compiled
    for time in range(3):
        frames = noise(time, 2, density=0.1)
        *expected, objects, centre = interpreted(frames, background, BANDS, *plain, LAYOUT, FIGURES[name])
        *found, objects_too, centre_too = object_events(frames, background, BANDS, *compiled, LAYOUT, FIGURES[name])
        assert all(map(np.array_equal, found, expected))
        assert np.array_equal(objects_too, objects)
        assert np.array_equal(centre_too, centre)
        plain, compiled = (objects, centre), (objects_too, centre_too)


def test_every_size_of_a_layout_follows_from_its_tiles() -> None:
    layout = Layout(160, 160, 7)
    assert layout.tiles == 20 * 40
    assert layout.size == 800 * 7 + (1600 + 200) * (7 + DIRECTIONS) + 1


def test_scene_events_take_memory_in_any_order() -> None:
    """A cut of larger frames, and states that one row of memory stands for."""
    frames, background = noise(1, 3), noise(2, 1)[0]
    objects, centre = nothing_seen(3)
    expected = object_events(frames, background, BANDS, objects, centre, LAYOUT, FIGURES["roaming"])
    larger = np.concatenate([frames[:, :3], frames, frames[:, 3:]], axis=1)[:, 3:43]
    turned = np.asfortranarray(background)
    shared = np.broadcast_to(centre[0], centre.shape)
    found = object_events(larger, turned, BANDS, objects, shared, LAYOUT, FIGURES["roaming"])
    assert all(map(np.array_equal, found, expected))


def test_scene_events_leave_their_arguments_alone() -> None:
    background = noise(0, 1)[0]
    _, _, objects, centre = object_events(noise(1, 2), background, BANDS, *nothing_seen(2), LAYOUT, FIGURES["roaming"])
    given = (noise(2, 2), background, BANDS, objects, centre)
    kept = [part.copy() for part in given]
    object_events(*given, LAYOUT, FIGURES["roaming"])
    assert all(map(np.array_equal, given, kept))


def test_there_is_room_for_as_many_objects_as_pixels() -> None:
    """No two neighbours are of one channel."""
    frames = np.zeros((1, 8, 8), dtype=np.uint8)
    for row, column in np.ndindex(8, 8):
        frames[0, row, column] = 50 + 50 * (2 * (row % 2) + column % 2)
    assert len(set(BANDS[frames].flat)) == 4
    layout, objects, centre = Layout(8, 8, 7), *nothing_seen(1)
    _, _, objects, _ = interpreted(frames, np.zeros((8, 8), np.uint8), BANDS, objects, centre, layout, FIGURES["none"])
    assert (objects[0, :, 3] == 1).sum() == 64
