"""Blobs of pictures and the offsets between them as spikes, against their definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.encoders import BlobEncoder, Window
from snnrl.encoders.blobs import BlobState
from snnrl.errors import ConfigError
from snnrl.kernels.blobs import MOST_BLOBS, NEAR
from snnrl.kernels.blobs import _line as compiled_line
from tests.encoders.blob_features import Blob, blobs_of, grade, line, lines_of, spiking
from tests.encoders.screens import FIGURE, HEIGHT, SHOT, WALL, WIDTH, box, drawn, scene, striped

PAIRS = {"tile": (1, 1), "moves": False}


def layers(*cells: tuple[int, int, int]) -> Any:
    """Boolean maps ``[3, 6, 7]`` with cells ``(layer, row, column)``."""
    maps = np.zeros((3, 6, 7), dtype=bool)
    for cell in cells:
        maps[cell] = True
    return maps


def told(code: BlobEncoder, background: Any) -> BlobEncoder:
    code.background.copy_(torch.as_tensor(background))
    return code.eval()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"gap": 3},
        {"tile": (3, 5), "lines": 1000},
        {"pairs": False},
        {"moves": False, "rows": (5, 17)},
        {"lines": 1},
    ],
    ids=str,
)
def test_frames_have_the_features_of_their_definition(settings: dict[str, Any]) -> None:
    code = told(BlobEncoder(HEIGHT, WIDTH, **settings), striped(HEIGHT, WIDTH)[slice(*settings.get("rows", (None,)))])
    episode = scene(1, 5, HEIGHT, WIDTH, striped(HEIGHT, WIDTH))
    before: list[Blob] = []
    for frame, found in zip(episode, spiking(code, *episode), strict=True):
        seen, background = frame[code.top : code.bottom], code.background.numpy()
        blobs = blobs_of(seen, background, code.gap)
        tiles = {(int(seen[y, x]), int(y), int(x)) for y, x in np.argwhere(seen != background)}
        assert found == lines_of(tiles, blobs, before, code)
        before = blobs


def test_boolean_maps_have_the_features_of_their_definition() -> None:
    code, generator = BlobEncoder(6, 7, 3).eval(), np.random.default_rng(0)
    episode = [generator.random((3, 6, 7)) < share for share in (0.1, 0.2, 0.1, 0.9, 0.2)]
    before: list[Blob] = []
    for maps, found in zip(episode, spiking(code, *episode), strict=True):
        blobs: list[Blob] = [tuple(map(int, cell)) for cell in np.argwhere(maps)]
        assert found == lines_of(set(blobs), blobs, before, code)
        before = blobs


def test_the_hash_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert compiled_line(0, 142, 0, 3, 11, 2**16) == line(0, 142, 0, 3, 11, 2**16) == 57433
    assert compiled_line(2, 1, 256, -300, 300, 2**24) == line(2, 1, 256, -300, 300, 2**24) == 4732844


def test_near_offsets_are_told_apart_and_far_ones_the_less_the_farther_they_are() -> None:
    assert [grade(tiles, 1) for tiles in (-7, -5, -4, -1, 0, 1, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17)] == [
        *(-6, -5, -4, -1, 0, 1, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9)
    ]
    code = BlobEncoder(1, 120, moves=False, tile=(1, 1), lines=2**20).eval()
    shown = [spiking(code, drawn((0, 0, SHOT), (0, 2 + away, WALL), height=1, width=120))[0] for away in range(100)]
    tiles = [spiking(code, drawn((0, 2 + away, WALL), height=1, width=120))[0] for away in range(100)]
    offsets = [frozenset(one - other) for one, other in zip(shown, tiles, strict=True)]
    assert len(set(offsets[: NEAR - 1])) == NEAR - 1
    assert len(set(offsets)) == 3 + 10


def test_an_offset_within_a_picture_does_not_hang_on_where_the_two_are() -> None:
    code = BlobEncoder(HEIGHT, WIDTH, moves=False).eval()
    together = [
        spiking(code, drawn((3 + y, 4 + x, SHOT), (9 + y, 11 + x, WALL)))[0] for y, x in ((0, 0), (1, 2), (7, 9))
    ]
    assert len(set.intersection(*together)) == 2, "the offset, and the line that always spikes"
    apart = spiking(code, drawn((3, 4, SHOT), (9, 21, WALL)))[0]
    assert set.intersection(*together) & apart == {code.size - 1}


def test_which_of_two_blobs_is_found_first_makes_no_difference() -> None:
    code = BlobEncoder(HEIGHT, WIDTH, **PAIRS, lines=2**20).eval()
    level = spiking(code, drawn((3, 4, SHOT), (3, 6, SHOT)))[0]
    other = spiking(code, drawn((9, 4, SHOT), (9, 6, SHOT)))[0]
    assert len(level & other) == 2
    tall = drawn(*box(2, 6, 9, 1, SHOT), (5, 4, SHOT))
    short = drawn((2, 4, SHOT), *box(2, 6, 3, 1, SHOT))
    for frame in (tall, short):
        assert len(spiking(code, frame)[0]) == sum(frame.ravel() > 0) + 2


def test_offsets_over_time_tell_which_way_something_moved_and_that_it_stood_still() -> None:
    code = BlobEncoder(HEIGHT, WIDTH, pairs=False).eval()
    start = drawn((8, 12, SHOT))
    moves = {
        name: spiking(code, start, drawn((8 + down, 12 + right, SHOT)))[1]
        - spiking(code, drawn((8 + down, 12 + right, SHOT)))[0]
        for name, (down, right) in {"left": (0, -4), "right": (0, 4), "down": (8, 0), "still": (0, 0)}.items()
    }
    assert all(len(lines) == 1 for lines in moves.values())
    assert len(set.union(*moves.values())) == 4


def test_pixels_are_one_blob_if_they_are_no_farther_apart_than_the_gap() -> None:
    frame = drawn((5, 5, SHOT), (5, 8, SHOT), (8, 11, SHOT), (12, 11, SHOT), (8, 12, WALL))
    for gap, expected in ((1, 5), (2, 5), (3, 3), (4, 2)):
        code = BlobEncoder(HEIGHT, WIDTH, gap=gap).eval()
        _, state = code(torch.as_tensor(frame)[None, None], code.init_state(1))
        assert int((state.blobs[0, :, 0] > 0).sum()) == expected == len(blobs_of(frame, 0 * frame, gap))


def test_more_blobs_than_are_remembered_are_seen_by_their_tiles() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    code = BlobEncoder(64, 64, tile=(1, 1), pairs=False, moves=False, lines=2**24).eval()
    assert len(spiking(code, frame)[0]) == pytest.approx((frame > 0).sum() + 1, abs=3)
    full = BlobEncoder(64, 64).eval()
    spikes, state = full(torch.as_tensor(np.stack([frame] * 8))[:, None], full.init_state(8))
    assert (state.blobs[:, :, 0] > 0).all()
    assert state.blobs.shape == (8, MOST_BLOBS, 3)
    assert spikes.row.bincount().tolist() == 8 * [len(spiking(full, frame)[0])]


def test_rows_of_a_batch_spike_as_if_alone() -> None:
    code = told(BlobEncoder(HEIGHT, WIDTH), striped(HEIGHT, WIDTH))
    episodes = [scene(seed, 4, HEIGHT, WIDTH, striped(HEIGHT, WIDTH)) for seed in range(3)]
    alone, state = [spiking(code, *episode) for episode in episodes], code.init_state(3)
    for time in range(4):
        spikes, state = code(torch.as_tensor(np.stack([episode[time] for episode in episodes]))[:, None], state)
        assert torch.equal(spikes.row, spikes.row.sort().values)
        assert [set(spikes.index[spikes.row == row].tolist()) for row in range(3)] == [one[time] for one in alone]


def test_what_is_remembered_is_in_the_state_alone_which_is_left_as_it_was() -> None:
    code = BlobEncoder(HEIGHT, WIDTH).eval()
    first, second, third = (torch.as_tensor(frame)[None, None] for frame in scene(2, 3, HEIGHT, WIDTH, 0 * drawn()))
    _, state = code(first, code.init_state(1))
    kept = BlobState(state.blobs.clone())
    expected, _ = code(second, state)
    code(third, code.init_state(1))
    again, _ = code(second, kept)
    assert torch.equal(again.index, expected.index)
    assert torch.equal(state.blobs, kept.blobs)
    fresh, _ = code(second, code.init_state(1))
    assert len(fresh.index) < len(expected.index), "or else nothing is remembered"


def test_calibration_tells_what_stands_still_which_is_loaded_by_another() -> None:
    code, frames = BlobEncoder(HEIGHT, WIDTH), np.tile(striped(HEIGHT, WIDTH), (50, 2, 1, 1, 1))
    assert not code.calibrated
    for time in range(50):
        frames[time, :, 0, 8:11, time % 20 : time % 20 + 9] = FIGURE
    code.calibrate(frames, np.zeros((49, 2), np.int64), np.ones((49, 2), bool))
    other = BlobEncoder(HEIGHT, WIDTH).eval()
    other.load_state_dict(code.state_dict())
    assert other.calibrated
    assert np.array_equal(other.background.numpy(), striped(HEIGHT, WIDTH))
    assert spiking(other, striped(HEIGHT, WIDTH)) == [{other.size - 1}]


def test_calibration_tells_how_often_each_line_spikes_and_not_across_episodes() -> None:
    frames = np.zeros((40, 2, 1, HEIGHT, WIDTH), np.uint8)
    for time in range(40):
        frames[time, :, 0, 8:11, time % 4 * 6 : time % 4 * 6 + 5] = FIGURE
    joined = np.ones((39, 2), bool)
    together, apart = BlobEncoder(HEIGHT, WIDTH), BlobEncoder(HEIGHT, WIDTH)
    together.calibrate(frames, np.zeros((39, 2), np.int64), joined)
    apart.calibrate(frames, np.zeros((39, 2), np.int64), joined & False)
    assert together.adaptation.rate[-1] > 0.9
    assert together.adaptation.seen == 80
    often, seldom = (int((code.adaptation.rate > 0.05).sum()) for code in (together, apart))
    assert often > seldom > 1, "the lines of what has moved"


def test_amplitudes_adapt_in_training_mode_alone() -> None:
    code, frame = BlobEncoder(HEIGHT, WIDTH, target_rate=0.1), torch.as_tensor(drawn((1, 1, SHOT)))[None, None]
    for _ in range(50):
        spikes, _ = code(frame, code.init_state(1))
    assert (spikes.value < 0.4).all()
    learnt = code.adaptation.rate.clone()
    code.eval()(frame, code.init_state(1))
    assert torch.equal(code.adaptation.rate, learnt)


def test_it_is_made_for_boolean_maps_and_for_pictures() -> None:
    view, code = BlobEncoder.for_space(spaces.Box(0, 1, (10, 9, 4), bool), Window(5))
    assert (view.shape, code.layers, code.height, code.width) == ((4, 10, 9), 4, 10, 9)
    assert code.calibrated
    view, code = BlobEncoder.for_space(spaces.Box(0, 255, (210, 160, 3), np.uint8), Window(5))
    assert (view.shape, code.layers, code.features.tile_rows, code.size) == ((1, 210, 160), 0, 8, 2**16 + 1)
    with pytest.raises(ConfigError, match="must be pictures"):
        BlobEncoder.for_space(spaces.Box(0.0, 1.0, (4,)), Window(5))


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"rows": [9, 5]}, "rows"),
        ({"rows": [0, 25]}, "rows"),
        ({"width": 28}, "width"),
        ({"tile": [8]}, "tile"),
        ({"tile": [0, 4]}, "tile"),
        ({"tile": [2.5, 4]}, "tile"),
        ({"gap": 0}, "gap"),
        ({"lines": 0}, "lines"),
        ({"lines": 2**24 + 1}, "lines"),
        ({"lines": 1.5}, "lines"),
        ({"target_rate": 0}, "target"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_errors(settings: dict[str, Any], name: str) -> None:
    size = {"height": HEIGHT, "width": settings.pop("width", WIDTH)}
    with pytest.raises(ConfigError, match=f"{name}="):
        BlobEncoder(**size, **settings)


@pytest.mark.parametrize(
    "maps",
    [torch.zeros(1, 3, 6, 7), torch.zeros(1, 6, 7, 3, dtype=torch.bool), torch.zeros(3, 6, 7, dtype=torch.bool)],
    ids=["float", "layers last", "one"],
)
def test_maps_of_another_kind_are_errors_that_say_which_are_right(maps: torch.Tensor) -> None:
    code = BlobEncoder(6, 7, 3)
    with pytest.raises(ConfigError, match=r"observation=.*must be bool \(n, 3, 6, 7\)"):
        code(maps, code.init_state(1))
