"""Images for the steps: MNIST where ``SNNRL_DATA`` has it, else patterns that are drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from snnrl.datafiles import data_files, data_folder
from snnrl.learners.data import Data, Images, load_data


def has_mnist() -> bool:
    return all(path.is_file() for path in data_files("MNIST", data_folder()))


def digits(train: int, test: int) -> Data:
    """The first so many images to train and to test on."""
    if has_mnist():
        return load_data("MNIST", train_images=train, test_images=test)
    generator = torch.Generator().manual_seed(0)
    patterns = (torch.rand(10, 1, 7, 7, generator=generator) < 0.35).float()
    patterns = patterns.repeat_interleave(4, 2).repeat_interleave(4, 3)

    def drawn(count: int) -> Images:
        labels = torch.arange(count) % 10
        noise = torch.rand(count, 1, 28, 28, generator=generator)
        return Images((patterns[labels] * 200 * (noise > 0.2) + (noise > 0.97) * 120).clamp(max=255).byte(), labels)

    return Data(drawn(train), drawn(test), 10)


def on(device: str, images: Images) -> tuple[Tensor, Tensor]:
    return images.images.to(device), images.labels.to(device)
