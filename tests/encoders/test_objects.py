from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from snnrl.encoders import ObjectEncoder
from snnrl.encoders.objects import CHANNELS, ObjectState
from snnrl.errors import ConfigError
from snnrl.kernels.objects import DIRECTIONS, FARTHEST, LARGEST_OBJECT, LEAST_MOVE, MOST_OBJECTS, STEEPEST, Avatar
from snnrl.spikes import SparseSpikes

SHOT, WALL, FIGURE = 60, 142, 200
"""Luminances of three bands, so that an encoder that has not looked around tells them apart too."""
HEIGHT, WIDTH = 24, 32
Frame = NDArray[np.uint8]
NOBODY = Avatar(-1, 0, 0, 0, 0, False, True)


def black(height: int = HEIGHT, width: int = WIDTH) -> Frame:
    return np.zeros((height, width), dtype=np.uint8)


def drawn(*pixels: tuple[int, int, int], height: int = HEIGHT, width: int = WIDTH) -> Frame:
    """A black frame with pixels ``(row, column, luminance)``."""
    frame = black(height, width)
    for row, column, luminance in pixels:
        frame[row, column] = luminance
    return frame


def box(row: int, column: int, rows: int, columns: int, luminance: int) -> list[tuple[int, int, int]]:
    """The pixels of a rectangle, given its upper left corner."""
    return [(row + down, column + right, luminance) for down in range(rows) for right in range(columns)]


def told(code: ObjectEncoder, **scene: Any) -> ObjectEncoder:
    """The encoder with a scene: ``background``, ``table`` or ``avatar``; what is not given stays."""
    known = {name: torch.as_tensor(np.array(value)) for name, value in scene.items()}
    code.load_state_dict({**code.state_dict(), **known})
    return code.eval()


def encoder(avatar: Avatar = NOBODY, height: int = HEIGHT, width: int = WIDTH, **settings: Any) -> ObjectEncoder:
    return told(ObjectEncoder(height, width, **settings), avatar=avatar)


def columns(luminance: int = FIGURE, top: int = 0, bottom: int = HEIGHT) -> Avatar:
    return Avatar(luminance, top, bottom, 0, WIDTH, False, True)


def volleys(code: ObjectEncoder, episode: Sequence[Frame]) -> list[SparseSpikes]:
    state, out = code.init_state(1), []
    for frame in episode:
        spikes, state = code(torch.as_tensor(frame)[None, None], state)
        out.append(spikes)
    return out


def fired(code: ObjectEncoder, *episode: Frame) -> list[set[int]]:
    """The neurons that spike at each frame of an episode."""
    return [set(spikes.index.tolist()) for spikes in volleys(code, episode)]


def pieces(shown: Frame, background: Frame, table: Frame) -> list[tuple[int, NDArray[np.intp]]]:
    """Channel and pixels ``[area, 2]`` of each object, in the order in which one reads their first pixels."""
    found = []
    for channel in range(CHANNELS):
        labels, count = ndimage.label((shown != background) & (table[shown] == channel), structure=np.ones((3, 3)))
        found += [(channel, np.argwhere(labels == label)) for label in range(1, count + 1)]
    return sorted(found, key=lambda piece: tuple(piece[1][0]))


def direction(piece: tuple[int, int, int, int], before: Sequence[tuple[int, int, int, int]]) -> int | None:
    """Which of eight directions ``(channel, row, column, area)`` came from; None if from none."""
    channel, row, column, area = piece
    alike = [old for old in before if old[0] == channel and area <= 3 * old[3] and old[3] <= 3 * area]
    distances = [abs(row - old[1]) + abs(column - old[2]) for old in alike]
    if area > LARGEST_OBJECT or not alike or min(distances) > FARTHEST:
        return None
    if min(distances) < LEAST_MOVE:
        return None
    nearest = alike[int(np.argmin(distances))]
    down, right = row - nearest[1], column - nearest[2]
    signs = (
        int(np.sign(down)) * (STEEPEST * abs(down) >= abs(right)),
        int(np.sign(right)) * (STEEPEST * abs(right) >= abs(down)),
    )
    eight = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]
    return eight.index(signs) if signs in eight else None


def reference(
    episode: Sequence[Frame], rows: tuple[int, int], background: Frame, table: Frame, avatar: Avatar
) -> NDArray[np.bool_]:
    """What spikes in each frame, ``[time, neurons]``, pixel by pixel; neurons in an order of its own."""
    width = episode[0].shape[1]
    high = -(-(rows[1] - rows[0]) // 16) * 16
    blocks = (high // 8, width // 16) if avatar.moves_rows and not avatar.moves_columns else (high // 16, width // 8)
    around = (high // 2, width // 8) if avatar.moves_rows and not avatar.moves_columns else (high // 8, width // 2)
    row, column = high // 2, width // 2
    before: list[tuple[int, int, int, int]] = []
    out = []
    for frame in episode:
        shown = frame[rows[0] : rows[1]]
        mine = np.argwhere((shown == avatar.luminance) & (shown != background))
        mine = mine[(avatar.top <= mine[:, 0]) & (mine[:, 0] < avatar.bottom)]
        mine = mine[(avatar.left <= mine[:, 1]) & (mine[:, 1] < avatar.right)]
        if len(mine):
            row, column = (int(total) // len(mine) for total in mine.sum(0))
        screen = np.zeros((high // 8, width // 4, CHANNELS), dtype=bool)
        own = np.zeros((*around, CHANNELS + DIRECTIONS), dtype=bool)
        coarse = np.zeros((*blocks, CHANNELS + DIRECTIONS), dtype=bool)
        now = []
        for channel, pixels in pieces(shown, background, table):
            area = len(pixels)
            piece = (channel, int(pixels[:, 0].sum()) // area, int(pixels[:, 1].sum()) // area, area)
            came = direction(piece, before)
            features = [channel] if came is None else [channel, CHANNELS + came]
            if area <= LARGEST_OBJECT:
                now.append(piece)
            for y, x in pixels:
                screen[y // 8, x // 4, channel] = True
                if avatar.moves_rows and avatar.moves_columns:
                    there, tile = (y - row + high // 2, x - column + width), (8, 4)
                elif avatar.moves_rows:
                    there, tile = (y - row + high, x), (4, 8)
                else:
                    there, tile = (y, x - column + width), (8, 4)
                fine = there[0] // tile[0], there[1] // tile[1]
                if 0 <= fine[0] < around[0] and 0 <= fine[1] < around[1]:
                    own[fine[0], fine[1], features] = True
                    coarse[there[0] // 16, there[1] // 16, features] = True
        before = now[:MOST_OBJECTS]
        out.append(np.concatenate([screen.ravel(), own.ravel(), coarse.ravel(), [True]]))
    return np.array(out)


def scene(seed: int, frames: int, height: int, width: int, background: Frame, things: int = 14) -> list[Frame]:
    """Rectangles that drift, meet, and come and go in front of a background; the last one always of FIGURE."""
    generator = np.random.default_rng(seed)
    row, column = generator.integers(0, height, things), generator.integers(0, width, things)
    size = generator.integers(1, 5, (things, 2))
    luminance = generator.choice([FIGURE, SHOT, WALL, SHOT + 1, 20, 255], things)
    luminance[-1] = FIGURE
    out = []
    for _ in range(frames):
        row = (row + generator.integers(-4, 5, things)) % height
        column = (column + generator.integers(-4, 5, things)) % width
        frame = np.array(background)
        for thing in np.flatnonzero(generator.random(things) < 0.7):
            down, right = size[thing]
            frame[row[thing] : row[thing] + down, column[thing] : column[thing] + right] = luminance[thing]
        out.append(frame)
    return out


def striped(height: int, width: int) -> Frame:
    """A background of stripes, of luminances that things have too."""
    stripes = np.array([0, 0, WALL, 30, 0, SHOT, 0, 0], dtype=np.uint8)
    return np.tile(stripes[np.arange(height) // 3 % 8][:, None], (1, width))


def table() -> Frame:
    channels = np.full(256, CHANNELS - 1, dtype=np.uint8)
    for channel, luminance in enumerate((FIGURE, SHOT, WALL, 255)):
        channels[luminance] = channel
    return channels


BANDS = (np.arange(256) * 6 // 256).astype(np.uint8)
GEOMETRIES: dict[str, tuple[int, int, tuple[int, int], Frame, Avatar]] = {
    "no avatar, bands": (24, 32, (0, 24), BANDS, NOBODY),
    "wide": (24, 32, (0, 24), table(), Avatar(FIGURE, 0, 24, 0, 32, False, True)),
    "wide, a strip of a cut frame": (31, 48, (3, 26), table(), Avatar(FIGURE, 8, 16, 0, 48, False, True)),
    "tall": (24, 32, (0, 24), table(), Avatar(FIGURE, 0, 24, 0, 32, True, False)),
    "tall, a strip of a cut frame": (35, 32, (2, 31), table(), Avatar(SHOT, 0, 29, 8, 16, True, False)),
    "roaming": (24, 32, (0, 24), table(), Avatar(FIGURE, 0, 24, 0, 32, True, True)),
    "roaming in a cut frame": (32, 32, (5, 32), table(), Avatar(255, 0, 27, 0, 32, True, True)),
    "one row": (24, 16, (11, 12), table(), Avatar(FIGURE, 0, 1, 0, 16, False, True)),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_spikes_are_those_of_the_definition_pixel_by_pixel(name: str) -> None:
    """Up to the order of neurons: each neuron's history is a column, and the two multisets of columns are equal."""
    height, width, rows, channels, avatar = GEOMETRIES[name]
    background = striped(height, width)
    cut = background[rows[0] : rows[1]]
    code = encoder(height=height, width=width, rows=rows)
    told(code, background=cut, table=channels, avatar=avatar)
    expected, found = [], []
    for seed in range(8):
        episode = scene(seed, 10, height, width, background)
        expected.append(reference(episode, rows, cut, channels, avatar))
        found.append(torch.cat([spikes.dense() for spikes in volleys(code, episode)]).bool().numpy())
    histories, others = np.concatenate(expected), np.concatenate(found)
    assert others.shape == histories.shape == (80, code.size)
    assert sorted(map(bytes, others.T)) == sorted(map(bytes, histories.T))
    assert len(set(map(bytes, others.T))) > others.shape[1] // 8, "or else little is compared"


def test_more_objects_than_are_remembered_and_large_ones_are_those_of_the_definition() -> None:
    height, width, avatar = 64, 96, Avatar(FIGURE, 0, 64, 0, 96, False, True)
    background = black(height, width)
    code = told(encoder(height=height, width=width), table=table(), avatar=avatar)
    large = [(box(row, 30, 21, 20, 255), box(40, 60 + row, 20, 20, 20)) for row in (0, 2, 5)]
    episode = []
    for number, (past, at) in enumerate(large):
        generator = np.random.default_rng(number)
        dots = [(row, column, SHOT) for row in range(1, 64, 3) for column in range(1, 96, 3)]
        kept = [dot for dot in dots if generator.random() < 0.9]
        episode.append(drawn(*kept, *past, *at, height=height, width=width))
    assert len(pieces(episode[0], background, table())) > 3 * MOST_OBJECTS
    assert sorted(len(pixels) for _, pixels in pieces(episode[0], background, table()))[-2:] == [400, 420]
    expected = reference(episode, (0, height), background, table(), avatar)
    found = torch.cat([spikes.dense() for spikes in volleys(code, episode)]).bool().numpy()
    assert sorted(map(bytes, found.T)) == sorted(map(bytes, expected.T))


def test_a_frame_like_the_background_has_the_one_neuron_that_always_spikes() -> None:
    background = striped(HEIGHT, WIDTH)
    code = told(encoder(columns()), background=background)
    strange = background.copy()
    strange[3, 3] = SHOT
    first, second, other = fired(code, background, background, strange)
    assert first == second
    assert len(first) == 1
    assert first < other


def test_what_is_as_bright_as_the_background_behind_it_is_not_seen() -> None:
    behind = black()
    behind[:, :16] = SHOT
    code = told(encoder(), background=behind)
    hidden, shown, hole = behind.copy(), behind.copy(), behind.copy()
    hidden[5:9, 3:7], shown[5:9, 19:23], hole[5:9, 3:7] = SHOT, SHOT, 0
    (nothing,), (something,), (dark,) = fired(code, hidden), fired(code, shown), fired(code, hole)
    assert len(nothing) == 1
    assert nothing < something
    assert nothing < dark, "black in front of what is brighter is something too"


def test_pixels_of_one_tile_share_a_neuron_and_pixels_of_two_tiles_do_not() -> None:
    code = encoder()
    (corner,) = fired(code, drawn((8, 4, SHOT)))
    (opposite,) = fired(code, drawn((15, 7, SHOT)))
    (both,) = fired(code, drawn((8, 4, SHOT), (15, 7, SHOT)))
    assert corner == opposite == both
    assert len(corner) == 4, "on the screen, in both maps around the middle, and the neuron that always spikes"
    for beside in ((7, 4), (16, 4), (8, 3), (8, 8)):
        (other,) = fired(code, drawn((*beside, SHOT)))
        assert len(other & corner) == 1 + (beside[0] < 16), "the coarse tile, and the neuron that always spikes"


def test_each_channel_has_a_neuron_of_its_own_and_luminances_of_one_channel_share_it() -> None:
    code = encoder()
    seen = [fired(code, drawn((1, 1, luminance)))[0] for luminance in (20, SHOT, 100, WALL, FIGURE, 255)]
    assert len(set.union(*seen)) == 3 * 6 + 1
    told(code, table=table())
    seen = [fired(code, drawn((1, 1, luminance)))[0] for luminance in (FIGURE, SHOT, WALL, 255, 20)]
    assert len(set.union(*seen)) == 3 * 5 + 1
    assert fired(code, drawn((1, 1, 20))) == fired(code, drawn((1, 1, 77)))


EIGHT = [(down, right) for down in (-3, 0, 3) for right in (-4, 0, 4) if (down, right) != (0, 0)]


def test_what_moves_fires_the_neuron_of_its_direction() -> None:
    code = encoder()
    (still,) = fired(code, drawn((12, 17, SHOT)))
    found: list[frozenset[int]] = []
    for down, right in EIGHT:
        _, moved = fired(code, drawn((12 - down, 17 - right, SHOT)), drawn((12, 17, SHOT)))
        assert still < moved
        assert len(moved - still) == 2, "once in each map around the middle"
        found.append(frozenset(moved - still))
    assert len(set(found)) == 8
    _, larger = fired(code, drawn((2, 10, SHOT)), drawn((12, 17, SHOT)))
    assert larger - still == found[EIGHT.index((3, 4))], "only the signs matter"


@pytest.mark.parametrize(("down", "right", "directions"), [(2, 0, 0), (1, 1, 0), (3, 0, 1), (2, 1, 1), (0, -3, 1)])
def test_what_drifts_slowly_has_no_direction(down: int, right: int, directions: int) -> None:
    code = encoder()
    (still,) = fired(code, drawn((12, 17, SHOT)))
    _, moved = fired(code, drawn((12 - down, 17 - right, SHOT)), drawn((12, 17, SHOT)))
    assert len(moved - still) == 2 * directions


def test_a_slight_sidestep_is_jitter() -> None:
    code = encoder()
    _, straight = fired(code, drawn((1, 17, SHOT)), drawn((12, 17, SHOT)))
    _, jittering = fired(code, drawn((1, 15, SHOT)), drawn((12, 17, SHOT)))
    _, slanting = fired(code, drawn((1, 14, SHOT)), drawn((12, 17, SHOT)))
    assert jittering == straight
    assert slanting != straight


def test_a_direction_is_that_of_the_objects_middle() -> None:
    code = encoder()
    _, moved = fired(code, drawn(*box(4, 16, 2, 3, SHOT)), drawn(*box(7, 16, 2, 3, SHOT)))
    _, grown = fired(code, drawn(*box(4, 16, 2, 3, SHOT)), drawn(*box(7, 16, 3, 3, SHOT)))
    assert moved <= grown, "from row 4 to rows 7 and 8"


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        ([(2, 4, SHOT)], [(20, 10, SHOT)], True),
        ([(2, 4, SHOT)], [(20, 11, SHOT)], False),
        ([(2, 4, SHOT)], [(6, 4, WALL)], False),
        ([(2, 4, SHOT)], box(6, 4, 3, 1, SHOT), True),
        ([(2, 4, SHOT)], box(6, 4, 2, 2, SHOT), False),
        (box(6, 4, 3, 1, SHOT), [(2, 4, SHOT)], True),
        (box(6, 4, 2, 2, SHOT), [(2, 4, SHOT)], False),
    ],
    ids=["24 pixels", "25 pixels", "another channel", "three times", "four times", "a third", "a quarter"],
)
def test_motion_is_seen_of_what_has_its_like_nearby(
    before: list[tuple[int, int, int]], after: list[tuple[int, int, int]], moves: bool
) -> None:
    code = encoder()
    _, second = fired(code, drawn(*before), drawn(*after))
    (fresh,) = fired(code, drawn(*after))
    assert fresh <= second
    assert (fresh < second) == moves


def test_the_nearest_of_its_like_is_where_an_object_comes_from() -> None:
    code = encoder()
    _, below = fired(code, drawn((10, 4, SHOT)), drawn((6, 4, SHOT)))
    _, between = fired(code, drawn((1, 4, SHOT), (10, 4, SHOT)), drawn((6, 4, SHOT)))
    assert between == below


def test_objects_hang_together_over_corners_and_not_over_channels() -> None:
    """A staircase has one middle; a luminance of another channel in it cuts it."""
    stairs = [(4 + step, 8 + step, SHOT) for step in range(6)]
    code = encoder()
    _, moved = fired(code, drawn((7, 10, SHOT), (7, 11, SHOT)), drawn(*stairs))
    (still,) = fired(code, drawn(*stairs))
    assert moved == still, "its middle is at row 6 and column 10"
    cut = [*stairs[:2], (6, 10, WALL), *stairs[3:]]
    _, moved = fired(code, drawn((4, 10, SHOT), (4, 11, SHOT)), drawn(*cut))
    (still,) = fired(code, drawn(*cut))
    assert still < moved


def test_motion_is_seen_from_one_frame_to_the_next_only() -> None:
    code = encoder()
    _, _, third = fired(code, drawn((4, 5, SHOT)), black(), drawn((6, 5, SHOT)))
    assert third == fired(code, drawn((6, 5, SHOT)))[0]


@pytest.mark.parametrize("shift", [4, 8, -12])
def test_the_map_around_a_figure_that_moves_along_columns_shifts_with_it(shift: int) -> None:
    code = encoder(columns())
    (here,) = fired(code, drawn((20, 14, FIGURE), (3, 17, SHOT)))
    (there,) = fired(code, drawn((20, 14 + shift, FIGURE), (3, 17 + shift, SHOT)))
    assert len(here) == len(there) == 7
    assert len(here & there) == 5, "avatar and shot in both maps around it, and the neuron that always spikes"
    (below,) = fired(code, drawn((20, 14, FIGURE), (11, 17, SHOT)))
    assert len(here & below) == 5, (
        "rows are those of the screen: the avatar and the shot's coarse tile, and the neuron that always spikes"
    )


@pytest.mark.parametrize("shift", [8, -8, -16])
def test_the_map_around_a_figure_that_moves_along_rows_shifts_with_it(shift: int) -> None:
    code = encoder(Avatar(FIGURE, 0, HEIGHT, 0, 8, True, False))
    start = 4 if shift > 0 else 20
    (here,) = fired(code, drawn((start, 5, FIGURE), (start - 3, 21, SHOT)))
    (there,) = fired(code, drawn((start + shift, 5, FIGURE), (start + shift - 3, 21, SHOT)))
    assert len(here) == len(there) == 7
    assert len(here & there) == 5
    (beside,) = fired(code, drawn((start, 5, FIGURE), (start - 3, 13, SHOT)))
    assert len(here & beside) == 4, "columns are those of the screen"


def test_the_map_around_a_figure_that_roams_shifts_with_it_both_ways() -> None:
    code = encoder(Avatar(FIGURE, 0, HEIGHT, 0, WIDTH, True, True))
    (here,) = fired(code, drawn((12, 14, FIGURE), (9, 17, SHOT)))
    (there,) = fired(code, drawn((20, 18, FIGURE), (17, 21, SHOT)))
    assert len(here) == len(there) == 7
    assert len(here & there) == 5
    (far,) = fired(code, drawn((20, 18, FIGURE), (1, 18, SHOT)))
    assert len(far) == 5, "what is more than half a screen above is seen on the screen only"


def test_places_are_counted_from_the_middle_of_the_figure() -> None:
    code = encoder(columns())
    (wide,) = fired(code, drawn(*((20, column, FIGURE) for column in (11, 12, 13, 14, 15)), (3, 13, SHOT)))
    (narrow,) = fired(code, drawn((20, 13, FIGURE), (3, 13, SHOT)))
    (beside,) = fired(code, drawn((20, 14, FIGURE), (3, 13, SHOT)))
    shot = narrow - fired(code, drawn((20, 13, FIGURE)))[0]
    assert len(shot) == 3
    assert shot <= wide
    assert not shot <= beside


def test_the_last_known_place_is_kept_while_the_figure_is_gone() -> None:
    code = encoder(columns())
    shot = (3, 9, SHOT)
    first, second, third, back = fired(
        code, drawn((20, 5, FIGURE), shot), drawn(shot), drawn(shot), drawn((20, 5, FIGURE), shot)
    )
    assert second == third
    assert second < first == back
    assert len(first - second) == 3, "the avatar itself, once in each map"
    (never,) = fired(code, drawn(shot))
    (middle,) = fired(code, drawn((20, WIDTH // 2, FIGURE), shot))
    assert never < middle, "before it is ever seen it is taken to be in the middle"
    assert never != second


def test_the_figure_is_looked_for_in_its_strip_only() -> None:
    code = encoder(Avatar(FIGURE, 16, 24, 0, WIDTH, False, True))
    shot = (3, 9, SHOT)
    (decoy,) = fired(code, drawn((20, 5, FIGURE), (15, 25, FIGURE), shot))
    (plain,) = fired(code, drawn((20, 5, FIGURE), shot))
    assert plain < decoy
    code = encoder(Avatar(FIGURE, 0, HEIGHT, 0, 8, True, False))
    (decoy,) = fired(code, drawn((20, 5, FIGURE), (10, 8, FIGURE), shot))
    (plain,) = fired(code, drawn((20, 5, FIGURE), shot))
    assert plain < decoy


def test_rows_outside_the_interval_are_not_seen() -> None:
    code = encoder(rows=[4, 20])
    assert fired(code, drawn((3, 1, SHOT), (20, 1, SHOT))) == fired(code, black())
    assert fired(code, drawn((4, 1, SHOT))) != fired(code, black())
    assert fired(code, drawn((19, 1, SHOT))) != fired(code, black())


def busy() -> tuple[ObjectEncoder, list[list[Frame]]]:
    """An encoder with an avatar, and three episodes in front of a background."""
    background = striped(HEIGHT, WIDTH)
    code = told(encoder(columns()), background=background, table=table())
    return code, [scene(seed, 5, HEIGHT, WIDTH, background) for seed in range(3)]


def test_rows_of_a_batch_spike_as_if_alone_and_are_sorted() -> None:
    code, episodes = busy()
    alone = [volleys(code, episode) for episode in episodes]
    state = code.init_state(3)
    for time in range(5):
        batch = torch.as_tensor(np.stack([episode[time] for episode in episodes]))[:, None]
        spikes, state = code(batch, state)
        assert spikes.shape == (3, code.size)
        assert torch.equal(spikes.row, spikes.row.sort().values)
        assert torch.equal(spikes.dense(), torch.cat([windows[time].dense() for windows in alone]))


def test_a_neuron_is_listed_once_in_a_volley() -> None:
    code, episodes = busy()
    for spikes in volleys(code, episodes[0]):
        assert len(spikes.index.unique()) == len(spikes.index)


def test_what_is_remembered_is_in_the_state_alone() -> None:
    code, (episode, other, _) = busy()
    state, states, spikes = code.init_state(1), [], []
    for frame in episode:
        fired_now, state = code(torch.as_tensor(frame)[None, None], state)
        states.append(ObjectState(*(part.clone() for part in state)))
        spikes.append(fired_now.dense())
    volleys(code, other)
    for time in range(4):
        given = ObjectState(*(part.clone() for part in states[time]))
        again, after = code(torch.as_tensor(episode[time + 1])[None, None], given)
        assert torch.equal(again.dense(), spikes[time + 1])
        assert all(map(torch.equal, after, states[time + 1]))
        assert all(map(torch.equal, given, states[time])), "the state that was given is left as it was"
    fresh, _ = code(torch.as_tensor(episode[1])[None, None], code.init_state(1))
    assert not torch.equal(fresh.dense(), spikes[1]), "or else nothing is remembered"


def looked_around(**settings: Any) -> ObjectEncoder:
    """An encoder that has watched an avatar obey, in front of stripes."""
    code = ObjectEncoder(HEIGHT, WIDTH, **settings)
    generator = np.random.default_rng(0)
    actions = generator.integers(0, 3, (299, 2))
    frames = np.tile(striped(HEIGHT, WIDTH), (300, 2, 1, 1))
    place = np.array([16, 16])
    for time in range(300):
        if time:
            place = np.clip(place + 2 * (actions[time - 1] - 1), 0, WIDTH - 3)
        for row in range(2):
            frames[time, row, 17:20, place[row] : place[row] + 3] = FIGURE
    code.calibrate(frames, actions, np.ones((299, 2), dtype=bool))
    return code.eval()


def test_looking_around_tells_background_luminances_and_figure() -> None:
    assert not encoder().calibrated
    code = looked_around()
    assert code.calibrated
    assert np.array_equal(code.background.numpy(), striped(HEIGHT, WIDTH))
    assert code.table.numpy()[FIGURE] == 0
    assert Avatar(*code.avatar.tolist()) == Avatar(FIGURE, 16, 24, 0, WIDTH, False, True)
    frame = striped(HEIGHT, WIDTH)
    assert len(fired(code, frame)[0]) == 1
    frame[17:20, 8:11] = FIGURE
    assert len(fired(code, frame)[0]) > 1


def test_a_figures_rows_are_those_of_the_cut() -> None:
    code = looked_around(rows=[9, 24])
    assert Avatar(*code.avatar.tolist()) == Avatar(FIGURE, 8, 15, 0, WIDTH, False, True)
    assert np.array_equal(code.background.numpy(), striped(HEIGHT, WIDTH)[9:])


def test_where_nothing_obeys_places_are_counted_from_the_middle_as_before() -> None:
    code = ObjectEncoder(HEIGHT, WIDTH).eval()
    before = fired(code, drawn((3, 9, SHOT)))
    code.calibrate(np.zeros((4, 2, HEIGHT, WIDTH), np.uint8), np.zeros((3, 2), np.int64), np.ones((3, 2), bool))
    assert code.calibrated
    assert Avatar(*code.avatar.tolist()) == NOBODY
    told(code, table=BANDS)
    assert fired(code, drawn((3, 9, SHOT))) == before


def test_an_encoder_loads_what_another_has_seen() -> None:
    old, new = looked_around(), ObjectEncoder(HEIGHT, WIDTH)
    episode = scene(5, 8, HEIGHT, WIDTH, striped(HEIGHT, WIDTH))
    old.train()
    volleys(old, episode)
    new.load_state_dict(old.state_dict())
    assert new.calibrated
    for one, other in zip(volleys(old.eval(), episode), volleys(new.eval(), episode), strict=True):
        assert torch.equal(one.index, other.index)
        assert torch.equal(one.value, other.value)
    assert any((spikes.value < 1).any() for spikes in volleys(new, episode)), "amplitudes are loaded too"
    new.load_state_dict(ObjectEncoder(HEIGHT, WIDTH).state_dict())
    assert not new.calibrated


def test_amplitudes_adapt_in_training_mode_and_stand_still_in_evaluation() -> None:
    code = encoder(target_rate=0.1)
    frame = drawn((1, 1, SHOT))
    (spikes,) = volleys(code, [frame])
    assert spikes.value.tolist() == [1.0, 1.0, 1.0, 1.0]
    code.train()
    volleys(code, [frame] * 100)
    code.eval()
    learnt = {name: value.clone() for name, value in code.state_dict().items()}
    (spikes,) = volleys(code, [frame])
    assert spikes.value.tolist() == pytest.approx([0.1**0.5] * 4, rel=3e-2)
    volleys(code, [drawn((9, 9, SHOT))] * 10)
    assert all(torch.equal(value, learnt[name]) for name, value in code.state_dict().items())


def test_frames_are_left_as_they_are() -> None:
    frame = drawn((1, 1, SHOT), (20, 3, FIGURE))
    copy = frame.copy()
    volleys(encoder(columns()), [frame, frame])
    assert np.array_equal(frame, copy)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"rows": [5, 5]}, "env.frames.rows"),
        ({"rows": [9, 5]}, "env.frames.rows"),
        ({"rows": [-1, 5]}, "env.frames.rows"),
        ({"rows": [0, 25]}, "env.frames.rows"),
        ({"width": 28}, "width"),
    ],
)
def test_settings_out_of_range_are_errors(settings: dict[str, Any], name: str) -> None:
    size = {"height": HEIGHT, "width": settings.pop("width", WIDTH)}
    with pytest.raises(ConfigError, match=f"{name}="):
        ObjectEncoder(**size, **settings)


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros((1, 1, HEIGHT, WIDTH)),
        torch.zeros((1, 1, HEIGHT, WIDTH), dtype=torch.int32),
        torch.zeros((1, HEIGHT, WIDTH), dtype=torch.uint8),
        torch.zeros((1, 4, HEIGHT, WIDTH), dtype=torch.uint8),
        torch.zeros((1, 1, WIDTH, HEIGHT), dtype=torch.uint8),
        torch.zeros((1, 1, HEIGHT - 1, WIDTH), dtype=torch.uint8),
        torch.zeros((1, 1, HEIGHT, WIDTH, 3), dtype=torch.uint8),
    ],
    ids=["float", "int32", "no channel", "stacked", "turned", "cut", "RGB"],
)
def test_frames_of_another_kind_are_errors_that_say_which_are_right(frames: torch.Tensor) -> None:
    code = encoder()
    with pytest.raises(ConfigError, match=rf"observation={frames.dtype} .*must be uint8 \(n, 1, {HEIGHT}, {WIDTH}\)"):
        code(frames, code.init_state(1))


def test_a_state_of_another_batch_is_an_error() -> None:
    code = encoder()
    with pytest.raises(ConfigError, match="3"):
        code(torch.zeros((3, 1, HEIGHT, WIDTH), dtype=torch.uint8), code.init_state(2))
