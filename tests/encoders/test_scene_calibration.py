from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from snnrl.encoders import ObjectEncoder
from snnrl.encoders.scene_calibration import STILL, Scene, calibrate_scene, scenery
from snnrl.envs import EnvConfig, make_envs
from snnrl.kernels.objects import Avatar
from snnrl.recipes import compose_run

ME, WALKER, WALL, BALL = 90, 140, 60, 200
HEIGHT, WIDTH, TIME, BATCH = 48, 64, 400, 4
CHANNELS = 7
Frames = NDArray[np.uint8]
Draw = Callable[[Frames, np.random.Generator], None]


class Play(NamedTuple):
    """What random play showed, as :func:`calibrate_scene` takes it."""

    frames: Frames
    actions: NDArray[np.int64]
    joined: NDArray[np.bool_]

    def calibrate_scene(self, channels: int = CHANNELS) -> Scene:
        return calibrate_scene(self.frames, self.actions, self.joined, channels)


def striped() -> Frames:
    """A background of stripes and a pillar."""
    stripes = np.array([0, 30, 0, 80, 250, 0], dtype=np.uint8)[np.arange(HEIGHT) // 8]
    background = np.tile(stripes[:, None], (1, WIDTH))
    background[:, 40:42] = 120
    return background


def play(
    moves: list[tuple[int, int]],
    *,
    start: tuple[int, int] = (36, 30),
    size: tuple[int, int] = (4, 5),
    reach: tuple[int, int] = (HEIGHT, WIDTH),
    others: tuple[Draw, ...] = (),
    length: int = 80,
    sticky: float = 0.0,
    slip: float = 0.0,
    seed: int = 0,
) -> Play:
    """A game whose avatar makes the move of its action.

    Args:
        moves: rows and columns that the avatar moves for each action.
        start: where the avatar's upper left corner is when an episode begins.
        size: of the avatar.
        reach: rows and columns that it stays within.
        others: each draws something into all frames before the avatar is drawn.
        length: steps of an episode.
        sticky: probability that the last action is repeated instead.
        slip: probability that the avatar makes a random move instead.
        seed: of everything.
    """
    generator = np.random.default_rng(seed)
    frames = np.tile(striped(), (TIME, BATCH, 1, 1))
    for draw in others:
        draw(frames, generator)
    actions = generator.integers(len(moves), size=(TIME - 1, BATCH))
    joined = np.ones((TIME - 1, BATCH), dtype=bool)
    most = np.array(reach) - size
    for row in range(BATCH):
        place, done = np.array(start), 0
        for time in range(TIME):
            if time and (time + 17 * row) % length == 0:
                joined[time - 1, row] = False
                place = np.array(start)
            elif time:
                done = done if generator.random() < sticky else actions[time - 1, row]
                move = moves[generator.integers(len(moves)) if generator.random() < slip else done]
                place = np.clip(place + move, 0, most)
            top, left = place
            frames[time, row, top : top + size[0], left : left + size[1]] = ME
    return Play(frames, actions, joined)


def wanderer(luminance: int, top: int, speed: int = 2, shown: float = 1.0, size: tuple[int, int] = (3, 4)) -> Draw:
    """Something that walks about along columns by itself and is seen in a share of the frames."""

    def draw(frames: Frames, generator: np.random.Generator) -> None:
        left = generator.integers(0, WIDTH, frames.shape[1])
        for time in range(len(frames)):
            left = (left + speed * generator.integers(-1, 2, len(left))) % (WIDTH - size[1])
            for row in np.flatnonzero(generator.random(len(left)) < shown):
                frames[time, row, top : top + size[0], left[row] : left[row] + size[1]] = luminance

    return draw


def faller(luminance: int, left: int) -> Draw:
    """Something that falls at a steady speed and begins again above."""

    def draw(frames: Frames, generator: np.random.Generator) -> None:
        top = generator.integers(0, HEIGHT, frames.shape[1])
        for time in range(len(frames)):
            top = (top + 3) % HEIGHT
            for row in range(len(top)):
                frames[time, row, top[row] : top[row] + 3, left : left + 2] = luminance

    return draw


def still(luminance: int, top: int, left: int) -> Draw:
    """Something that is there in one third of the frames, the first or the last, by chance."""

    def draw(frames: Frames, generator: np.random.Generator) -> None:
        for row in range(frames.shape[1]):
            third = slice(None, len(frames) // 3) if generator.random() < 0.5 else slice(-len(frames) // 3, None)
            frames[third, row, top : top + 3, left : left + 6] = luminance

    return draw


def speckles(frames: Frames, generator: np.random.Generator) -> None:
    """One pixel in five hundred of any luminance but black and the avatar's."""
    noisy = generator.random(frames.shape) < 0.002
    frames[noisy] = generator.choice([*range(1, ME), *range(ME + 1, 256)], int(noisy.sum()))


LEFT_RIGHT = [(0, 0), (0, -2), (0, 2)]
UP_DOWN = [(0, 0), (-2, 0), (2, 0)]
EVERYWHERE = [(0, 0), (-2, 0), (2, 0), (0, -2), (0, 2)]
CROWD = (wanderer(WALKER, 4), wanderer(WALL, 14, 3), faller(BALL, 10))
IN_COLUMNS = Avatar(ME, 32, 40, 0, WIDTH, False, True)
IN_ROWS = Avatar(ME, 0, HEIGHT, 24, 32, True, False)
ROAMING = Avatar(ME, 0, HEIGHT, 0, WIDTH, True, True)

GAMES: dict[str, tuple[dict[str, Any], Avatar]] = {
    "columns": ({"moves": LEFT_RIGHT}, IN_COLUMNS),
    "columns, among others": ({"moves": LEFT_RIGHT, "others": CROWD}, IN_COLUMNS),
    "columns, across two strips": (
        {"moves": LEFT_RIGHT, "start": (30, 30), "size": (6, 5), "others": CROWD},
        Avatar(ME, 24, 40, 0, WIDTH, False, True),
    ),
    "columns, and more of its luminance above": (
        {"moves": LEFT_RIGHT, "others": (*CROWD, wanderer(ME, 2), still(ME, 11, 50), faller(BALL, 50))},
        IN_COLUMNS,
    ),
    "columns, sticky actions": ({"moves": LEFT_RIGHT, "others": CROWD, "sticky": 0.4}, IN_COLUMNS),
    "columns, slips and speckles": ({"moves": LEFT_RIGHT, "others": (*CROWD, speckles), "slip": 0.3}, IN_COLUMNS),
    "columns, episodes of 9 steps": ({"moves": LEFT_RIGHT, "others": CROWD, "length": 9}, IN_COLUMNS),
    "columns, actions without effect": (
        {"moves": [*LEFT_RIGHT, (0, 0), (0, -2), (0, 2)], "others": CROWD},
        IN_COLUMNS,
    ),
    "rows": ({"moves": UP_DOWN, "start": (20, 25)}, IN_ROWS),
    "rows, among others": ({"moves": UP_DOWN, "start": (20, 25), "others": CROWD}, IN_ROWS),
    "rows, and its luminance beside": (
        {"moves": UP_DOWN, "start": (20, 25), "others": (*CROWD, faller(ME, 50), still(ME, 11, 58))},
        IN_ROWS,
    ),
    "rows, sticky actions": ({"moves": UP_DOWN, "start": (20, 25), "others": CROWD, "sticky": 0.4}, IN_ROWS),
    "rows, slips and speckles": (
        {"moves": UP_DOWN, "start": (20, 25), "others": (*CROWD, speckles), "slip": 0.3},
        IN_ROWS,
    ),
    "both": ({"moves": EVERYWHERE, "start": (20, 25)}, ROAMING),
    "both, among others": ({"moves": EVERYWHERE, "start": (20, 25), "others": CROWD}, ROAMING),
    "both, sticky actions": ({"moves": EVERYWHERE, "start": (20, 25), "others": CROWD, "sticky": 0.4}, ROAMING),
    "both, episodes of 9 steps": ({"moves": EVERYWHERE, "start": (20, 25), "others": CROWD, "length": 9}, ROAMING),
}


@cache
def found_in(name: str, seed: int) -> Scene:
    return play(seed=seed, **GAMES[name][0]).calibrate_scene()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", GAMES)
def test_the_figure_is_what_obeys(name: str, seed: int) -> None:
    assert found_in(name, seed).avatar == GAMES[name][1]


def test_only_frames_of_one_episode_are_compared() -> None:
    game = play(LEFT_RIGHT)
    joined = game.joined.copy()
    joined[1::2] = False
    assert game._replace(joined=joined).calibrate_scene().avatar == IN_COLUMNS
    alone = game._replace(joined=np.zeros_like(game.joined))
    assert alone.calibrate_scene().avatar.luminance == -1, "where no frame goes on from another nothing is known"


NOBODY = {
    "nothing moves": (),
    "others": CROWD,
    "others and speckles": (*CROWD, speckles),
    "one that is often gone": (wanderer(WALKER, 4, shown=0.5),),
}


@pytest.mark.parametrize("name", NOBODY)
def test_where_nothing_obeys_there_is_no_figure(name: str) -> None:
    game = play([(0, 0)] * 3, others=NOBODY[name])
    found = game.calibrate_scene()
    assert found.avatar.luminance == -1
    assert found.table[ME] < CHANNELS


def test_what_obeys_other_actions_than_are_told_is_no_figure() -> None:
    game = play(LEFT_RIGHT, others=CROWD)
    other = np.random.default_rng(5).integers(3, size=game.actions.shape)
    assert game.calibrate_scene().avatar == IN_COLUMNS
    assert game._replace(actions=other).calibrate_scene().avatar.luminance == -1


@pytest.mark.parametrize("name", [name for name in GAMES if "9 steps" not in name])
def test_the_background_is_what_is_behind_all_that_passes(name: str) -> None:
    """Figures of short episodes stand at their start most of the time, and are background there."""
    assert np.array_equal(found_in(name, 0).background, striped())


def test_a_pixels_background_is_its_most_frequent_luminance() -> None:
    frames = np.zeros((10, 1, 8, 8), dtype=np.uint8)
    frames[:6, 0, 2, 3], frames[6:, 0, 2, 3] = 50, 70
    frames[:4, 0, 5, 5], frames[4:, 0, 5, 5] = 50, 70
    background = calibrate_scene(frames, np.zeros((9, 1), np.int64), np.ones((9, 1), bool), CHANNELS).background
    assert background[2, 3] == 50
    assert background[5, 5] == 70
    assert np.count_nonzero(background) == 2


def shown_at_times(*luminances: tuple[int, float]) -> tuple[Draw, ...]:
    """Things apart from each other, seen in these shares of the frames."""
    places = [(row, column) for row in (2, 12, 22) for column in (2, 22, 44)]

    def drawing(luminance: int, share: float, place: tuple[int, int]) -> Draw:
        def draw(frames: Frames, generator: np.random.Generator) -> None:
            seen = generator.random(frames.shape[:2]) < share
            top, left = place
            for time, row in np.argwhere(seen):
                jump = generator.integers(0, 12)
                frames[time, row, top : top + 2, left + jump : left + jump + 2] = luminance

        return draw

    return tuple(drawing(level, share, place) for (level, share), place in zip(luminances, places, strict=False))


def test_channels_go_to_the_figure_first_and_then_by_the_share_of_frames() -> None:
    things = shown_at_times((140, 0.3), (150, 0.9), (160, 0.6), (170, 0.1), (180, 0.75), (190, 0.45))
    game = play(LEFT_RIGHT, others=things)
    table = game.calibrate_scene().table
    assert [int(table[level]) for level in (ME, 150, 180, 160, 190, 140)] == [0, 1, 2, 3, 4, 5]
    assert set(table[np.setdiff1d(np.arange(256), [ME, 150, 180, 160, 190, 140])].tolist()) == {6}
    three = game.calibrate_scene(channels=3).table
    assert three[ME] == 0
    assert three[150] == 1
    assert set(three[np.setdiff1d(np.arange(256), [ME, 150])].tolist()) == {2}


def test_a_figure_that_is_seldom_seen_has_the_first_channel_all_the_same() -> None:
    others = shown_at_times((140, 1.0), (150, 1.0), (160, 1.0), (170, 1.0), (180, 1.0), (190, 1.0), (210, 1.0))
    game = play(LEFT_RIGHT, others=others)
    hidden = np.random.default_rng(0).random(game.frames.shape[:2]) < 0.3
    frames = game.frames.copy()
    frames[hidden] = np.where(frames[hidden] == ME, striped(), frames[hidden])
    scene = game._replace(frames=frames).calibrate_scene()
    assert scene.avatar == IN_COLUMNS
    assert scene.table[ME] == 0
    assert sorted(scene.table[[140, 150, 160, 170, 180, 190, 210]].tolist()) == [1, 2, 3, 4, 5, 6, 6]


def test_without_a_figure_channels_go_by_the_share_of_frames_and_rare_luminances_share_the_last() -> None:
    things = shown_at_times((140, 0.3), (150, 0.9), (160, 0.005), (170, 0.6))
    frames = np.zeros((TIME, BATCH, HEIGHT, WIDTH), dtype=np.uint8)
    for draw in things:
        draw(frames, np.random.default_rng(0))
    table = calibrate_scene(
        frames, np.zeros((TIME - 1, BATCH), np.int64), np.ones((TIME - 1, BATCH), bool), CHANNELS
    ).table
    assert [int(table[level]) for level in (150, 170, 140)] == [0, 1, 2]
    assert set(table[np.setdiff1d(np.arange(256), [150, 170, 140])].tolist()) == {6}


def test_looking_leaves_frames_and_actions_as_they_are_and_repeats() -> None:
    game = play(LEFT_RIGHT, others=CROWD)
    kept = [part.copy() for part in game]
    one, two = game.calibrate_scene(), game.calibrate_scene()
    assert all(map(np.array_equal, game, kept))
    assert np.array_equal(one.background, two.background)
    assert np.array_equal(one.table, two.table)
    assert one.avatar == two.avatar


def test_a_single_transition_is_enough_to_look_at() -> None:
    frames = np.tile(striped(), (2, 1, 1, 1))
    scene = calibrate_scene(frames, np.zeros((1, 1), np.int64), np.ones((1, 1), bool), CHANNELS)
    assert np.array_equal(scene.background, striped())
    assert scene.avatar.luminance == -1


def test_actions_may_begin_below_zero() -> None:
    game = play(LEFT_RIGHT)
    assert game._replace(actions=game.actions - 1).calibrate_scene().avatar == IN_COLUMNS


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("game", "rows", "columns"),
    [("SpaceInvaders", False, True), ("Breakout", False, True), ("Pong", True, False), ("Freeway", True, False)],
)
def test_the_figure_of_an_atari_game_is_found_in_4096_decisions(game: str, rows: bool, columns: bool) -> None:
    composed = compose_run([f"env={game}"])
    config = EnvConfig.from_mapping(composed["env"])
    envs = make_envs(config, 16)
    generator = np.random.default_rng(0)
    observation, _ = envs.reset(seed=list(range(16)))
    frames, actions, joined, ended = [observation.copy()], [], [], np.zeros(16, dtype=bool)
    for _ in range(255):
        actions.append(generator.integers(envs.single_action_space.n, size=16))  # type: ignore[attr-defined]
        observation, _, terminated, truncated, _ = envs.step(actions[-1])
        frames.append(observation.copy())
        joined.append(~ended)
        ended = terminated | truncated
    envs.close()
    code = ObjectEncoder(210, 160, rows=composed["agent"]["encoder"]["rows"])
    code.calibrate(np.stack(frames), np.stack(actions), np.stack(joined))
    avatar = Avatar(*code.avatar.tolist())
    assert avatar.luminance >= 0
    assert (avatar.moves_rows, avatar.moves_columns) == (rows, columns)
    across = (avatar.left, avatar.right) if rows else (avatar.top, avatar.bottom)
    assert across[1] - across[0] <= 32, "it keeps to a strip"


def test_scenery_is_what_stands_still_and_where_things_come_and_go_what_the_row_is_like() -> None:
    frames = np.tile(striped(), (100, 1, 1))
    frames[:60, 2:5, 8:12] = WALKER
    frames[60:, 2:5, 30:34] = WALKER
    np.testing.assert_array_equal(scenery(frames), striped())
    frames[: round(100 * STILL), 20:22, 8:12] = WALKER
    assert (scenery(frames)[20:22, 8:12] == WALKER).all()


def test_a_row_in_which_nothing_stands_still_is_as_most_of_it_is() -> None:
    frames = np.random.default_rng(0).integers(0, 2, (90, 1, 64), dtype=np.uint8) * 50
    frames[:, :, ::2] = frames[:, :, ::2] + 1
    assert len(np.unique(scenery(frames))) == 1
