"""Sums over the synapses that exist, in torch, with a derivative of the derivative, which torch's own has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from snnrl.surrogate import Context


def sum_synapses(table: Tensor, weight: Tensor, post: Tensor, pre: Tensor, offsets: Tensor) -> Tensor:
    """Currents ``[post, rows]`` of spikes ``[pre, rows]`` through weights ``[synapses]``."""
    return functional.embedding_bag(pre, table, offsets, mode="sum", per_sample_weights=weight)


class _SumContext(Context, Protocol):
    inner: tuple[Tensor, tuple[Tensor, Tensor]]


class _Sum(torch.autograd.Function):
    """:func:`sum_synapses`; its first derivative is torch's own, which for a second one makes way for plain operations."""

    @staticmethod
    def forward(ctx: _SumContext, table: Tensor, weight: Tensor, post: Tensor, pre: Tensor, offsets: Tensor) -> Tensor:
        ctx.save_for_backward(table, weight, post, pre)
        table, weight = (part.detach().requires_grad_(part.requires_grad) for part in (table, weight))
        with torch.enable_grad():
            current = sum_synapses(table, weight, post, pre, offsets)
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


sum_synapses_twice: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor] = _Sum.apply
"""The same, which can be differentiated twice."""
