from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from snnrl.encoders import FrameEncoder
from snnrl.errors import ConfigError
from snnrl.spikes import SparseSpikes

FIGURE, SHOT, WALL = 10, 90, 200
HEIGHT, WIDTH = 24, 32
Frame = NDArray[np.uint8]


def black(height: int = HEIGHT, width: int = WIDTH) -> Frame:
    return np.zeros((height, width), dtype=np.uint8)


def drawn(*pixels: tuple[int, int, int]) -> Frame:
    """A black frame with pixels ``(row, column, luminance)``."""
    frame = black()
    for row, column, luminance in pixels:
        frame[row, column] = luminance
    return frame


def encoder(**settings: Any) -> FrameEncoder:
    return FrameEncoder(HEIGHT, WIDTH, **{"luminances": [FIGURE, SHOT, WALL], **settings}).eval()


def synchronous(code: FrameEncoder, episode: Sequence[Frame]) -> list[SparseSpikes]:
    state, out = code.init_state(1), []
    for frame in episode:
        spikes, state = code(torch.as_tensor(frame)[None, None], state)
        out.append(spikes)
    return out


def fired(code: FrameEncoder, *episode: Frame) -> list[set[int]]:
    """The neurons that spike at each frame of an episode."""
    return [set(spikes.index.tolist()) for spikes in synchronous(code, episode)]


def reference(
    episode: Sequence[Frame],
    bands: Sequence[tuple[int, int]],
    rows: tuple[int, int],
    tile_rows: int,
    figure: int | None = None,
    figure_rows: tuple[int, int] = (0, 0),
) -> NDArray[np.bool_]:
    """What spikes in each frame, ``[time, neurons]``, pixel by pixel; neurons in an order of its own."""
    width = episode[0].shape[1]
    centre = width // 2
    before = np.zeros((len(bands), rows[1] - rows[0], width // 4), dtype=bool)
    out = []
    for frame in episode:
        seen = frame[rows[0] : rows[1]].astype(int)
        pixels = np.stack([(low <= seen) & (seen <= high) for low, high in bands])
        cells = pixels.reshape(*pixels.shape[:2], -1, 4).any(-1)
        moves = np.zeros((2, *cells.shape[1:]), dtype=bool)
        for row, cell in np.ndindex(cells.shape[1:]):
            new = cells[:, row, cell] & ~before[:, row, cell]
            fell = bool((new & before[:, max(row - 8, 0) : row, cell].any(1)).any())
            rose = bool((new & before[:, row + 1 : row + 9, cell].any(1)).any())
            moves[:, row, cell] = fell and not rose, rose and not fell
        before = cells
        planes = np.concatenate([pixels, moves.repeat(4, axis=2)])
        maps = [0]
        if figure is not None:
            rows_of_figure = pixels[figure, max(figure_rows[0] - rows[0], 0) : max(figure_rows[1] - rows[0], 0)]
            columns = np.flatnonzero(rows_of_figure.any(0))
            centre = int(columns.sum() // len(columns)) if len(columns) else centre
            maps.append(centre - width)
        neurons = [True]
        for start, tiles in zip(maps, (width // 4, width // 2), strict=False):
            for top in range(0, rows[1] - rows[0], tile_rows):
                for tile in range(tiles):
                    left = start + 4 * tile
                    part = planes[:, top : top + tile_rows, max(left, 0) : max(left + 4, 0)]
                    neurons += part.any((1, 2)).tolist()
        out.append(neurons)
    return np.array(out)


def scene(seed: int, frames: int, height: int, width: int) -> list[Frame]:
    """Drifting pixels of listed and unlisted luminances, with a figure that comes and goes."""
    generator = np.random.default_rng(seed)
    count = 12
    row, column = generator.integers(0, height, count), generator.integers(0, width, count)
    luminance = generator.choice([FIGURE, SHOT, WALL, SHOT + 1, 255], count)
    out = []
    for _ in range(frames):
        row = (row + generator.integers(-9, 10, count)) % height
        column = (column + generator.integers(-2, 3, count)) % width
        frame = np.zeros((height, width), dtype=np.uint8)
        shown = generator.random(count) < 0.7
        frame[row[shown], column[shown]] = luminance[shown]
        out.append(frame)
    return out


LISTED = [(FIGURE, FIGURE), (SHOT, SHOT), (WALL, WALL)]
SIX_BANDS = [(1, 42), (43, 84), (85, 126), (127, 168), (169, 210), (211, 252)]


@pytest.mark.parametrize(
    ("settings", "bands", "rows", "tile_rows", "figure", "figure_rows"),
    [
        ({}, LISTED, (0, 24), 8, None, (0, 0)),
        ({"luminances": None}, SIX_BANDS, (0, 24), 8, None, (0, 0)),
        ({"rows": [3, 20], "tile": [5, 4]}, LISTED, (3, 20), 5, None, (0, 0)),
        ({"self_luminance": FIGURE}, LISTED, (0, 24), 8, 0, (0, 24)),
        ({"self_luminance": SHOT, "rows": [2, 23], "self_rows": [10, 20]}, LISTED, (2, 23), 8, 1, (10, 20)),
        ({"self_luminance": WALL, "rows": [5, 24], "self_rows": [0, 9], "tile": [1, 4]}, LISTED, (5, 24), 1, 2, (0, 9)),
    ],
    ids=["listed", "bands", "cropped", "centred", "centred and cropped", "rows of the figure cut off"],
)
def test_spikes_are_those_of_the_definition_pixel_by_pixel(
    settings: dict[str, Any],
    bands: list[tuple[int, int]],
    rows: tuple[int, int],
    tile_rows: int,
    figure: int | None,
    figure_rows: tuple[int, int],
) -> None:
    """Up to the order of neurons: each neuron's history is a column, and the two multisets of columns are equal."""
    code = encoder(**settings)
    expected, found = [], []
    for seed in range(12):
        episode = scene(seed, 12, HEIGHT, WIDTH)
        expected.append(reference(episode, bands, rows, tile_rows, figure, figure_rows))
        found.append(torch.cat([spikes.dense() for spikes in synchronous(code, episode)]).bool().numpy())
    histories, others = np.concatenate(expected), np.concatenate(found)
    assert others.shape == histories.shape == (144, code.size)
    assert sorted(map(bytes, others.T)) == sorted(map(bytes, histories.T))


def test_a_black_frame_has_the_one_neuron_that_always_spikes() -> None:
    first, second, other = fired(encoder(self_luminance=FIGURE), black(), black(), drawn((3, 3, SHOT)))
    assert first == second
    assert len(first) == 1
    assert first < other


def test_pixels_of_one_tile_share_a_neuron_and_pixels_of_two_tiles_do_not() -> None:
    code = encoder()
    (corner,) = fired(code, drawn((8, 4, SHOT)))
    (opposite,) = fired(code, drawn((15, 7, SHOT)))
    (both,) = fired(code, drawn((8, 4, SHOT), (15, 7, SHOT)))
    assert corner == opposite == both
    assert len(corner) == 2
    for beside in ((7, 4), (16, 4), (8, 3), (8, 8)):
        (other,) = fired(code, drawn((*beside, SHOT)))
        assert len(other & corner) == 1, "only the neuron that always spikes"


def test_luminances_that_are_not_listed_are_not_seen() -> None:
    code = encoder()
    assert fired(code, drawn((1, 1, SHOT + 1), (9, 9, SHOT - 1))) == fired(code, black())


def test_each_luminance_has_a_neuron_of_its_own() -> None:
    code = encoder()
    seen = [fired(code, drawn((1, 1, luminance)))[0] for luminance in (FIGURE, SHOT, WALL)]
    assert len(set.union(*seen)) == 4


@pytest.mark.parametrize("rows", range(1, 9))
def test_what_moves_up_to_eight_rows_fires_the_neuron_of_its_direction(rows: int) -> None:
    code = encoder(tile=[24, 4])
    still, down = fired(code, drawn((2, 5, SHOT)), drawn((2 + rows, 5, SHOT)))
    _, up = fired(code, drawn((20, 5, SHOT)), drawn((20 - rows, 5, SHOT)))
    assert len(down - still) == len(up - still) == 1
    assert down & up == still


def test_what_jumps_farther_stays_or_changes_its_luminance_does_not_move() -> None:
    code = encoder(tile=[24, 4])
    start = drawn((2, 5, SHOT))
    for after in (start, drawn((11, 5, SHOT)), drawn((2, 6, SHOT)), drawn((4, 9, SHOT)), drawn((4, 5, WALL))):
        _, second = fired(code, start, after)
        assert second == fired(code, after)[0], "as if it had been seen for the first time"


def test_what_appears_between_two_of_its_like_has_no_direction() -> None:
    code = encoder(tile=[24, 4])
    first, second = fired(code, drawn((4, 5, SHOT), (10, 5, SHOT)), drawn((7, 5, SHOT)))
    assert second == first


def test_motion_is_seen_from_one_frame_to_the_next_only() -> None:
    code = encoder(tile=[24, 4])
    _, _, third = fired(code, drawn((4, 5, SHOT)), black(), drawn((6, 5, SHOT)))
    assert third == fired(code, drawn((6, 5, SHOT)))[0]


@pytest.mark.parametrize("shift", [4, 8, -12])
def test_the_second_map_does_not_change_when_everything_shifts_with_the_figure(shift: int) -> None:
    code = encoder(self_luminance=FIGURE)
    (here,) = fired(code, drawn((20, 14, FIGURE), (3, 17, SHOT)))
    (there,) = fired(code, drawn((20, 14 + shift, FIGURE), (3, 17 + shift, SHOT)))
    assert len(here) == len(there) == 5
    assert len(here & there) == 3, "figure and shot in the second map, and the neuron that always spikes"


def test_the_second_map_counts_columns_from_the_middle_of_the_figure() -> None:
    code = encoder(self_luminance=FIGURE)
    (wide,) = fired(code, drawn(*((20, column, FIGURE) for column in (11, 12, 13, 14, 15)), (3, 13, SHOT)))
    (narrow,) = fired(code, drawn((20, 13, FIGURE), (3, 13, SHOT)))
    (beside,) = fired(code, drawn((20, 14, FIGURE), (3, 13, SHOT)))
    shot = narrow - fired(code, drawn((20, 13, FIGURE)))[0]
    assert len(shot) == 2
    assert shot <= wide
    assert not shot <= beside


def test_the_last_known_centre_is_kept_while_the_figure_is_gone() -> None:
    code = encoder(self_luminance=FIGURE)
    shot = (3, 9, SHOT)
    first, second, third, back = fired(
        code, drawn((20, 5, FIGURE), shot), drawn(shot), drawn(shot), drawn((20, 5, FIGURE), shot)
    )
    assert second == third
    assert second < first == back
    assert len(first - second) == 2, "the figure itself, once in each map"
    (never,) = fired(code, drawn(shot))
    (middle,) = fired(code, drawn((20, WIDTH // 2, FIGURE), shot))
    assert never < middle, "before it is ever seen it is taken to be in the middle"
    assert never != second


def test_the_figure_is_looked_for_in_its_rows_only() -> None:
    code = encoder(self_luminance=FIGURE, self_rows=[16, 24])
    shot = (3, 9, SHOT)
    (decoy,) = fired(code, drawn((20, 5, FIGURE), (15, 25, FIGURE), shot))
    (plain,) = fired(code, drawn((20, 5, FIGURE), shot))
    assert plain < decoy


def test_rows_outside_the_interval_are_not_seen() -> None:
    code = encoder(rows=[4, 20])
    assert fired(code, drawn((3, 1, SHOT), (20, 1, SHOT))) == fired(code, black())
    assert fired(code, drawn((4, 1, SHOT))) != fired(code, black())


def test_rows_of_a_batch_spike_as_if_alone_and_are_sorted() -> None:
    code = encoder(self_luminance=FIGURE)
    episodes = [scene(seed, 5, HEIGHT, WIDTH) for seed in range(3)]
    alone = [synchronous(code, episode) for episode in episodes]
    state = code.init_state(3)
    for time in range(5):
        batch = torch.as_tensor(np.stack([episode[time] for episode in episodes]))[:, None]
        spikes, state = code(batch, state)
        assert spikes.shape == (3, code.size)
        assert torch.equal(spikes.row, spikes.row.sort().values)
        assert torch.equal(spikes.dense(), torch.cat([windows[time].dense() for windows in alone]))


def test_a_neuron_is_listed_once_in_a_volley() -> None:
    code = encoder(self_luminance=FIGURE)
    for spikes in synchronous(code, scene(0, 6, HEIGHT, WIDTH)):
        assert len(spikes.index.unique()) == len(spikes.index)


def test_amplitudes_adapt_in_training_mode_and_stand_still_in_evaluation() -> None:
    code = encoder(target_rate=0.1)
    frame = drawn((1, 1, SHOT))
    (spikes,) = synchronous(code, [frame])
    assert spikes.value.tolist() == [1.0, 1.0]
    code.train()
    synchronous(code, [frame] * 100)
    code.eval()
    learnt = {name: value.clone() for name, value in code.state_dict().items()}
    (spikes,) = synchronous(code, [frame])
    assert spikes.value.tolist() == pytest.approx([0.1**0.5] * 2, rel=3e-2)
    synchronous(code, [drawn((9, 9, SHOT))] * 10)
    assert all(torch.equal(value, learnt[name]) for name, value in code.state_dict().items())


def test_frames_are_left_as_they_are() -> None:
    frame = drawn((1, 1, SHOT), (20, 3, FIGURE))
    copy = frame.copy()
    synchronous(encoder(self_luminance=FIGURE), [frame, frame])
    assert np.array_equal(frame, copy)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"tile": [8, 8]}, "tile"),
        ({"tile": [0, 4]}, "tile"),
        ({"rows": [5, 5]}, "rows"),
        ({"rows": [0, 25]}, "rows"),
        ({"self_rows": [-1, 5]}, "self_rows"),
        ({"luminances": []}, "luminances"),
        ({"luminances": [1, 2, 3, 4, 5, 6, 7]}, "luminances"),
        ({"luminances": [256]}, "luminances"),
        ({"self_luminance": 11}, "self_luminance"),
        ({"luminances": None, "self_luminance": 11}, "self_luminance"),
        ({"width": 24}, "width"),
    ],
)
def test_settings_out_of_range_are_errors(settings: dict[str, Any], name: str) -> None:
    size = {"height": HEIGHT, "width": settings.pop("width", WIDTH)}
    with pytest.raises(ConfigError, match=f"{name}="):
        FrameEncoder(**size, **{"luminances": [FIGURE, SHOT, WALL], **settings})
