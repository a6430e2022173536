"""Weights alone in one file of the form safetensors: numbers under names, which any program reads and no code is in."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from snnrl.errors import ConfigError, one_line
from snnrl.types import Saved, Setting

NAME = "model.safetensors"
"""The file in a folder that was exported."""
_WEIGHTS, _GENERATOR = "agent.", "generator"


def save_weights(path: Path, saved: Saved) -> None:
    """Write the weights, the generator and the number of steps of a checkpoint.

    Args:
        path: the file, in a folder that is there.
        saved: ``agent``, a ``state_dict``; ``generator``; ``architecture`` and ``steps``.

    Raises:
        OSError: the file cannot be written.
    """
    from safetensors.torch import save

    tensors = {f"{_WEIGHTS}{name}": _own(value) for name, value in saved["agent"].items()}
    tensors[_GENERATOR] = _own(saved["generator"])
    told = {"format": "pt", "architecture": str(saved["architecture"]), "steps": str(saved["steps"])}
    path.write_bytes(save(tensors, told))


def load_weights(path: Path) -> dict[str, Setting]:
    """What :func:`save_weights` wrote, as a checkpoint holds it.

    Raises:
        ConfigError: the file is damaged, or another program wrote it.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            told = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"checkpoint {path} is damaged ({one_line(error)}): it must be exported again") from error
    if not {"architecture", "steps"} <= told.keys() or _GENERATOR not in tensors or not told["steps"].isdecimal():
        raise ConfigError(f"{path} was not written by snnrl; must be a file that python -m snnrl.export wrote")
    return {
        "architecture": told["architecture"],
        "steps": int(told["steps"][:18]),
        "generator": tensors.pop(_GENERATOR),
        "agent": {name.removeprefix(_WEIGHTS): value for name, value in tensors.items()},
    }


def _own(value: Tensor) -> Tensor:
    """A tensor in memory of its own and in order, as the form wants it."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
