from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from snnrl.spaces import Grey, Layers, Pictures, Seen, Several, Table, Vector, split, suits_layers
from tests.envs.odd_environments import OBSERVATIONS

SCREEN = np.random.default_rng(0).integers(0, 256, (2, 36, 50, 3), dtype=np.uint8)
"""Two pictures, channels last."""


def samples(space: spaces.Space[Any], count: int = 5) -> list[NDArray[Any]]:
    batch = batch_space(space, count)
    batch.seed(0)
    return split(space, batch.sample())


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_vectors_lie_in_their_space(name: str) -> None:
    if "Picture" in name:
        pytest.skip("too long")
    view = Vector(OBSERVATIONS[name])
    seen = view(samples(OBSERVATIONS[name]))
    assert seen.shape == (5, *(view.space.shape or ()))
    assert all(view.space.contains(one) for one in seen)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3, start=-1),
        spaces.MultiDiscrete([2, 3], start=[1, 5]),
        spaces.MultiBinary(3),
        spaces.Tuple([spaces.Discrete(2), spaces.Dict({"a": spaces.MultiBinary((2, 1)), "b": spaces.Discrete(3)})]),
    ],
    ids=str,
)
def test_a_table_numbers_every_combination_once(space: spaces.Space[Any]) -> None:
    view, count = Table(space), int(Table.combinations(space))
    assert view.space == spaces.Discrete(count)
    arrays = samples(space, 400)
    rows = np.concatenate([array.reshape(400, -1) for array in arrays], axis=1)
    pairs = {(tuple(row), int(number)) for row, number in zip(rows.tolist(), view(arrays), strict=True)}
    assert {number for _, number in pairs} == set(range(count))
    assert len(pairs) == count


def test_a_vector_has_a_place_for_each_name_and_bytes_up_to_one() -> None:
    space = spaces.Tuple([spaces.Discrete(3, start=4), spaces.Box(0, 255, (2,), np.uint8), spaces.MultiBinary(2)])
    seen = Vector(space)([np.array([5, 6]), np.array([[0, 255], [51, 0]], np.uint8), np.array([[1, 0], [1, 1]])])
    np.testing.assert_allclose(seen, [[0, 1, 0, 0, 1, 1, 0], [0, 0, 1, 0.2, 0, 1, 1]])


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_differences_far_from_zero_are_kept(dtype: Any) -> None:
    far = 2**40
    view = Vector(spaces.Box(far, far + 8, (1,), dtype))
    seen = view([np.array([[far], [far + 1], [far + 8]], dtype)])
    assert seen.dtype == np.float32
    assert seen[:, 0].tolist() == [-4.0, -3.0, 4.0]


@pytest.mark.parametrize(
    ("layout", "channels"),
    [
        (SCREEN, 3),
        (SCREEN.transpose(0, 3, 1, 2), 3),
        (np.stack([SCREEN[::-1], SCREEN], 1), 6),
        (np.stack([SCREEN[::-1], SCREEN], 1).transpose(0, 1, 4, 2, 3), 6),
    ],
    ids=["last", "first", "stack, last", "stack, first"],
)
def test_pictures_of_every_layout_have_their_channels_moved_to_the_front(layout: NDArray[Any], channels: int) -> None:
    space = spaces.Box(0, 255, layout.shape[1:], np.uint8)
    assert Pictures.suits(space)
    view = Seen(space)
    assert (view.space.shape or ())[0] == channels
    np.testing.assert_array_equal(view([layout])[:, -3:], SCREEN.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("shape", [(36, 50), (36, 50, 1), (1, 36, 50)])
def test_grey_pictures_of_every_layout_are_one_channel(shape: tuple[int, ...]) -> None:
    view = Seen(spaces.Box(0, 255, shape, np.uint8))
    np.testing.assert_array_equal(view([SCREEN[..., 0].reshape(2, *shape)])[:, 0], SCREEN[..., 0])


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 255, (35, 50, 3), np.uint8),
        spaces.Box(0.0, 1.0, (64, 64, 3)),
        spaces.Box(0, 9, (64, 64, 3), np.uint8),
        spaces.Box(0, 255, (40, 40, 40, 40), np.uint8),
        spaces.Box(0, 255, (128,), np.uint8),
    ],
    ids=["small", "floats", "other bounds", "four dimensions", "bytes"],
)
def test_what_convolutions_cannot_look_at_is_no_picture(space: spaces.Box) -> None:
    assert not Pictures.suits(space)


def test_a_grey_frame_is_the_luminance_of_the_newest_picture_with_black_columns_on_the_right() -> None:
    view = Grey(spaces.Box(0, 255, (2, 36, 50, 3), np.uint8), 16, np.inf)
    assert view.space.shape == (1, 36, 64)
    frames = view([np.stack([SCREEN[::-1], SCREEN], 1)])
    luminance = SCREEN @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(frames[:, 0, :, :50], luminance, atol=0.51)
    assert not frames[..., 50:].any()


@pytest.mark.parametrize("shape", [(10, 9, 4), (4, 10, 9), (10, 10, 10)])
def test_boolean_maps_have_their_layers_moved_to_the_front_the_last_where_it_could_be_either(shape: Any) -> None:
    space = spaces.Box(0, 1, shape, bool)
    maps = np.random.default_rng(0).random((2, *shape)) < 0.5
    view = Layers(space)
    seen = view(split(space, maps))
    np.testing.assert_array_equal(seen, maps if shape[0] == 4 else maps.transpose(0, 3, 1, 2))
    assert view.shape == seen.shape[1:]
    assert seen.flags.c_contiguous


def test_boolean_maps_are_those_with_rows_columns_and_layers() -> None:
    assert suits_layers(spaces.Box(0, 1, (10, 10, 4), bool))
    assert suits_layers(spaces.Dict(only=spaces.Box(0, 1, (10, 10, 4), bool)))
    for other in (
        spaces.Box(0, 1, (10, 4), bool),
        spaces.Box(0, 1, (10, 10, 4), np.uint8),
        spaces.MultiBinary((2, 3, 4)),
    ):
        assert not suits_layers(other)


def test_of_large_frames_every_second_pixel_is_seen() -> None:
    view = Grey(spaces.Box(0, 255, (36, 50, 3), np.uint8), 1, 36 * 50 / 2)
    whole = Grey(spaces.Box(0, 255, (36, 50, 3), np.uint8), 1, 36 * 50)
    np.testing.assert_array_equal(view([SCREEN]), whole([SCREEN])[:, :, ::2, ::2])


def test_a_dict_is_seen_part_by_part_whatever_the_order_of_its_names() -> None:
    view = Several({"b": Vector(spaces.Discrete(2)), "a": Seen(spaces.Box(0, 255, (36, 50, 3), np.uint8))})
    seen = view([np.array([0, 1]), SCREEN])
    assert list(seen) == list(view.space.spaces) == ["a", "b"]  # type: ignore[attr-defined]
    assert seen["b"].tolist() == [[1, 0], [0, 1]]
    assert seen["a"].shape == (2, 3, 36, 50)
