"""Spike-timing-dependent plasticity of pairs and triplets of spikes."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.connections import Connection, Dense, Lateral
from snnrl.errors import require
from snnrl.kernels.pairs import pair_change
from snnrl.kernels.plain import takes_loop
from snnrl.plasticity.base import (
    Rule,
    Shape,
    ThirdFactor,
    hebbian_sum,
    presynaptic_trace,
    require_finite,
    spike_train,
    traced,
    zero_trace,
)
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.traces import decay_factor


class STDPState(NamedTuple):
    """State of the pair rules."""

    x_pre: Tensor
    """``[batch, *pre_shape]`` trace of presynaptic spikes."""
    x_post: Tensor
    """``[batch, *post_shape]`` trace of postsynaptic spikes."""


@register("stdp")
class STDP(Rule[STDPState]):
    r"""Pair-based STDP, all pairs counted.

    ``dw = a_plus exp(-s / tau_pre)`` for a postsynaptic spike ``s`` ms after a presynaptic one, and ``-a_minus exp(-s /
    tau_post)`` for the other order. Spikes of the same step count as pre before post (Song, Miller & Abbott 2000, Nat.
    Neurosci. 3:919; Morrison, Diesmann & Gerstner 2008, Biol. Cybern. 98:459, sec. 4.1).

    Args:
        a_plus: potentiation of a pair without delay.
        a_minus: depression of a pair without delay.
        tau_pre: time constant of the presynaptic trace in ms.
        tau_post: time constant of the postsynaptic trace in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: an amplitude that is not finite, or a time constant shorter than ``dt``.
    """

    def __init__(
        self,
        *,
        a_plus: float = 0.01,
        a_minus: float = 0.01,
        tau_pre: float = 20.0,
        tau_post: float = 20.0,
        dt: float = 1.0,
    ) -> None:
        super().__init__()
        require_finite(a_plus=a_plus, a_minus=a_minus)
        self.a_plus, self.a_minus, self.dt = a_plus, a_minus, dt
        self.decay_pre, self.decay_post = decay_factor(tau_pre, dt, "tau_pre"), decay_factor(tau_post, dt, "tau_post")

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> STDPState:
        return STDPState(zero_trace(connection, batch, pre_shape), zero_trace(connection, batch, post_shape))

    def traces(
        self, pre: Tensor | SparseSpikes, post: Tensor, state: STDPState, continuing: Tensor | None = None
    ) -> tuple[Tensor, Tensor, STDPState]:
        """What postsynaptic and presynaptic spikes meet, ``[time, batch, ...]`` each, and the state after."""
        x_pre, pre_after = presynaptic_trace(pre, len(post), state.x_pre, self.decay_pre, continuing)
        x_post, post_after = traced(post, state.x_post, self.decay_post, continuing)
        return x_pre, x_post - post, STDPState(pre_after, post_after)

    @torch.no_grad()
    def forward(
        self, connection: Connection, pre: Tensor | SparseSpikes, post: Tensor, state: STDPState, third: ThirdFactor
    ) -> tuple[Tensor, STDPState]:
        x_pre, x_post, after = self.traces(pre, post, state, third.traces_continuing)
        if isinstance(pre, Tensor) and self._is_plain(connection, x_pre, x_post, pre, post):
            fired, before, answered, behind = (part.flatten() for part in (pre, x_pre, post, x_post))
            return pair_change(fired, before, answered, behind, self.a_plus, self.a_minus).t(), after
        rise = hebbian_sum(connection, post, x_pre)
        fall = hebbian_sum(connection, x_post, spike_train(pre, len(post)))
        return self.change(connection, rise, fall), after

    def _is_plain(self, connection: Connection, *parts: Tensor) -> bool:
        """Whether a compiled loop gives the same: one step of one row, all neurons joined, changes by pairs alone."""
        one = len(parts[-1]) == 1 and parts[-1].shape[1] == 1 and type(connection) in (Dense, Lateral)
        return one and type(self).change is STDP.change and takes_loop(*parts)

    def change(self, connection: Connection, rise: Tensor, fall: Tensor) -> Tensor:
        """The change from the summed pairs of either order, ``[*weight.shape]`` each."""
        return self.a_plus * rise - self.a_minus * fall


@register("weight_dependent_stdp")
class WeightDependentSTDP(STDP):
    r"""Pair-based STDP with soft bounds: potentiation times ``(w_max - w)^mu``, depression times ``(w - w_min)^mu``.

    ``mu = 1`` is the multiplicative rule, ``mu = 0`` the additive one (Gütig, Aharonov, Rotter & Sompolinsky 2003,
    J. Neurosci. 23:3697). The bounds are those of the connection.

    Args:
        mu: exponent of the dependence, at least 0.
        a_plus: potentiation of a pair without delay.
        a_minus: depression of a pair without delay.
        tau_pre: time constant of the presynaptic trace in ms.
        tau_post: time constant of the postsynaptic trace in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: a setting out of range, or a connection without finite bounds.
    """

    def __init__(
        self,
        *,
        mu: float = 1.0,
        a_plus: float = 0.01,
        a_minus: float = 0.01,
        tau_pre: float = 20.0,
        tau_post: float = 20.0,
        dt: float = 1.0,
    ) -> None:
        super().__init__(a_plus=a_plus, a_minus=a_minus, tau_pre=tau_pre, tau_post=tau_post, dt=dt)
        require(mu >= 0, "mu", mu, "at least 0")
        require_finite(mu=mu)
        self.mu = mu

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> STDPState:
        low, high = connection.bounds
        require(abs(low) < float("inf") and abs(high) < float("inf"), "bounds", connection.bounds, "finite")
        return super().init_state(connection, pre_shape, post_shape, batch)

    def change(self, connection: Connection, rise: Tensor, fall: Tensor) -> Tensor:
        low, high = connection.bounds
        weight = connection.weight.to(rise.dtype)
        room_above = (high - weight).clamp_min(0).pow(self.mu)
        room_below = (weight - low).clamp_min(0).pow(self.mu)
        return self.a_plus * room_above * rise - self.a_minus * room_below * fall


class TripletState(NamedTuple):
    """State of :class:`TripletSTDP`; fast and slow traces of either side, ``[batch, *pre_shape]`` or ``post_shape``."""

    x_pre: Tensor
    x_pre_slow: Tensor
    x_post: Tensor
    x_post_slow: Tensor


@register("triplet_stdp")
class TripletSTDP(Rule[TripletState]):
    r"""Triplet STDP: what a pair of spikes does depends on a third one.

    A postsynaptic spike adds ``x_pre (a2_plus + a3_plus x_post_slow)``, a presynaptic spike takes away ``x_post
    (a2_minus + a3_minus x_pre_slow)``. Slow traces are read as they were before the spike itself (Pfister & Gerstner
    2006, J. Neurosci. 26:9673, eq. 3 and 4; the defaults are the visual-cortex fit of the full model with all spikes,
    table 4).

    Args:
        a2_plus: potentiation of a pair.
        a3_plus: further potentiation of a triplet of one presynaptic and two postsynaptic spikes.
        a2_minus: depression of a pair.
        a3_minus: further depression of a triplet of two presynaptic and one postsynaptic spike.
        tau_pre: time constant of the fast presynaptic trace in ms.
        tau_post: time constant of the fast postsynaptic trace in ms.
        tau_pre_slow: time constant of the slow presynaptic trace in ms.
        tau_post_slow: time constant of the slow postsynaptic trace in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: an amplitude that is not finite, or a time constant shorter than ``dt``.
    """

    def __init__(
        self,
        *,
        a2_plus: float = 5e-10,
        a3_plus: float = 6.2e-3,
        a2_minus: float = 7e-3,
        a3_minus: float = 2.3e-4,
        tau_pre: float = 16.8,
        tau_post: float = 33.7,
        tau_pre_slow: float = 101.0,
        tau_post_slow: float = 125.0,
        dt: float = 1.0,
    ) -> None:
        super().__init__()
        require_finite(a2_plus=a2_plus, a3_plus=a3_plus, a2_minus=a2_minus, a3_minus=a3_minus)
        self.dt = dt
        self.a2_plus, self.a3_plus, self.a2_minus, self.a3_minus = a2_plus, a3_plus, a2_minus, a3_minus
        self.decay_pre, self.decay_post = decay_factor(tau_pre, dt, "tau_pre"), decay_factor(tau_post, dt, "tau_post")
        self.decay_pre_slow = decay_factor(tau_pre_slow, dt, "tau_pre_slow")
        self.decay_post_slow = decay_factor(tau_post_slow, dt, "tau_post_slow")

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> TripletState:
        x_pre, x_pre_slow = (zero_trace(connection, batch, pre_shape) for _ in range(2))
        x_post, x_post_slow = (zero_trace(connection, batch, post_shape) for _ in range(2))
        return TripletState(x_pre, x_pre_slow, x_post, x_post_slow)

    @torch.no_grad()
    def forward(
        self, connection: Connection, pre: Tensor | SparseSpikes, post: Tensor, state: TripletState, third: ThirdFactor
    ) -> tuple[Tensor, TripletState]:
        ends, time = third.traces_continuing, len(post)
        x_pre, pre_after = presynaptic_trace(pre, time, state.x_pre, self.decay_pre, ends)
        x_pre_slow, pre_slow_after = presynaptic_trace(pre, time, state.x_pre_slow, self.decay_pre_slow, ends)
        x_post, post_after = traced(post, state.x_post, self.decay_post, ends)
        x_post_slow, post_slow_after = traced(post, state.x_post_slow, self.decay_post_slow, ends)
        spikes = spike_train(pre, time)
        rise = hebbian_sum(connection, post * (self.a2_plus + self.a3_plus * (x_post_slow - post)), x_pre)
        slow = self.a2_minus + self.a3_minus * (x_pre_slow - spikes)
        fall = hebbian_sum(connection, x_post - post, spikes * slow)
        return rise - fall, TripletState(pre_after, pre_slow_after, post_after, post_slow_after)
