"""Weights alone in one file of the form safetensors: numbers under names, which any program reads and no code is in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from snnrl.errors import ConfigError, one_line
from snnrl.textfiles import replacing
from snnrl.types import Saved, Setting

NAME = "model.safetensors"
"""The file in a folder that was exported."""
_WEIGHTS, _GENERATOR, _WITHIN = "agent.", "generator", "/"


def save_weights(path: Path, saved: Saved) -> None:
    """Write the weights, the generator and the number of steps of a checkpoint.

    Args:
        path: the file, in a folder that is there.
        saved: ``agent``, a ``state_dict`` of tensors and mappings; ``generator``, ``architecture``, ``steps``.

    Raises:
        OSError: the file cannot be written.
    """
    from safetensors.torch import save

    tensors = {_GENERATOR: _own(saved["generator"])}
    nested: list[str] = []
    for name, value in saved["agent"].items():
        if isinstance(value, Mapping):
            nested.append(name)
            tensors |= {f"{_WEIGHTS}{name}{_WITHIN}{key}": _own(torch.as_tensor(part)) for key, part in value.items()}
        else:
            tensors[f"{_WEIGHTS}{name}"] = _own(value)
    told = {"format": "pt", "architecture": str(saved["architecture"]), "steps": str(saved["steps"])}
    if nested:
        told["nested"] = " ".join(nested)
    with replacing(path) as file:
        file.write(save(tensors, told))


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
    generator = tensors.pop(_GENERATOR)
    agent: dict[str, Setting] = {name: {} for name in told.get("nested", "").split()}
    for name, value in tensors.items():
        owner, _, key = name.removeprefix(_WEIGHTS).partition(_WITHIN)
        if key:
            agent.setdefault(owner, {})[key] = value
        else:
            agent[owner] = value
    return {
        "architecture": told["architecture"],
        "steps": int(told["steps"][:18]),
        "generator": generator,
        "agent": agent,
    }


def _own(value: Tensor) -> Tensor:
    """A tensor in memory of its own and in order, as the form wants it."""
    return value.detach().cpu().clone(memory_format=torch.contiguous_format)
