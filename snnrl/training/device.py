"""Which device a run computes on."""

from __future__ import annotations

import os

import torch

from snnrl.errors import ConfigError

FEWEST_ENVS = 256
"""Environments from which a GPU gains with our agents. With 16 the two were about as fast, with 1,024 the GPU was six
times as fast (``docs/benchmarks.md``); between them their times were interpolated, taking the CPU's as a quarter."""
MOST_IMAGES = 128
"""Images of a batch up to which a pass over MNIST took as long on the CPU as on a GPU."""


def choose_device(name: str, cpu_because: str | None = None) -> torch.device:
    """The device of a setting: ``auto`` is CUDA where there is one and it gains, else the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
        cpu_because: why the CPU is as fast, ``None`` where it is not or nobody has measured.

    Raises:
        ConfigError: CUDA is asked for and there is none, or fewer devices than that.
    """
    if name == "auto":
        return torch.device("cuda" if cpu_because is None and torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device={name}: must be auto, cpu, cuda or cuda:<n>") from error
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        others = {0: "", 1: ", or cuda"}.get(count, f", or cuda:0 to cuda:{count - 1}")
        raise ConfigError(f"device={name}: torch sees {count} CUDA devices here; must be auto or cpu{others}")
    return device


def told(name: str, device: torch.device, cpu_because: str | None = None) -> str:
    """A line on what ``auto`` has chosen where there was a choice, else nothing; arguments as above."""
    if name != "auto" or not torch.cuda.is_available():
        return ""
    why = "" if cpu_because is None else f", as {cpu_because}; device=cuda takes the GPU"
    return f"device=auto: on {device}{why}"


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
