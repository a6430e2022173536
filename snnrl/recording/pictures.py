"""A game as a video: its pictures, with the spikes of every decision under them if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from snnrl.envs.drawing import CannotDrawError
from snnrl.recording.video_file import Frame
from snnrl.trajectory import Moment

SMALL = 300
"""Pictures with a side of fewer pixels are shown larger, by a whole factor."""
BACKGROUND, LINE, INK = (14, 17, 22), (43, 50, 60), (155, 166, 179)
COLOURS = ((143, 208, 247), (245, 145, 77), (63, 207, 159), (227, 148, 196), (236, 192, 81), (91, 181, 238))
"""Of the populations in turn, as on the page where it is dark."""
BAND, GAP, GUTTER = 60, 6, 54
"""Height of a population's band, distance between two, and width of the names on their left, in pixels."""


def pictures(moments: Iterable[Moment], *, spikes: bool) -> Iterator[Frame]:
    """What the moments show, all of one size.

    Args:
        moments: of one environment.
        spikes: whether spikes are drawn under the game.

    Raises:
        CannotDrawError: a moment has no picture.
    """
    strip: _Strip | None = None
    for moment in moments:
        if moment.frame is None:
            raise CannotDrawError("the environment has stopped showing pictures, of which a video is made")
        times = max(SMALL // min(moment.frame.shape[:2]), 1) + (min(moment.frame.shape[:2]) < SMALL)
        game = moment.frame.repeat(times, 0).repeat(times, 1)
        if spikes:
            strip = strip or _Strip(game.shape[1], moment)
            game = np.concatenate([game, strip.after(moment)])
        yield game


class _Strip:
    """The spikes of the last decisions, the newest on the right: a band a population, in it a row a neuron.

    Args:
        width: in pixels.
        moment: with the populations.
    """

    def __init__(self, width: int, moment: Moment) -> None:
        self._tops = {name: GAP + place * (BAND + GAP) for place, name in enumerate(moment.spikes)}
        height = GAP + len(self._tops) * (BAND + GAP)
        left = Image.new("RGB", (GUTTER, height), BACKGROUND)
        pen, font = ImageDraw.Draw(left), ImageFont.load_default(12)
        for place, (name, top) in enumerate(self._tops.items()):
            pen.text((6, top), name[:8], fill=COLOURS[place % len(COLOURS)], font=font)
        self._left = np.asarray(left)
        self._plot = np.full((height, width - GUTTER, 3), BACKGROUND, dtype=np.uint8)
        self._odd = False

    def after(self, moment: Moment) -> Frame:
        """The strip with this decision at its right end."""
        steps = max(len(fired) for fired in moment.spikes.values())
        wide = steps * max(round(20 / steps), 1)
        self._plot[:, :-wide] = self._plot[:, wide:].copy()
        new = self._plot[:, -wide:]
        self._odd = not self._odd
        new[:] = np.add(BACKGROUND, 8) if self._odd else BACKGROUND
        for place, (name, fired) in enumerate(moment.spikes.items()):
            step, neuron = np.nonzero(fired)
            top = self._tops[name] + neuron * BAND // fired.shape[1]
            tall, each = BAND // fired.shape[1], wide // len(fired)
            for down in range(max(tall - (tall > 2), 1)):
                for along in range(max(each - (each > 2), 1)):
                    new[top + down, step * each + along] = COLOURS[place % len(COLOURS)]
        return np.concatenate([self._left, self._plot], axis=1)
