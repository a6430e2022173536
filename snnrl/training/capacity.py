"""What a run needs at least, against the memory that is free: too large a request is refused before it is made."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError
from snnrl.settings import is_whole
from snnrl.spaces import Space
from snnrl.types import Setting, Settings

ATARI_BYTES, OTHER_BYTES = 1_800_000, 4_000
"""Resident memory of an Atari game and, at least, of another environment, as measured."""
GIB = 2**30
LARGE = 10_000
"""Settings above this are looked at for the memory that they ask for."""


def require_memory(need: int, setting: str, value: object, device: torch.device, purpose: str) -> None:
    """Raise if ``need`` bytes are more than are free on the device.

    The estimate is a lower bound, so that what fits is never refused.

    Args:
        need: bytes.
        setting: what to make smaller.
        value: its value.
        device: where the memory is taken.
        purpose: what it is taken for.

    Raises:
        ConfigError: there is not enough.
    """
    free = free_memory(device)
    if free is not None and need > free:
        raise ConfigError(
            f"{setting}={value}: needs at least {need / GIB:,.1f} GiB of memory for {purpose}, and {free / GIB:,.1f} "
            f"GiB are free on {device.type}; must be less"
        )


def check_settings(section: str, settings: Settings, weigh: Callable[[Settings], int], device: torch.device) -> None:
    """Raise where a setting asks for more neurons than memory holds.

    Weights and traces grow linearly with the number of neurons, so two tiny models tell how many bytes each one costs.

    Args:
        section: that the settings stand in, ``agent`` or ``learner``.
        settings: of an agent or a learner.
        weigh: makes one by such settings and says how many bytes it takes.
        device: where the memory is taken.

    Raises:
        ConfigError: there is not enough.
    """
    large = {path: value for path, value in _numbers(settings) if value > LARGE}
    for path, value in large.items():
        try:
            tiny = _changed(settings, dict.fromkeys(large, 1))
            one, two = (weigh(_changed(tiny, {path: count})) for count in (1, 2))
        except ConfigError:  # making the model says it, of the values that are asked for
            return
        setting = section + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        require_memory(one + (value - 1) * (two - one), setting, value, device, "weights and spikes")


Place = tuple[str | int, ...]
"""Where a setting stands: names, and places in lists of parts."""


def _numbers(settings: Settings) -> Iterator[tuple[Place, int]]:
    """Whole numbers among settings, and among those of parts."""
    for key, value in settings.items():
        if is_whole(value):
            yield (key,), value
        elif isinstance(value, Mapping):
            yield from (((key, *path), number) for path, number in _numbers(value))
        elif isinstance(value, list | tuple):
            for place, entry in enumerate(value):
                if isinstance(entry, Mapping):
                    yield from (((key, place, *path), number) for path, number in _numbers(entry))


def _changed(settings: Settings, numbers: Mapping[Place, int]) -> dict[str, Setting]:
    """Settings with other numbers in some places."""
    found = copy.deepcopy(dict(settings))
    for path, number in numbers.items():
        inner: Setting = found
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = number
    return found


def free_memory(device: torch.device) -> int | None:
    """Bytes that a process can still take on a device; ``None`` where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [value for value in (_free_of_machine(), _free_of_group()) if value is not None]
    return min(found) if found else None


def _free_of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _free_of_group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container's limit leaves (control groups, version 2 or 1); ``None`` without one."""
    pairs = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
    for limit, used in pairs:
        try:
            most, taken = (int((root / name).read_text(encoding="ascii")) for name in (limit, used))
            lines = (root / limit).with_name("memory.stat").read_text(encoding="ascii").splitlines()
            cached = dict(line.split() for line in lines)
            return most - taken + int(cached.get("inactive_file", 0))
        except (OSError, ValueError):
            continue
    return None


def environment_bytes(env: EnvConfig, observation: Space) -> int:
    """Memory of one environment at least: the emulator or the object, and its observation in the vector's arrays."""
    return (ATARI_BYTES if env.is_atari else OTHER_BYTES) + 2 * space_bytes(observation)


def space_bytes(space: Space) -> int:
    """Bytes of one element of a space; 0 of a space without arrays."""
    if isinstance(space, spaces.Dict):
        return sum(map(space_bytes, space.spaces.values()))
    if isinstance(space, spaces.Tuple):
        return sum(map(space_bytes, space.spaces))
    if space.shape is None or space.dtype is None:
        return 0
    return int(np.prod(space.shape)) * np.dtype(space.dtype).itemsize


def state_bytes(state: object) -> int:
    """Bytes of all tensors and arrays in nested tuples and mappings."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, np.ndarray):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(map(state_bytes, state.values()))
    return sum(map(state_bytes, state)) if isinstance(state, (tuple, list)) else 0
