"""Places are counted from the avatar."""

from __future__ import annotations

import pytest

from snnrl.kernels.objects import Avatar
from tests.encoders.screens import (
    FIGURE,
    HEIGHT,
    SHOT,
    WIDTH,
    black,
    columns,
    drawn,
    encoder,
    fired,
)


@pytest.mark.parametrize("shift", [4, 8, -12])
def test_the_map_around_an_avatar_that_moves_along_columns_shifts_with_it(shift: int) -> None:
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
def test_the_map_around_an_avatar_that_moves_along_rows_shifts_with_it(shift: int) -> None:
    code = encoder(Avatar(FIGURE, 0, HEIGHT, 0, 8, True, False))
    start = 4 if shift > 0 else 20
    (here,) = fired(code, drawn((start, 5, FIGURE), (start - 3, 21, SHOT)))
    (there,) = fired(code, drawn((start + shift, 5, FIGURE), (start + shift - 3, 21, SHOT)))
    assert len(here) == len(there) == 7
    assert len(here & there) == 5
    (beside,) = fired(code, drawn((start, 5, FIGURE), (start - 3, 13, SHOT)))
    assert len(here & beside) == 4, "columns are those of the screen"


def test_the_map_around_an_avatar_that_roams_shifts_with_it_both_ways() -> None:
    code = encoder(Avatar(FIGURE, 0, HEIGHT, 0, WIDTH, True, True))
    (here,) = fired(code, drawn((12, 14, FIGURE), (9, 17, SHOT)))
    (there,) = fired(code, drawn((20, 18, FIGURE), (17, 21, SHOT)))
    assert len(here) == len(there) == 7
    assert len(here & there) == 5
    (far,) = fired(code, drawn((20, 18, FIGURE), (1, 18, SHOT)))
    assert len(far) == 5, "what is more than half a screen above is seen on the screen only"


def test_places_are_counted_from_the_middle_of_the_avatar() -> None:
    code = encoder(columns())
    (wide,) = fired(code, drawn(*((20, column, FIGURE) for column in (11, 12, 13, 14, 15)), (3, 13, SHOT)))
    (narrow,) = fired(code, drawn((20, 13, FIGURE), (3, 13, SHOT)))
    (beside,) = fired(code, drawn((20, 14, FIGURE), (3, 13, SHOT)))
    shot = narrow - fired(code, drawn((20, 13, FIGURE)))[0]
    assert len(shot) == 3
    assert shot <= wide
    assert not shot <= beside


def test_the_last_known_place_is_kept_while_the_avatar_is_gone() -> None:
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


def test_the_avatar_is_looked_for_in_its_strip_only() -> None:
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
