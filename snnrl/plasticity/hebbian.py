"""Rules without order in time: Hebb's, Oja's, and homeostasis."""

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
    traced,
    zero_trace,
)
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.traces import decay_factor


class HebbianState(NamedTuple):
    """State of :class:`Hebbian` and :class:`Oja`."""

    x_pre: Tensor
    """``[batch, *pre_shape]`` trace of presynaptic spikes."""
    x_post: Tensor
    """``[batch, *post_shape]`` trace of postsynaptic spikes."""


@register("hebbian")
class Hebbian(Rule[HebbianState]):
    """Hebb's rule on spike traces: ``dw = learning_rate * x_post * x_pre`` at every step (Hebb 1949).

    Args:
        learning_rate: of the product of the traces, at each step.
        tau_pre: time constant of the presynaptic trace in ms.
        tau_post: time constant of the postsynaptic trace in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: a rate that is not finite, or a time constant shorter than ``dt``.
    """

    def __init__(
        self, *, learning_rate: float = 0.001, tau_pre: float = 20.0, tau_post: float = 20.0, dt: float = 1.0
    ) -> None:
        super().__init__()
        require_finite(learning_rate=learning_rate)
        self.learning_rate, self.dt = learning_rate, dt
        self.decay_pre, self.decay_post = decay_factor(tau_pre, dt, "tau_pre"), decay_factor(tau_post, dt, "tau_post")

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> HebbianState:
        return HebbianState(zero_trace(connection, batch, pre_shape), zero_trace(connection, batch, post_shape))

    @torch.no_grad()
    def forward(
        self, connection: Connection, pre: Tensor | SparseSpikes, post: Tensor, state: HebbianState, third: ThirdFactor
    ) -> tuple[Tensor, HebbianState]:
        x_pre, pre_after = presynaptic_trace(pre, len(post), state.x_pre, self.decay_pre, third.traces_continuing)
        x_post, post_after = traced(post, state.x_post, self.decay_post, third.traces_continuing)
        change = self.learning_rate * self.change(connection, x_post, x_pre)
        return change, HebbianState(pre_after, post_after)

    def change(self, connection: Connection, x_post: Tensor, x_pre: Tensor) -> Tensor:
        """The summed change for a learning rate of 1."""
        return hebbian_sum(connection, x_post, x_pre)


@register("oja")
class Oja(Hebbian):
    """Oja's rule: ``dw = learning_rate * x_post * (x_pre - x_post * w)``, which bounds the weights by itself.

    The weights of a linear neuron turn to the first principal component of its input, with norm 1 (Oja 1982, J. Math.
    Biol. 15:267, eq. 3). Arguments are those of :class:`Hebbian`.
    """

    def change(self, connection: Connection, x_post: Tensor, x_pre: Tensor) -> Tensor:
        forgotten = hebbian_sum(connection, x_post.square(), torch.ones_like(x_pre))
        return super().change(connection, x_post, x_pre) - forgotten * connection.weight


class HomeostasisState(NamedTuple):
    """State of :class:`Homeostasis`."""

    rate: Tensor
    """``[batch, *post_shape]`` running firing rate in Hz."""


@register("homeostasis")
class Homeostasis(Rule[HomeostasisState]):
    """Synaptic scaling: ``dw = learning_rate * w * (rate_target - rate)``, all weights of a neuron by one factor.

    ``rate`` is the neuron's running firing rate (Turrigiano et al. 1998, Nature 391:892; van Rossum, Bi & Turrigiano
    2000, J. Neurosci. 20:8812, eq. 4).

    Args:
        rate_target: in Hz, at least 0.
        learning_rate: relative change at each step for 1 Hz of difference.
        tau_rate: time constant of the running rate in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: a negative target, a rate that is not finite, or a time constant shorter than ``dt``.
    """

    def __init__(
        self, *, rate_target: float = 10.0, learning_rate: float = 1e-5, tau_rate: float = 1000.0, dt: float = 1.0
    ) -> None:
        super().__init__()
        require(rate_target >= 0, "rate_target", rate_target, "at least 0 Hz")
        require_finite(rate_target=rate_target, learning_rate=learning_rate)
        self.rate_target, self.learning_rate, self.dt = rate_target, learning_rate, dt
        self.decay = decay_factor(tau_rate, dt, "tau_rate")

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> HomeostasisState:
        return HomeostasisState(zero_trace(connection, batch, post_shape) + self.rate_target)

    @torch.no_grad()
    def forward(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: HomeostasisState,
        third: ThirdFactor,
    ) -> tuple[Tensor, HomeostasisState]:
        spikes = post * ((1 - self.decay) * 1000.0 / self.dt)
        rate, after = traced(spikes, state.rate, self.decay, third.continuing, rest=self.rate_target)
        lack = hebbian_sum(connection, self.rate_target - rate, torch.ones_like(spike_train(pre, len(post))))
        return self.learning_rate * lack * connection.weight, HomeostasisState(after)
