"""Data sets of small labelled images, from files that torchvision knows and downloads."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from snnrl.errors import ConfigError, did_you_mean, one_line, require

HELD_OUT = 10_000
"""The last so many training images are those of ``split=validation``."""
DOWNLOAD_SECONDS = 20.0
"""How long a server may keep silent."""


class Source(NamedTuple):
    """How torchvision stores a data set: two files of images, two of labels, in ``<data_dir>/<name>/raw``."""

    prefix: tuple[str, str]
    """Of the files of the training and of the test images."""
    classes: int
    arguments: dict[str, Any]
    """Of torchvision's class besides ``root`` and ``train``."""
    transposed: bool = False
    """Whether images are stored with rows and columns exchanged."""


DATASETS: dict[str, Source] = {
    "MNIST": Source(("train", "t10k"), 10, {}),
    "FashionMNIST": Source(("train", "t10k"), 10, {}),
    "KMNIST": Source(("train", "t10k"), 10, {}),
    "EMNIST": Source(("emnist-balanced-train", "emnist-balanced-test"), 47, {"split": "balanced"}, True),
}
"""Names of torchvision's classes; EMNIST is its balanced split of 47 letters and digits."""


class Images(NamedTuple):
    """Labelled images."""

    images: Tensor
    """uint8 ``[n, channels, height, width]``."""
    labels: Tensor
    """int64 ``[n]``."""

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> Images:
        """The first ``count``, or all of them."""
        return Images(self.images[:count], self.labels[:count])

    def to(self, device: torch.device) -> Images:
        """On ``device``."""
        return Images(self.images.to(device), self.labels.to(device))

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """In order, ``size`` at a time."""
        return zip(self.images.split(size), self.labels.split(size), strict=True)


class Data(NamedTuple):
    """What a run sees of a data set."""

    train: Images
    """Trained on."""
    held: Images
    """Evaluated on: the test images, or those held out for choosing settings."""
    classes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(channels, height, width)`` of one image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width


def load_data(
    dataset: str,
    data_dir: Path | None = None,
    split: str = "test",
    train_images: int | None = None,
    test_images: int | None = None,
) -> Data:
    """Read a data set, on the CPU.

    Args:
        dataset: one of :data:`DATASETS`.
        data_dir: the folder that holds ``<dataset>/raw``; ``None`` is ``$SNNRL_DATA``, else a cache folder.
        split: ``test``, or ``validation`` for the last 10,000 training images, which then are not trained on.
        train_images: how many to train on, ``None`` for all.
        test_images: how many to evaluate on, ``None`` for all.

    Raises:
        ConfigError: an unknown data set, files that are missing and cannot be downloaded, that are damaged or of
            another shape, more images asked for than there are, or a class that is never trained on.
    """
    if dataset not in DATASETS:
        raise ConfigError(f"dataset={dataset}: there is no such data set; {did_you_mean(dataset, DATASETS)}")
    source, folder = DATASETS[dataset], data_folder(data_dir)
    train, test = _read(dataset, folder)
    if train.images.shape[1:] != test.images.shape[1:]:
        sizes = [tuple(part.images.shape[2:]) for part in (train, test)]
        raise ConfigError(f"dataset={dataset}: training images are {sizes[0]}, test images {sizes[1]}; must be alike")
    if split == "validation":
        require(len(train) > HELD_OUT, "split", split, f"test, as {dataset} here has {len(train)} training images")
        train, test = train.first(-HELD_OUT), Images(train.images[-HELD_OUT:], train.labels[-HELD_OUT:])
    for name, asked, part in (("train_images", train_images, train), ("test_images", test_images, test)):
        require(asked is None or asked <= len(part), name, asked, f"at most {len(part)}, for {dataset} split={split}")
    train, test = train.first(train_images), test.first(test_images)
    counts = torch.bincount(train.labels, minlength=source.classes)
    if bool((counts == 0).any()):
        setting = "dataset" if train_images is None else "train_images"
        value = dataset if train_images is None else train_images
        raise ConfigError(
            f"{setting}={value}: class {int(counts.argmin())} of {dataset} is never seen among the {len(train)} "
            "training images; must hold every class"
        )
    return Data(train, test, source.classes)


def data_folder(data_dir: Path | None) -> Path:
    """Where data sets are looked for."""
    if data_dir is not None:
        return data_dir
    given = os.environ.get("SNNRL_DATA")
    if given:
        return Path(given)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "snnrl"


def _read(dataset: str, folder: Path) -> tuple[Images, Images]:
    source, raw = DATASETS[dataset], folder / dataset / "raw"
    paths = [raw / f"{prefix}-{kind}-ubyte" for prefix in source.prefix for kind in ("images-idx3", "labels-idx1")]
    maker = _torchvision(dataset)
    if not all(path.is_file() for path in paths):
        _download(maker, dataset, folder, paths)
    for images, labels in (paths[:2], paths[2:]):
        count, (entries,) = _check(images, 3)[0], _check(labels, 1)
        if count != entries:
            raise ConfigError(f"data_dir={folder}: {images} holds {count} images, {labels} {entries} labels")
    parts = []
    for train in (True, False):
        held = maker(str(folder), train=train, **source.arguments)
        pixels = held.data.transpose(1, 2).contiguous() if source.transposed else held.data
        part = Images(pixels[:, None].to(torch.uint8), held.targets.long())
        outside = part.labels[(part.labels < 0) | (part.labels >= source.classes)]
        if len(outside):
            raise ConfigError(
                f"data_dir={folder}: {dataset} holds the label {int(outside[0])}; must be 0 to {source.classes - 1}"
            )
        parts.append(part)
    return parts[0], parts[1]


def _torchvision(dataset: str) -> Any:
    try:
        from torchvision import datasets
    except ImportError as error:
        raise ConfigError(
            f"dataset={dataset}: torchvision is not installed; install it with: pip install 'snnrl[vision]'"
        ) from error
    return getattr(datasets, dataset)


def _download(maker: Any, dataset: str, folder: Path, paths: list[Path]) -> None:
    source = DATASETS[dataset]
    try:
        with _patience(DOWNLOAD_SECONDS):
            for train in (True, False):
                maker(str(folder), train=train, download=True, **source.arguments)
    except Exception as error:
        missing = [path for path in paths if not path.is_file()]
        names = ", ".join(path.name for path in missing)
        raise ConfigError(
            f"data_dir={folder}: {dataset} is not there and cannot be downloaded ({one_line(error, 100)}); "
            f"must hold, unpacked, in {paths[0].parent}: {names}; data_dir= or SNNRL_DATA name another folder"
        ) from error


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Connections that are silent for so long end in an error."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _check(path: Path, dimensions: int) -> tuple[int, ...]:
    """The sizes in the header of an IDX file of bytes, which must be those of the file."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(4 + 4 * dimensions)
    if len(head) < 4 + 4 * dimensions or head[:4] != bytes((0, 0, 8, dimensions)):
        raise ConfigError(f"{path}: must be an IDX file of bytes in {dimensions} dimensions, unpacked")
    shape = struct.unpack(f">{dimensions}I", head[4:])
    whole = len(head) + prod(shape)
    if size != whole or prod(shape) == 0:
        words = "is truncated" if size < whole else "is too long or empty"
        raise ConfigError(f"{path}: {words}: {size} bytes; must be {whole} for a shape of {shape}")
    return shape
