"""STDP of neurons of which few fire, as a winner-take-all competition leaves them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.connections.base import Connection
from snnrl.errors import require
from snnrl.plasticity.base import (
    Rule,
    Shape,
    ThirdFactor,
    hebbian_sum,
    presynaptic_trace,
    require_finite,
    spike_train,
    zero_trace,
)
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.traces import decay_factor, scan_nearest_trace


class WinnerTakeAllState(NamedTuple):
    """State of :class:`WinnerTakeAllSTDP`."""

    x_pre: Tensor
    """``[batch, *pre_shape]`` trace of the last presynaptic spike."""


@register("winner_take_all_stdp")
class WinnerTakeAllSTDP(Rule[WinnerTakeAllState]):
    r"""STDP at postsynaptic spikes alone, by the presynaptic trace: high ones strengthen, low ones weaken.

    A presynaptic spike sets the trace ``x`` to 1, or to its amplitude; each postsynaptic spike then moves the weight,
    ``w <- w + learning_rate (x - depression) (w_max - w)`` (the rule of Querlioz, Bichler, Dollfus & Gamrat 2013, IEEE
    Trans. Nanotechnol. 12:288, with the trace and soft bound of Diehl & Cook 2015, Front. Comput. Neurosci. 9:99, sec.
    2.3). The ``n`` postsynaptic spikes of a window, with the mean trace ``x`` at them, act as ``n`` such moves would if
    the weight were near its target::

        dw = (1 - (1 - learning_rate)^n) (x - depression) (w_max - w)

    so that a window of many spikes and rows cannot overshoot. Competition is up to the neurons and to the connection's
    ``bounds`` and ``norm``.

    Args:
        learning_rate: of one spike, in [0, 1).
        depression: trace below which a synapse is weakened.
        w_max: weight that strengthening approaches.
        tau_pre: time constant of the presynaptic trace in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: a setting out of range, or a time constant shorter than ``dt``.
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.05,
        depression: float = 0.05,
        w_max: float = 2.0,
        tau_pre: float = 42.0,
        dt: float = 1.0,
    ) -> None:
        super().__init__()
        require_finite(learning_rate=learning_rate, depression=depression, w_max=w_max)
        require(0 <= learning_rate < 1, "learning_rate", learning_rate, "in [0, 1)")
        self.learning_rate, self.depression, self.w_max, self.dt = learning_rate, depression, w_max, dt
        self.decay_pre = decay_factor(tau_pre, dt, "tau_pre")

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> WinnerTakeAllState:
        return WinnerTakeAllState(zero_trace(connection, batch, pre_shape))

    @torch.no_grad()
    def forward(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: WinnerTakeAllState,
        third: ThirdFactor,
    ) -> tuple[Tensor, WinnerTakeAllState]:
        x_pre, after = presynaptic_trace(
            pre, len(post), state.x_pre, self.decay_pre, third.traces_continuing, scan=scan_nearest_trace
        )
        spikes = hebbian_sum(connection, post, torch.ones_like(spike_train(pre, len(post))))
        seen = hebbian_sum(connection, post, x_pre) / torch.where(spikes > 0, spikes, 1.0)
        return self.change(connection.weight.to(seen.dtype), spikes, seen), WinnerTakeAllState(after)

    def change(self, weight: Tensor, spikes: Tensor, seen: Tensor) -> Tensor:
        """The change of weights.

        Args:
            weight: before it.
            spikes: ``n``, how many postsynaptic spikes there were; broadcasts to ``weight``.
            seen: the mean trace at them, in the shape of ``weight``.
        """
        rate = 1 - (1 - self.learning_rate) ** spikes
        return (seen - self.depression).mul_(rate).mul_(self.w_max - weight)
