"""The competition of :mod:`snnrl.kernels.competition` on a GPU: one Triton program takes a row through all steps."""

# mypy: allow-untyped-defs, allow-untyped-decorators, allow-incomplete-defs
# Triton reads the annotations of its kernels, so these have none but for what is constant.
from __future__ import annotations

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:  # torch brings Triton along on Linux only
    triton = None

LARGEST = 16_384
"""Neurons whose potentials one program can hold."""


def available(neurons: int) -> bool:
    """Whether Triton is installed and can take so many neurons."""
    return triton is not None and neurons <= LARGEST


def compete(
    current: Tensor,
    threshold: Tensor,
    winners: Tensor,
    decay: float,
    excess: float,
    winner: float,
    losers: float,
) -> None:
    """Fill ``winners`` int64 ``[steps, batch]``; ``current`` is contiguous and has as many steps, or one for all."""
    steps, batch = winners.shape
    neurons = len(threshold)
    stride = 0 if len(current) == 1 else batch * neurons
    block = triton.next_power_of_2(neurons)
    with torch.cuda.device_of(current):
        _compete[(batch,)](
            current, threshold, winners, steps, batch, neurons, stride, decay, excess, winner, losers, block
        )


if triton is not None:

    @triton.jit
    def _compete(
        current,
        threshold_of,
        winners,
        steps,
        batch,
        neurons,
        stride,
        decay,
        excess,
        after_win,
        after_loss,
        block: tl.constexpr,
    ):
        row = tl.program_id(0).to(tl.int64)
        neuron = tl.arange(0, block)
        inside = neuron < neurons
        threshold = tl.load(threshold_of + neuron, mask=inside, other=0.0)
        potential = tl.zeros((block,), tl.float32)
        at = row * neurons + neuron
        to = winners + row
        for _ in range(steps):
            potential = tl.fma(potential, decay, tl.load(current + at, mask=inside, other=0.0))
            above = tl.where(inside, potential - threshold, -float("inf"))
            foremost = tl.max(above, 0)
            winner = tl.argmax(above, 0)
            fires = foremost > excess
            tl.store(to, tl.where(fires, winner, -1).to(tl.int64))
            potential = tl.where(fires, tl.where(neuron == winner, after_win, after_loss), potential)
            at += stride
            to += batch
