"""A recording of a learner that names images."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from snnrl.errors import require
from snnrl.trajectory.moment import About
from snnrl.trajectory.trace import Packed, Spikes, Trace
from snnrl.types import Array


def of_images(
    images: NDArray[np.uint8],
    named: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    spikes: Mapping[str, Array],
    about: About,
    max_bytes: int,
) -> Trace:
    """One row for each image: it is the observation and the frame, the label that it was given is the action.

    Args:
        images: uint8 ``[images, channels, height, width]``.
        named: the labels that were given.
        labels: those that are right, if they are known.
        spikes: of each population ``[images, steps, neurons]``.
        about: what was recorded.
        max_bytes: memory that the recording may take.

    Raises:
        ConfigError: more than ``max_bytes``.
    """
    frames = np.repeat(images.mean(1, keepdims=True), 3, 1) if images.shape[1] != 3 else images
    frames = np.ascontiguousarray(frames.transpose(0, 2, 3, 1)).astype(np.uint8)
    packed = {name: Packed(np.packbits(fired, axis=-1), fired.shape[-1]) for name, fired in spikes.items()}
    need = images.nbytes + frames.nbytes + sum(int(each.bits.nbytes) for each in packed.values())
    require(need <= max_bytes, "max_bytes", max_bytes, f"at least {need:,}, for {len(images):,} images")
    unknown, no = np.full(len(images), math.nan), np.zeros(len(images), np.bool_)
    return Trace(
        about=about,
        frames=frames,
        observation_parts=[images],
        action_parts=[named],
        spikes=Spikes(packed),
        potentials={},
        preferences=None,
        values=unknown,
        td_errors=unknown,
        rewards=unknown if labels is None else (named == labels).astype(np.float64),
        episode_starts=~no,
        terminated=~no,
        truncated=no,
    )
