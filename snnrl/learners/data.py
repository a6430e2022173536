"""Data sets of small labelled images, from files that torchvision knows and downloads."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.datafiles import HELD_OUT, data_files, data_folder, read_labelled
from snnrl.errors import ConfigError, did_you_mean, one_line, require
from snnrl.types import Setting

DOWNLOAD_SECONDS = 20.0
"""How long a server may keep silent."""


class Source(NamedTuple):
    """What torchvision does not say of a data set, or says otherwise."""

    classes: int
    arguments: dict[str, Setting]
    """Of torchvision's class besides ``root`` and ``train``."""
    transposed: bool = False
    """Whether images are stored with rows and columns exchanged."""


DATASETS: dict[str, Source] = {
    "MNIST": Source(10, {}),
    "FashionMNIST": Source(10, {}),
    "KMNIST": Source(10, {}),
    "EMNIST": Source(47, {"split": "balanced"}, True),
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


def _read(dataset: str, folder: Path) -> tuple[Images, Images]:
    source, paths = DATASETS[dataset], data_files(dataset, folder)
    if not all(path.is_file() for path in paths):
        _download(dataset, folder, paths)
    parts = []
    for images, labels in (paths[:2], paths[2:]):
        pixels, names = map(torch.from_numpy, read_labelled(images, labels))
        if int(names.max()) >= source.classes:
            raise ConfigError(
                f"data_dir={folder}: {labels} holds the label {int(names.max())}; must be 0 to {source.classes - 1}"
            )
        upright = pixels.transpose(1, 2).contiguous() if source.transposed else pixels
        parts.append(Images(upright[:, None], names.long()))
    return parts[0], parts[1]


def _download(dataset: str, folder: Path, paths: list[Path]) -> None:
    """Let torchvision fetch and unpack the files."""
    missing = [path for path in paths if not path.is_file()]
    wanted = (
        f"must hold, unpacked, in {paths[0].parent}: {', '.join(path.name for path in missing)}; "
        "data_dir= or SNNRL_DATA name another folder"
    )
    try:
        from torchvision import datasets
    except ImportError as error:
        raise ConfigError(
            f"data_dir={folder}: {dataset} is not there, and torchvision, which downloads it, is not installed (pip "
            f"install 'snnrl[vision]'); {wanted}"
        ) from error
    source = DATASETS[dataset]
    try:
        with _patience(DOWNLOAD_SECONDS):
            for train in (True, False):
                getattr(datasets, dataset)(str(folder), train=train, download=True, **source.arguments)
    except Exception as error:
        raise ConfigError(
            f"data_dir={folder}: {dataset} is not there and cannot be downloaded ({one_line(error, 100)}); {wanted}"
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
