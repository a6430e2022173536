"""Data sets in MNIST's files: two thousand real digits where they are to be had, else patterns drawn here."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Write = Callable[[Path, str, NDArray[np.uint8], NDArray[np.uint8]], None]


def drawn_digits(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Ten patterns of blocks, shifted by a pixel, dimmed and noisy: images ``[count, 28, 28]``, labels ``[count]``."""
    patterns = np.kron(np.random.default_rng(10).random((10, 6, 6)) < 0.35, np.ones((4, 4)))
    generator = np.random.default_rng(seed)
    images, labels = np.zeros((count, 28, 28)), np.arange(count) % 10
    for image, label in zip(images, labels, strict=True):
        top, left = generator.integers(1, 4, 2)
        image[top : top + 24, left : left + 24] = patterns[label] * generator.integers(120, 255)
    images = images * (generator.random(images.shape) > 0.2) + (generator.random(images.shape) > 0.97) * 120
    return images.clip(0, 255).astype(np.uint8), labels.astype(np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    """The bytes of an IDX file."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_part(folder: Path, prefix: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    """The two files of a data set's training or test images."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
    (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``data_dir`` with drawn patterns as MNIST: 2,000 to train on, 500 to test on."""
    folder = tmp_path_factory.mktemp("drawn")
    write_part(folder / "MNIST" / "raw", "train", *drawn_digits(2000, 0))
    write_part(folder / "MNIST" / "raw", "t10k", *drawn_digits(500, 1))
    return folder


@pytest.fixture(scope="session")
def digits(drawn: Path) -> Path:
    """A ``data_dir`` with MNIST: the real one where ``SNNRL_DATA`` has it, else drawn."""
    given = Path(os.environ.get("SNNRL_DATA", "."))
    return given if (given / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file() else drawn


@pytest.fixture(scope="session")
def write_dataset() -> Write:
    """:func:`write_part`."""
    return write_part
