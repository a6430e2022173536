"""Random draws that are the same on every device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from snnrl.devices import moved


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
    drawn = torch.rand(tuple(shape), generator=generator, device=source, dtype=like.dtype)
    return moved(drawn, like.device)


def integers(high: int, shape: Sequence[int], device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Integers in ``0 .. high - 1`` on ``device``, drawn as :func:`uniform` draws."""
    source = torch.device("cpu") if generator is None else generator.device
    return moved(torch.randint(high, tuple(shape), generator=generator, device=source), device)


def permutation(size: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """``0 .. size - 1`` in random order on ``device``, drawn as :func:`uniform` draws."""
    source = torch.device("cpu") if generator is None else generator.device
    return moved(torch.randperm(size, generator=generator, device=source), device)


def events(probability: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
    """Bernoulli events, bool ``[steps, *shape]``, of a probability in steps of 2^-16, drawn as :func:`uniform` draws.

    Four events are made of each random number of 64 bits, which is four times as fast as a number for each.
    """
    source = torch.device("cpu") if generator is None else generator.device
    count = steps * probability.numel()
    words = torch.empty(-(-count // 4), dtype=torch.int64, device=source).random_(-(2**63), None, generator=generator)
    draws = moved(words.view(torch.int16)[:count].view(steps, *probability.shape), probability.device)
    level = (probability * 2**16).round().clamp(0, 2**16 - 1) - 2**15
    return draws < level.to(torch.int16)
