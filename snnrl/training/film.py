"""Pictures one after the other as a file: an animated GIF or an MP4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snnrl.errors import ConfigError

Frame: TypeAlias = NDArray[np.uint8]
"""``[height, width, 3]``."""

SUFFIXES = (".gif", ".mp4")
SHORTEST = 20
"""Milliseconds for which players show a picture of a GIF at least."""


def require_encoder(path: Path) -> None:
    """Raise a ConfigError unless the package is there that writes this kind of file."""
    if path.suffix == ".mp4" and find_spec("av") is None:
        raise ConfigError(f'out={path}: needs av; install by pip install "snnrl[video]", or write a .gif')


def write_film(file: BinaryIO, kind: str, frames: Iterable[Frame], rate: float) -> None:
    """Write a video.

    Args:
        file: to write to.
        kind: ``.gif`` or ``.mp4``.
        frames: at least one.
        rate: frames in a second.
    """
    if kind == ".mp4":
        _write_mp4(file, iter(frames), rate)
        return
    images = (_few_colours(frame) for frame in frames)
    duration = max(round(1000 / rate), SHORTEST)
    next(images).save(file, "GIF", save_all=True, append_images=images, duration=duration, loop=0, optimize=True)


def _few_colours(frame: Frame) -> Image.Image:
    """A picture by the colours that it has, or of more than a GIF has, by those that fit best."""
    image = Image.fromarray(frame)
    return image.quantize(256, dither=Image.Dither.NONE)


def _write_mp4(file: BinaryIO, frames: Iterator[Frame], rate: float) -> None:
    import av

    first = next(frames)
    height, width = (side - side % 2 for side in first.shape[:2])
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "20"}
        for frame in chain([first], frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
