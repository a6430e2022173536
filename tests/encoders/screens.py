"""Frames drawn by hand, and the object encoder's definition pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from snnrl.encoders import ObjectEncoder
from snnrl.encoders.objects import CHANNELS
from snnrl.kernels.objects import DIRECTIONS, FARTHEST, LARGEST_OBJECT, LEAST_MOVE, MOST_OBJECTS, STEEPEST, Avatar
from snnrl.spikes import SparseSpikes

SHOT, WALL, FIGURE = 60, 142, 200
"""Luminances of three bands, so that an encoder that is not calibrated tells them apart too."""
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


def synchronous(code: ObjectEncoder, episode: Sequence[Frame]) -> list[SparseSpikes]:
    state, out = code.init_state(1), []
    for frame in episode:
        spikes, state = code(torch.as_tensor(frame)[None, None], state)
        out.append(spikes)
    return out


def fired(code: ObjectEncoder, *episode: Frame) -> list[set[int]]:
    """The neurons that spike at each frame of an episode."""
    return [set(spikes.index.tolist()) for spikes in synchronous(code, episode)]


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


EIGHT = [(down, right) for down in (-3, 0, 3) for right in (-4, 0, 4) if (down, right) != (0, 0)]


def busy() -> tuple[ObjectEncoder, list[list[Frame]]]:
    """An encoder with an avatar, and three episodes in front of a background."""
    background = striped(HEIGHT, WIDTH)
    code = told(encoder(columns()), background=background, table=table())
    return code, [scene(seed, 5, HEIGHT, WIDTH, background) for seed in range(3)]


def calibrated(**settings: Any) -> ObjectEncoder:
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
    code.calibrate(frames[:, :, None], actions, np.ones((299, 2), dtype=bool))
    return code.eval()
