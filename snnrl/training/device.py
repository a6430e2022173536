"""Which device a run computes on."""

from __future__ import annotations

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
