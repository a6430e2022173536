"""What a screen shows, learnt by acting at random and watching: background, things, and which of them is oneself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.kernels.objects import BAND, Avatar

Frames = NDArray[np.uint8]

SAMPLES = 400
"""Frames that the background is taken from."""
STILL = 0.7
"""Share of frames in which a pixel of the scenery has its luminance."""
FEWEST = 200
"""Transitions in which a candidate must have been seen."""
FARTHEST = 16.0
"""Pixels between two frames beyond which an avatar has not moved but started anew."""
LEAST_CONTINGENCY = 0.02
"""Share of an avatar's motion that actions must explain."""


class Scene(NamedTuple):
    """What :func:`calibrate_scene` found; rows are those of the frames that it was given."""

    background: Frames
    """``[rows, width]``: the most frequent luminance of each pixel."""
    table: Frames
    """``[256]``: the channel of each luminance."""
    avatar: Avatar


class _Candidate(NamedTuple):
    luminance: int
    axis: int
    """Along which it moves: 0 rows, 1 columns."""
    band: int | None
    """Which strip along that axis it keeps to; None for the whole screen."""
    contingency: float


def calibrate_scene(frames: Frames, actions: NDArray[np.int64], joined: NDArray[np.bool_], channels: int) -> Scene:
    """Look at what random play has shown.

    The agent's own avatar is what moves as the actions say (contingency awareness: Bellemare, Veness & Bowling 2012,
    AAAI, "Investigating contingency awareness using Atari 2600 games"): of every frequent luminance, in every strip of
    the screen and in all of it, the mean place is followed, and the candidate wins whose displacements are best
    explained by the action, as the share of their variance that lies between actions. What is black is never a
    avatar.

    Args:
        frames: uint8 ``[time, batch, rows, width]``.
        actions: ``[time - 1, batch]``, what was done between two frames.
        joined: ``[time - 1, batch]``, whether the two frames are of one episode.
        channels: number of luminance channels, the last for whatever luminance is left.

    Returns:
        The scene.
    """
    background = _background(frames.reshape(-1, *frames.shape[2:]))
    shown = _frequent(frames, background)
    candidates = [
        found
        for level in shown[:12]
        for axis in (0, 1)
        for found in _follow((frames == level) & (background != level), level, axis, actions, joined)
    ]
    avatar = _figure(candidates, frames.shape[2:])
    levels = [level for level in shown if level != avatar.luminance]
    if avatar.luminance >= 0:
        levels.insert(0, avatar.luminance)
    table = np.full(256, channels - 1, dtype=np.uint8)
    for channel, level in enumerate(levels[: channels - 1]):
        table[level] = channel
    return Scene(background, table, avatar)


def _background(frames: Frames) -> Frames:
    return _most_frequent(frames)[0]


def scenery(frames: Frames) -> Frames:
    """What stands still in uint8 frames ``[frames, rows, width]``: a luminance for each pixel, ``[rows, width]``.

    Where no luminance is seen in :data:`STILL` of the frames, things come and go, and what is behind them is taken
    to be as most of the row is.
    """
    level, share = _most_frequent(frames)
    for row, still in zip(level, share >= STILL, strict=True):
        row[~still] = np.bincount(row[still] if still.any() else row).argmax()
    return level


def _most_frequent(frames: Frames) -> tuple[Frames, NDArray[np.float64]]:
    """The most frequent luminance of each pixel and the share of frames in which it has it, ``[rows, width]`` each."""
    sample = frames[:: -(-len(frames) // SAMPLES)]
    out = np.zeros(sample.shape[1:], dtype=np.uint8)
    share = np.zeros(sample.shape[1:])
    for row in range(sample.shape[1]):
        seen = sample[:, row]
        levels = np.unique(seen)
        counts = np.stack([(seen == level).sum(0) for level in levels])
        out[row] = levels[counts.argmax(0)]
        share[row] = counts.max(0) / len(sample)
    return out, share


def _frequent(frames: Frames, background: Frames) -> list[int]:
    """Luminances other than black that stand out from the background, by the number of frames that have them."""
    sample = frames.reshape(-1, *frames.shape[2:])
    sample = sample[:: -(-len(sample) // SAMPLES)]
    presence = np.zeros(256)
    for frame in sample:
        counts = np.bincount(frame[frame != background], minlength=256)
        presence += (counts > 0) + 1e-6 * np.minimum(counts, 1000)
    presence[0] = 0
    order = np.argsort(-presence, kind="stable")
    return [int(level) for level in order if presence[level] > 0.02 * len(sample)]


def _follow(
    along: NDArray[np.bool_], level: int, axis: int, actions: NDArray[np.int64], joined: NDArray[np.bool_]
) -> list[_Candidate]:
    """What of a luminance moves along an axis with the actions, in each strip and on the whole screen."""
    if axis == 0:
        along = along.swapaxes(2, 3)
    strips = -(-along.shape[2] // BAND)
    found = []
    profiles = [along[:, :, strip * BAND : (strip + 1) * BAND].any(2) for strip in range(strips)]
    whole = np.logical_or.reduce(profiles)
    for band, profile in [*enumerate(profiles), (None, whole)]:
        contingency = _contingency(profile, actions, joined)
        if contingency > LEAST_CONTINGENCY:
            found.append(_Candidate(level, axis, band, contingency))
    return found


def _contingency(profile: NDArray[np.bool_], actions: NDArray[np.int64], joined: NDArray[np.bool_]) -> float:
    """Share of the variance of displacements that lies between actions, times the share of time that it was seen."""
    extent = profile.sum(-1)
    if (extent > 0).mean() < 0.2:
        return 0.0
    place = (profile * np.arange(profile.shape[-1], dtype=np.float32)).sum(-1) / np.maximum(extent, 1)
    moved = np.diff(place, axis=0)
    small = (extent > 0) & (extent <= 40)
    counted = joined & small[1:] & small[:-1] & (np.abs(moved) < FARTHEST)
    displacement, taken = moved[counted], actions[counted]
    variance = float(displacement.var()) if len(displacement) >= FEWEST else 0.0
    if variance < 1e-3:
        return 0.0
    taken = taken - taken.min()
    total = np.bincount(taken, displacement)
    count = np.bincount(taken)
    means = total / np.maximum(count, 1)
    between = float((count * (means - displacement.mean()) ** 2).sum() / len(displacement))
    return between / variance * float(counted.mean())


def _figure(candidates: list[_Candidate], shape: tuple[int, ...]) -> Avatar:
    rows, width = shape
    if not candidates:
        return Avatar(-1, 0, 0, 0, 0, False, False)
    best = max(candidates, key=lambda candidate: candidate.contingency * (1.0 if candidate.band is not None else 0.6))
    roaming = [
        max(
            (c.contingency for c in candidates if (c.luminance, c.axis, c.band) == (best.luminance, axis, None)),
            default=0.0,
        )
        for axis in (0, 1)
    ]
    if min(roaming) > 0.5 * best.contingency:
        return Avatar(best.luminance, 0, rows, 0, width, True, True)
    strips = {
        c.band
        for c in candidates
        if (c.luminance, c.axis) == (best.luminance, best.axis)
        and c.band is not None
        and c.contingency > 0.4 * best.contingency
    }
    if best.band is None or not strips:
        first, past = 0, shape[1 - best.axis]
    else:
        low = high = best.band
        while low - 1 in strips:
            low -= 1
        while high + 1 in strips:
            high += 1
        first, past = low * BAND, min((high + 1) * BAND, shape[1 - best.axis])
    if best.axis == 1:
        return Avatar(best.luminance, first, past, 0, width, False, True)
    return Avatar(best.luminance, 0, rows, first, past, True, False)
