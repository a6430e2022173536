"""Between the host and a GPU, without waiting for it where that can be avoided."""

from __future__ import annotations

import torch
from torch import Tensor


def moved(value: Tensor, device: torch.device) -> Tensor:
    """``value`` on ``device``; a GPU takes it when it comes to it, and the host does not wait for what it does before.

    Torch copies memory of the host, unless it is pinned, before it returns: it may be written to at once.
    """
    return value.to(device, non_blocking=device.type == "cuda")


def readable(value: Tensor) -> bool:
    """Whether the host can read ``value`` without waiting for a GPU: what checks values asks this first."""
    return value.device.type == "cpu"
