"""STDP of neurons that fire at most once: which synapses had been active, and not how long ago."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.connections.base import Connection
from snnrl.errors import require
from snnrl.kernels import add_rows
from snnrl.plasticity.base import Rule, Shape, ThirdFactor, hebbian_sum, presynaptic_trace, require_finite, zero_trace
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.traces import scan_nearest_trace


class FirstSpikeState(NamedTuple):
    """State of :class:`FirstSpikeSTDP`."""

    fired: Tensor
    """``[batch, *pre_shape]``: 1 for presynaptic neurons that have fired, else 0."""


@register("first_spike_stdp")
class FirstSpikeSTDP(Rule[FirstSpikeState]):
    r"""STDP that asks only whether a presynaptic neuron fired before the postsynaptic one.

    A postsynaptic spike changes all synapses of its neuron, with ``low`` and ``high`` the connection's bounds::

        dw = a_plus (w - low) (high - w)     if the presynaptic neuron has fired, in the same step at the latest
        dw = -a_minus (w - low) (high - w)   if it has not

    (Kheradpisheh, Ganjtabesh, Thorpe & Masquelier 2018, Neural Networks 99:56, eq. 4, for bounds of 0 and 1). Which
    neurons learn is up to what is given as ``post``: of a convolution, the earliest of each map and neighbourhood.

    Args:
        a_plus: of synapses whose presynaptic neuron has fired.
        a_minus: of the others.
        dt: simulation step in ms.

    Raises:
        ConfigError: an amplitude that is not finite, or a connection without finite bounds.
    """

    def __init__(self, *, a_plus: float = 0.004, a_minus: float = 0.003, dt: float = 1.0) -> None:
        super().__init__()
        require_finite(a_plus=a_plus, a_minus=a_minus)
        self.a_plus, self.a_minus, self.dt = a_plus, a_minus, dt

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> FirstSpikeState:
        low, high = connection.bounds
        require(abs(low) < float("inf") and abs(high) < float("inf"), "bounds", connection.bounds, "finite")
        return FirstSpikeState(zero_trace(connection, batch, pre_shape))

    @torch.no_grad()
    def forward(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: FirstSpikeState,
        third: ThirdFactor,
    ) -> tuple[Tensor, FirstSpikeState]:
        fired, after = presynaptic_trace(
            pre, len(post), state.fired, 1.0, third.traces_continuing, scan=scan_nearest_trace
        )
        change = self._held_back(connection, hebbian_sum(connection, post, self._pairs(fired)))
        return change, FirstSpikeState(after)

    @torch.no_grad()
    def of_winners(self, connection: Connection, latency: Tensor, winners: Tensor) -> Tensor:
        """The change ``[*weight.shape]`` that :meth:`forward` gives where few neurons of a 2D convolution learn.

        Args:
            connection: a :class:`~snnrl.connections.Conv2d` without padding and with a stride of 1.
            latency: ``[batch, channels, height, width]``, the step of each presynaptic spike; for none one that is
                later than any postsynaptic spike.
            winners: int64 ``[events, 5]``: row of the batch, row, column and map of a neuron, step of its spike.
        """
        image, row, column, chosen, step = winners.unbind(1)
        height, width = connection.weight.shape[2:]
        fields = latency.unfold(2, height, 1).unfold(3, width, 1)[image, :, row, column]
        fired = (fields <= step[:, None, None, None]).to(connection.compute_dtype)
        pairs = torch.zeros_like(connection.weight, dtype=fired.dtype)
        add_rows(pairs, chosen, self._pairs(fired))
        return self._held_back(connection, pairs)

    def _pairs(self, fired: Tensor) -> Tensor:
        """What a postsynaptic spike adds, by whether the presynaptic neuron has fired."""
        return fired * (self.a_plus + self.a_minus) - self.a_minus

    def _held_back(self, connection: Connection, pairs: Tensor) -> Tensor:
        low, high = connection.bounds
        weight = connection.weight.to(pairs.dtype)
        return pairs * (weight - low) * (high - weight)
