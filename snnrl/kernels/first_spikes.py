"""Latencies through a convolution: input neurons fire at most once, and so do the neurons that they drive.

Nothing leaks, so that a potential is the sum of the synapses of the inputs that have fired. Neurons of one place
compete: once ``spikes_per_place`` of them have fired, the others there stay silent (Kheradpisheh, Ganjtabesh, Thorpe &
Masquelier 2018, Neural Networks 99:56, sec. 2.2). The compiled loop goes from input spike to input spike and
writes to the places that it reaches alone; the reference, :func:`plain_first_spikes`, convolves step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from snnrl.devices import moved
from snnrl.kernels.compiling import compiled
from snnrl.kernels.threads import share_range


def first_spikes(
    latency: Tensor, weight: Tensor, threshold: Tensor, steps: int, spikes_per_place: int
) -> tuple[Tensor, Tensor]:
    """Latencies of the neurons of a convolution without padding.

    Within a step the neuron that is furthest above its threshold fires first, then the next.

    Args:
        latency: uint8 ``[batch, channels, height, width]``, the step of each input's spike, ``steps`` for none.
        weight: float32 ``[maps, channels, kernel, kernel]``.
        threshold: float32 ``[maps]``, above 0.
        steps: length of the window, at most 255.
        spikes_per_place: neurons of a place that may fire.

    Returns:
        Latencies uint8 ``[batch, rows, columns, maps]``, ``steps`` for none; and how far above its threshold the
        first neuron of each place was when it fired, float32 ``[batch, rows, columns]``, 0 where none did.
    """
    if latency.device.type != "cpu":
        return plain_first_spikes(latency, weight, threshold, steps, spikes_per_place)
    batch, _, height, width = latency.shape
    maps, kernel = weight.shape[0], weight.shape[2]
    fired = torch.empty((batch, height - kernel + 1, width - kernel + 1, maps), dtype=torch.uint8)
    margin = torch.zeros(fired.shape[:3])
    arrays = [t.detach().contiguous().numpy() for t in (latency, weight.permute(1, 2, 3, 0), threshold)]
    loop: Callable[..., None] = _run
    share_range(partial(loop, *arrays, steps, spikes_per_place, fired.numpy(), margin.numpy()), batch, 1)
    return fired, margin


def plain_first_spikes(
    latency: Tensor, weight: Tensor, threshold: Tensor, steps: int, spikes_per_place: int
) -> tuple[Tensor, Tensor]:
    """The reference of :func:`first_spikes`, for every device."""
    potential = functional.conv2d((latency == 0).to(weight.dtype), weight).permute(0, 2, 3, 1).contiguous()
    fired = torch.full_like(potential, steps, dtype=torch.uint8)
    margin = torch.zeros_like(potential[..., 0])
    for step in range(steps):
        if step:
            potential += functional.conv2d((latency == step).to(weight.dtype), weight).permute(0, 2, 3, 1)
        for _ in range(spikes_per_place):
            open_place = (fired < steps).sum(-1, keepdim=True) < spikes_per_place
            excess = torch.where(open_place & (fired == steps), potential - threshold, -torch.inf)
            most, winner = excess.max(-1, keepdim=True)
            first = (most > 0) & ~(fired < steps).any(-1, keepdim=True)
            margin = torch.where(first[..., 0], most[..., 0], margin)
            now = torch.where(most > 0, step, fired.gather(-1, winner))
            fired.scatter_(-1, winner, now.to(torch.uint8))
    return fired, margin


def earliest_winners(fired: Tensor, margin: Tensor, steps: int, winners: int, radius: int) -> Tensor:
    """The neurons that may learn: the earliest of each image, one at most of each map and neighbourhood.

    Of those that fire together, the one furthest above its threshold comes first. A winner keeps its own map
    everywhere, and all maps within ``radius`` of its place, from winning as well (Kheradpisheh et al. 2018, sec. 2.3).

    Args:
        fired: uint8 ``[batch, rows, columns, maps]``, of :func:`first_spikes`.
        margin: float32 ``[batch, rows, columns]``, of :func:`first_spikes`.
        steps: length of the window.
        winners: of one image, at most.
        radius: of a neighbourhood, a square, in places.

    Returns:
        int64 ``[found, 5]``: image, row, column, map and latency, image by image.
    """
    found = np.empty((len(fired) * winners, 5), np.int64)
    count = _pick(fired.cpu().numpy(), margin.cpu().numpy(), steps, winners, radius, found)
    return moved(torch.from_numpy(found[:count]), fired.device)


@compiled()
def _sort(latency: NDArray[np.uint8], steps: int, order: NDArray[np.int32], start: NDArray[np.int64]) -> None:
    """Places ``order`` of the input spikes by step; those of ``t`` from ``start[t]`` to ``start[t + 1]``."""
    start[:] = 0
    for fires in latency.flat:
        if fires < steps:
            start[fires + 1] += 1
    for step in range(steps):
        start[step + 1] += start[step]
    free = start.copy()
    for place, fires in enumerate(latency.flat):
        if fires < steps:
            order[free[fires]] = place
            free[fires] += 1


@compiled()
def _run(
    latency: NDArray[np.uint8],
    weight: NDArray[np.float32],
    threshold: NDArray[np.float32],
    steps: int,
    spikes_per_place: int,
    fired: NDArray[np.uint8],
    margin: NDArray[np.float32],
    low: int,
    high: int,
) -> None:
    _, channels, height, width = latency.shape
    kernel, maps = weight.shape[1], weight.shape[3]
    rows, columns = fired.shape[1], fired.shape[2]
    order, start = np.empty(channels * height * width, np.int32), np.empty(steps + 1, np.int64)
    potential = np.empty((rows, columns, maps), np.float32)
    left, touched = np.empty((rows, columns), np.int64), np.zeros((rows, columns), np.bool_)
    for image in range(low, high):
        _sort(latency[image], steps, order, start)
        potential[:] = 0
        left[:] = spikes_per_place
        fired[image] = steps
        for step in range(steps):
            for event in range(start[step], start[step + 1]):
                place = order[event]
                x, y, channel = place % width, (place // width) % height, place // (width * height)
                for row in range(max(0, y - kernel + 1), min(rows, y + 1)):
                    for column in range(max(0, x - kernel + 1), min(columns, x + 1)):
                        if left[row, column] > 0:
                            touched[row, column] = True
                            for unit in range(maps):
                                potential[row, column, unit] += weight[channel, y - row, x - column, unit]
            for row in range(rows):
                for column in range(columns):
                    if touched[row, column]:
                        touched[row, column] = False
                        while left[row, column] > 0:
                            most, winner = np.float32(0), -1
                            for unit in range(maps):
                                excess = potential[row, column, unit] - threshold[unit]
                                if excess > most:
                                    most, winner = excess, unit
                            if winner < 0:
                                break
                            if left[row, column] == spikes_per_place:
                                margin[image, row, column] = most
                            fired[image, row, column, winner] = step
                            potential[row, column, winner] = -np.inf
                            left[row, column] -= 1


@compiled()
def _pick(
    fired: NDArray[np.uint8],
    margin: NDArray[np.float32],
    steps: int,
    winners: int,
    radius: int,
    found: NDArray[np.int64],
) -> int:
    batch, rows, columns, maps = fired.shape
    used, blocked = np.empty(maps, np.bool_), np.empty((rows, columns), np.bool_)
    count = 0
    for image in range(batch):
        used[:] = False
        blocked[:] = False
        for _ in range(winners):
            earliest, most = steps, np.float32(0)
            y, x, chosen = 0, 0, -1
            for row in range(rows):
                for column in range(columns):
                    if blocked[row, column]:
                        continue
                    for unit in range(maps):
                        step = fired[image, row, column, unit]
                        sooner = step < earliest or (step == earliest and margin[image, row, column] > most)
                        if step < steps and sooner and not used[unit]:
                            earliest, most, y, x, chosen = step, margin[image, row, column], row, column, unit
            if chosen < 0:
                break
            found[count, 0], found[count, 1], found[count, 2] = image, y, x
            found[count, 3], found[count, 4] = chosen, earliest
            count += 1
            used[chosen] = True
            blocked[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1] = True
    return count
