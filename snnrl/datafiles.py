"""Where the files of data sets lie, and how they are read."""

from __future__ import annotations

import os
import struct
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snnrl.errors import ConfigError
from snnrl.textfiles import usable

PREFIXES: dict[str, tuple[str, str]] = {
    "MNIST": ("train", "t10k"),
    "FashionMNIST": ("train", "t10k"),
    "KMNIST": ("train", "t10k"),
    "EMNIST": ("emnist-balanced-train", "emnist-balanced-test"),
}
"""What the names of the files of training and of test images begin with, for torchvision's names of data sets."""


HELD_OUT = 10_000
"""The last so many training images are those of ``split=validation``."""


def data_folder(data_dir: Path | None = None) -> Path:
    """Where data sets are looked for: ``data_dir``, else ``$SNNRL_DATA``, else a cache of the user's."""
    if data_dir is not None:
        return usable("data_dir", Path(os.path.expanduser(data_dir)))
    given = os.environ.get("SNNRL_DATA")
    if given:
        return usable("SNNRL_DATA", Path(os.path.expanduser(given)))
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "snnrl"


def data_files(dataset: str, folder: Path) -> list[Path]:
    """The images and labels to train on, and those to test on, in torchvision's layout."""
    kinds = ("images-idx3", "labels-idx1")
    return [folder / dataset / "raw" / f"{prefix}-{kind}-ubyte" for prefix in PREFIXES[dataset] for kind in kinds]


def read_labelled(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images ``[n, height, width]`` and labels ``[n]`` of two files.

    Raises:
        ConfigError: a file that is damaged, or as many images as labels are not there.
    """
    pixels, names = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(names):
        raise ConfigError(
            f"data_dir={images.parents[2]}: {images} holds {len(pixels)} images, {labels} {len(names)} labels; "
            "must be as many"
        )
    return pixels, names


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array in an IDX file of bytes, the format of MNIST (LeCun, Cortes & Burges 1998).

    Raises:
        ConfigError: another format, or a size that is not that of its header.
    """
    content = path.read_bytes()
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, 8, dimensions)):
        raise ConfigError(f"{path}: must be an IDX file of bytes in {dimensions} dimensions, unpacked")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    whole = start + prod(shape)
    if len(content) != whole or prod(shape) == 0:
        words = "is truncated" if len(content) < whole else "is too long or empty"
        raise ConfigError(f"{path}: {words}: {len(content)} bytes; must be {whole} for a shape of {shape}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
