"""Which device a run computes on."""

from __future__ import annotations

import os

import torch

from snnrl.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device of a setting: ``auto`` is CUDA where there is one, else the CPU.

    Raises:
        ConfigError: CUDA is asked for and there is none, or fewer devices than that.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device={name}: must be auto, cpu, cuda or cuda:<n>") from error
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigError(f"device={name}: torch sees {count} CUDA devices here; must be auto or cpu, or fewer")
    return device


def repeat_results(device: torch.device) -> None:
    """Let cuDNN take only algorithms that give the same bits each time, so that a resume on a GPU is exact."""
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True


def leave_cores_to_environments() -> None:
    """Let torch compute on one thread, unless ``OMP_NUM_THREADS`` says otherwise.

    The networks here are too small to gain from more, and the environments' threads need the other cores: two threads
    made training on Atari 15 % slower on two cores.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
