"""The currents of synapses that are listed one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from snnrl.kernels.plain import needs_torch
from snnrl.surrogate import Context


def sum_synapses(table: Tensor, weight: Tensor, post: Tensor, pre: Tensor, offsets: Tensor) -> Tensor:
    """Currents ``[post, rows]`` of spikes, with a gradient that has a gradient.

    Args:
        table: ``[pre, rows]``, what each presynaptic neuron fires.
        weight: ``[synapses]``, sorted by postsynaptic neuron.
        post: ``[synapses]``, the postsynaptic neuron of each.
        pre: ``[synapses]``, the presynaptic neuron of each.
        offsets: ``[post]``, where the synapses of each postsynaptic neuron begin.
    """
    led = torch.is_grad_enabled() and (table.requires_grad or weight.requires_grad) and not needs_torch()
    return _summed(table, weight, post, pre, offsets) if led else _sum(table, weight, pre, offsets)


def _sum(table: Tensor, weight: Tensor, pre: Tensor, offsets: Tensor) -> Tensor:
    return functional.embedding_bag(pre, table, offsets, mode="sum", per_sample_weights=weight)


class _SumContext(Context, Protocol):
    inner: tuple[Tensor, tuple[Tensor, Tensor]]


class _Sum(torch.autograd.Function):
    """:func:`_sum`, whose first derivative is torch's own and is followed, for a second one, by operations it knows."""

    @staticmethod
    def forward(ctx: _SumContext, table: Tensor, weight: Tensor, post: Tensor, pre: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(table, weight, post, pre)
        table, weight = (part.detach().requires_grad_(part.requires_grad) for part in (table, weight))
        with torch.enable_grad():
            current = _sum(table, weight, pre, offsets)
        ctx.inner = current, (table, weight)
        return current.detach()

    @staticmethod
    def backward(ctx: _SumContext, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (table, weight, post, pre), wanted = ctx.saved_tensors, ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            arriving = gradients[0][post]
            to_table = torch.zeros_like(table).index_add(0, pre, weight[:, None] * arriving) if wanted[0] else None
            return to_table, (table[pre] * arriving).sum(1) if wanted[1] else None, None, None, None
        current, parts = ctx.inner
        led = [part for part in parts if part.requires_grad]
        found = iter(torch.autograd.grad(current, led, gradients[0], retain_graph=True))
        to_table, to_weight = (next(found) if part.requires_grad else None for part in parts)
        return to_table, to_weight, None, None, None


_summed: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor] = _Sum.apply
