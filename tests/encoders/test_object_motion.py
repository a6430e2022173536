"""Directions of what moves from one frame to the next."""

from __future__ import annotations

import pytest

from tests.encoders.screens import (
    EIGHT,
    SHOT,
    WALL,
    black,
    box,
    drawn,
    encoder,
    fired,
)


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
