"""Random draws that are the same on every device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def uniform(shape: Sequence[int], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Uniform numbers in [0, 1) with the dtype and on the device of ``like``.

    They are drawn on the generator's own device and moved, so that a run on a GPU sees the draws of one on the CPU, and
    one generator serves both.

    Args:
        shape: of the result.
        like: gives dtype and device.
        generator: ``None`` is torch's global generator of the CPU.
    """
    source = torch.device("cpu") if generator is None else generator.device
    return torch.rand(tuple(shape), generator=generator, device=source, dtype=like.dtype).to(like.device)


def integers(high: int, shape: Sequence[int], device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Integers in ``0 .. high - 1`` on ``device``, drawn as :func:`uniform` draws."""
    source = torch.device("cpu") if generator is None else generator.device
    return torch.randint(high, tuple(shape), generator=generator, device=source).to(device)


def permutation(size: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """``0 .. size - 1`` in random order on ``device``, drawn as :func:`uniform` draws."""
    source = torch.device("cpu") if generator is None else generator.device
    return torch.randperm(size, generator=generator, device=source).to(device)
