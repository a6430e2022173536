"""Which neurons spike for what is on a frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from snnrl.kernels.objects import MOST_OBJECTS, Avatar
from tests.encoders.screens import (
    FIGURE,
    GEOMETRIES,
    HEIGHT,
    SHOT,
    WALL,
    WIDTH,
    black,
    box,
    columns,
    drawn,
    encoder,
    fired,
    pieces,
    reference,
    scene,
    striped,
    synchronous,
    table,
    told,
)


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
        found.append(torch.cat([spikes.dense() for spikes in synchronous(code, episode)]).bool().numpy())
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
    found = torch.cat([spikes.dense() for spikes in synchronous(code, episode)]).bool().numpy()
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
