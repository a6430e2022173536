"""A step of Adam in one pass over the memory."""

from __future__ import annotations

import math
from typing import Any, cast

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def adam_step(
    parameter: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    betas: tuple[float, float],
    step: int,
    rate: float,
) -> None:
    """Move ``parameter`` against ``gradient`` (Kingma & Ba 2015, ICLR, algorithm 1, with epsilon 1e-8); in place.

    Args:
        parameter: what is trained, any shape.
        gradient: the same shape.
        first: ``[n]``, the mean gradient so far.
        second: ``[n]``, the mean squared gradient.
        betas: what is left of the two after a step.
        step: which step this is, from 1.
        rate: learning rate.
    """
    fits = all(each.device.type == "cpu" and each.dtype == torch.float32 for each in (parameter, gradient, first))
    if not fits or not parameter.is_contiguous():
        plain_adam_step(parameter, gradient, first, second, betas, step, rate)
        return
    arrays: list[Any] = [each.detach().reshape(-1).numpy() for each in (parameter, gradient, first, second)]
    scale = rate / (1 - betas[0] ** step), 1 / math.sqrt(1 - betas[1] ** step)
    cast(Any, _step)(*arrays, *(np.float32(number) for number in (1 - betas[0], 1 - betas[1], *scale)))


def plain_adam_step(
    parameter: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    betas: tuple[float, float],
    step: int,
    rate: float,
) -> None:
    """The twin of :func:`adam_step`, for every device."""
    flat = gradient.detach().reshape(-1)
    first.lerp_(flat, 1 - betas[0])
    second.lerp_(flat.square(), 1 - betas[1])
    width = second.sqrt() / math.sqrt(1 - betas[1] ** step) + 1e-8
    parameter.detach().sub_((rate / (1 - betas[0] ** step) * first / width).view(parameter.shape))


@numba.njit(cache=True, nogil=True)
def _step(
    parameter: NDArray[np.float32],
    gradient: NDArray[np.float32],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    new_first: float,
    new_second: float,
    rate: float,
    widen: float,
) -> None:
    tiny = np.float32(1e-8)
    for n in range(parameter.shape[0]):
        slope = gradient[n]
        first[n] += new_first * (slope - first[n])
        second[n] += new_second * (slope * slope - second[n])
        parameter[n] -= rate * first[n] / (np.sqrt(second[n]) * widen + tiny)
