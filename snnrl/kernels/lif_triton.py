"""The window of :mod:`snnrl.kernels.lif` on a GPU: one Triton program takes a block of columns through all steps.

Multiplications and additions are rounded one by one, as the compiled loops of the CPU and torch round them, so that the
same spikes are fired; the kernels run on the device of their tensors, whichever is torch's current one.
"""

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

OPTIONS = {"enable_fp_fusion": False}
"""Of Triton's compiler."""
_BLOCK = 256


def available() -> bool:
    """Whether Triton is installed."""
    return triton is not None


def forward(
    current: Tensor,
    columns: tuple[Tensor, ...],
    soft: bool,
    refractory_steps: int,
    v: Tensor,
    refractory: Tensor,
    spikes: Tensor,
    potential: Tensor,
) -> None:
    """Fill ``spikes`` and, if it has as many steps as ``current``, ``potential``; ``v`` and ``refractory`` in place."""
    steps, size = current.shape
    keep = potential.shape == current.shape
    tensors, settings = (current, *columns, v, refractory, spikes, potential), (soft, refractory_steps, keep, _BLOCK)
    with torch.cuda.device_of(current):
        _scan[(triton.cdiv(size, _BLOCK),)](*tensors, steps, size, *settings, **OPTIONS)


def backward(
    to_spikes: Tensor,
    potential: Tensor,
    decay: Tensor,
    gain: Tensor,
    threshold: Tensor,
    soft: bool,
    surrogate: int,
    slope: float,
    carry: Tensor,
    to_current: Tensor,
) -> None:
    """Fill ``to_current``; ``carry``, the gradient of the state after the window, becomes that of the one before."""
    steps, size = potential.shape
    tensors, settings = (to_spikes, potential, decay, gain, threshold, carry, to_current), (soft, surrogate, _BLOCK)
    with torch.cuda.device_of(potential):
        _scan_back[(triton.cdiv(size, _BLOCK),)](*tensors, steps, size, slope, *settings, **OPTIONS)


if triton is not None:

    @triton.jit
    def _scan(
        current,
        decay_of,
        gain_of,
        rest_of,
        threshold_of,
        reset_of,
        drop_of,
        v_of,
        refractory_of,
        spikes,
        potential,
        steps,
        size,
        soft: tl.constexpr,
        silence: tl.constexpr,
        keep: tl.constexpr,
        block: tl.constexpr,
    ):
        column = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
        inside = column < size
        decay = tl.load(decay_of + column, mask=inside)
        gain = tl.load(gain_of + column, mask=inside)
        rest = tl.load(rest_of + column, mask=inside)
        threshold = tl.load(threshold_of + column, mask=inside)
        reset = tl.load(reset_of + column, mask=inside)
        drop = tl.load(drop_of + column, mask=inside)
        v = tl.load(v_of + column, mask=inside)
        refractory = tl.load(refractory_of + column, mask=inside)
        at = column
        for _ in range(steps):
            charged = rest + (v - rest) * decay + gain * tl.load(current + at, mask=inside)
            if silence > 0:
                awake = refractory <= 0
                charged = tl.where(awake, charged, v)
                fired = awake & (charged >= threshold)
                refractory = tl.where(fired, silence, tl.maximum(refractory - 1, 0)).to(v.dtype)
            else:
                fired = charged >= threshold
            v = tl.where(fired, charged - drop if soft else reset, charged)
            tl.store(spikes + at, fired.to(v.dtype), mask=inside)
            if keep:
                tl.store(potential + at, charged, mask=inside)
            at += size
        tl.store(v_of + column, v, mask=inside)
        tl.store(refractory_of + column, refractory, mask=inside)

    @triton.jit
    def _scan_back(
        to_spikes,
        potential,
        decay_of,
        gain_of,
        threshold_of,
        carry_of,
        to_current,
        steps,
        size,
        slope,
        soft: tl.constexpr,
        shape: tl.constexpr,
        block: tl.constexpr,
    ):
        column = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
        inside = column < size
        decay = tl.load(decay_of + column, mask=inside)
        gain = tl.load(gain_of + column, mask=inside)
        threshold = tl.load(threshold_of + column, mask=inside)
        carry = tl.load(carry_of + column, mask=inside)
        at = column + (tl.full((), 0, tl.int64) + (steps - 1)) * size
        for _ in range(steps):
            x = tl.load(potential + at, mask=inside) - threshold
            if shape == 0:
                scaled = 1.5707963267948966 * slope * x
                derivative = tl.div_rn(0.5 * slope, 1 + scaled * scaled)
            elif shape == 1:
                sigmoid = tl.div_rn(1.0, 1 + tl.exp(-slope * x))
                derivative = slope * sigmoid * (1 - sigmoid)
            elif shape == 2:
                derivative = slope * tl.maximum(1 - slope * tl.abs(x), 0)
            else:
                below = 1 + slope * tl.abs(x)
                derivative = tl.div_rn(1.0, below * below)
            if not soft:
                carry = tl.where(x < 0, carry, 0.0)
            charged = tl.load(to_spikes + at, mask=inside) * derivative + carry
            tl.store(to_current + at, charged * gain, mask=inside)
            carry = charged * decay
            at -= size
        tl.store(carry_of + column, carry, mask=inside)
