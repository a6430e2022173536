"""Pictures one after the other as a file: an animated GIF or an MP4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from importlib.util import find_spec
from itertools import chain
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


def require_encoder(kind: str, asked: str) -> None:
    """Raise a ConfigError unless the package is there that writes this kind of file.

    Args:
        kind: ``.gif`` or ``.mp4``.
        asked: the setting that asks for it, with its value.
    """
    if kind == ".mp4" and find_spec("av") is None:
        raise ConfigError(f'{asked}: needs av; install by pip install "snnrl[video]", or write a .gif')


def write_frames(file: BinaryIO, kind: str, frames: Iterable[Frame], rate: float, comment: str) -> None:
    """Write a video.

    Args:
        file: to write to.
        kind: ``.gif`` or ``.mp4``.
        frames: at least one.
        rate: frames in a second.
        comment: what the file says of itself.
    """
    if kind == ".mp4":
        _write_mp4(file, iter(frames), rate, comment)
        return
    images = (_few_colours(frame) for frame in frames)
    duration = max(round(1000 / rate), SHORTEST)
    first, said = next(images), comment.encode()
    first.save(file, "GIF", save_all=True, append_images=images, duration=duration, loop=0, optimize=True, comment=said)


def _few_colours(frame: Frame) -> Image.Image:
    """A picture by the colours that it has, or of more than a GIF has, by those that fit best."""
    image = Image.fromarray(frame)
    return image.quantize(256, dither=Image.Dither.NONE)


def _write_mp4(file: BinaryIO, frames: Iterator[Frame], rate: float, comment: str) -> None:
    import av

    first = next(frames)
    height, width = (side - side % 2 for side in first.shape[:2])
    with av.open(file, "w", format="mp4") as container:
        container.metadata["comment"] = comment
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "20"}
        for frame in chain([first], frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
