"""Reward-modulated rules: a third factor decides what coincidences of spikes do to the weights."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.connections.base import Connection
from snnrl.errors import ConfigError
from snnrl.plasticity.base import Rule, Shape, hebbian_sum, require_finite, zeros
from snnrl.plasticity.stdp import STDP, STDPState
from snnrl.plasticity.three_factor import ThreeFactor, ThreeFactorState
from snnrl.settings import register
from snnrl.traces import decay_factor, scan_trace


@register("mstdp")
class MSTDP(STDP):
    r"""Reward-modulated STDP: ``dw[t] = r[t] z[t]``, where ``z[t]`` is the change that STDP would make at step t.

    The modulator acts on the coincidences of its own step (Florian 2007, Neural Comput. 19:1468, "MSTDP"). Arguments
    are those of :class:`~snnrl.plasticity.STDP`.
    """

    uses_modulator: ClassVar[bool] = True

    @torch.no_grad()
    def forward(
        self, connection: Connection, pre: Tensor, post: Tensor, state: STDPState, modulator: Tensor | None = None
    ) -> tuple[Tensor, STDPState]:
        factor = _per_neuron(required(modulator), post)
        x_pre, x_post, after = self.traces(pre, post, state)
        rise, fall = hebbian_sum(connection, factor * post, x_pre), hebbian_sum(connection, factor * x_post, pre)
        return self.change(connection, rise, fall), after


class EligibilityState(NamedTuple):
    """State of the rules with an eligibility trace."""

    pairs: STDPState
    """Traces of the spikes."""
    eligibility: Tensor
    """``[batch, *weight.shape]``, already decayed to the step that comes next."""


@register("mstdpet")
class MSTDPET(Rule[EligibilityState]):
    r"""Reward-modulated STDP with an eligibility trace: ``e[t] = exp(-dt / tau_eligibility) e[t-1] + z[t]``.

    ``dw[t] = r[t] e[t]``, where ``z[t]`` is the change that STDP would make at step t, so that reward may come late
    (Florian 2007, Neural Comput. 19:1468, "MSTDPET"; Izhikevich 2007, Cereb. Cortex 17:2443). Every row of the batch
    has an eligibility of its own.

    Args:
        tau_eligibility: time constant of the eligibility in ms.
        a_plus: potentiation of a pair without delay.
        a_minus: depression of a pair without delay.
        tau_pre: time constant of the presynaptic trace in ms.
        tau_post: time constant of the postsynaptic trace in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: a time constant shorter than ``dt``.
    """

    uses_modulator: ClassVar[bool] = True
    GIVEN_ON: ClassVar[tuple[str, ...]] = ("a_plus", "a_minus")

    def __init__(
        self,
        *,
        tau_eligibility: float = 25.0,
        a_plus: float = 0.01,
        a_minus: float = 0.01,
        tau_pre: float = 20.0,
        tau_post: float = 20.0,
        dt: float = 1.0,
    ) -> None:
        super().__init__()
        self.dt = dt
        self.pairs = STDP(a_plus=a_plus, a_minus=a_minus, tau_pre=tau_pre, tau_post=tau_post, dt=dt)
        self.three_factor = ThreeFactor(decay_factor(tau_eligibility, dt, "tau_eligibility"))

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> EligibilityState:
        pairs = self.pairs.init_state(connection, pre_shape, post_shape, batch)
        return EligibilityState(pairs, connection.new_eligibility(batch))

    def coincidences(self, pre: Tensor, post: Tensor, state: STDPState) -> tuple[Tensor, Tensor, STDPState]:
        """The factors of ``z``: pre and post ``[time, events, batch, ...]``, and the state after the window."""
        x_pre, x_post, after = self.pairs.traces(pre, post, state)
        return (
            torch.stack([x_pre, pre], dim=1),
            torch.stack([self.pairs.a_plus * post, -self.pairs.a_minus * x_post], dim=1),
            after,
        )

    @torch.no_grad()
    def forward(
        self,
        connection: Connection,
        pre: Tensor,
        post: Tensor,
        state: EligibilityState,
        modulator: Tensor | None = None,
    ) -> tuple[Tensor, EligibilityState]:
        third = required(modulator)
        before, after, pairs = self.coincidences(pre, post, state.pairs)
        traced = ThreeFactorState(state.eligibility)
        delta, traced = self.three_factor(connection, before, after, traced, third, torch.ones_like(third))
        return delta, EligibilityState(pairs, traced.eligibility)


@register("td_stdp")
class TDSTDP(MSTDPET):
    r"""TD-STDP: only pre-before-post pairs leave an eligibility, and the modulator is the temporal-difference error.

    ``e[t] = exp(-dt / tau_eligibility) e[t-1] + a_plus post[t] x_pre[t]``, ``dw[t] = delta[t] e[t]`` (Frémaux,
    Sprekeler & Gerstner 2013, PLoS Comput. Biol. 9:e1003024, eq. 17, "TD-LTP"). ``delta`` comes from
    :class:`~snnrl.plasticity.TemporalDifference` or :class:`~snnrl.plasticity.LinearCritic`.

    Args:
        tau_eligibility: time constant of the eligibility in ms.
        a_plus: eligibility of a pair without delay.
        tau_pre: time constant of the presynaptic trace in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: a time constant shorter than ``dt``.
    """

    def __init__(
        self, *, tau_eligibility: float = 200.0, a_plus: float = 0.01, tau_pre: float = 20.0, dt: float = 1.0
    ) -> None:
        super().__init__(tau_eligibility=tau_eligibility, a_plus=a_plus, a_minus=0.0, tau_pre=tau_pre, dt=dt)

    def coincidences(self, pre: Tensor, post: Tensor, state: STDPState) -> tuple[Tensor, Tensor, STDPState]:
        x_pre, _, after = self.pairs.traces(pre, post, state)
        return x_pre.unsqueeze(1), (self.pairs.a_plus * post).unsqueeze(1), after


class RmaxState(NamedTuple):
    """State of :class:`Rmax`."""

    x_pre: Tensor
    """``[batch, *pre_shape]``: how the membrane answers to each presynaptic neuron."""
    eligibility: Tensor
    """``[batch, *weight.shape]``, already decayed to the step that comes next."""


@register("r_max")
class Rmax(Rule[RmaxState]):
    r"""R-max: the gradient of expected reward for neurons with escape noise.

    ``e[t] = exp(-dt / tau_eligibility) e[t-1] + score[t] x_pre[t]``, ``dw[t] = learning_rate r[t] e[t]``. ``score`` is
    the derivative of the log probability of the neuron's spikes with respect to its potential
    (:meth:`~snnrl.neurons.SRM0.score`), and ``x_pre`` filters presynaptic spikes as the membrane does, so that ``e`` is
    the gradient of the log probability of the spike train (Xie & Seung 2004, Phys. Rev. E 69:041909; Pfister,
    Toyoizumi, Barber & Gerstner 2006, Neural Comput. 18:1318; Frémaux, Sprekeler & Gerstner 2010, J. Neurosci.
    30:13326, "R-max"). Subtract a prediction from the reward to lower its variance.

    Args:
        learning_rate: of the gradient.
        tau_mem: membrane time constant of the postsynaptic neurons in ms.
        tau_eligibility: time constant of the eligibility in ms.
        dt: simulation step in ms.

    Raises:
        ConfigError: a time constant shorter than ``dt``.
    """

    uses_modulator: ClassVar[bool] = True
    uses_score: ClassVar[bool] = True

    def __init__(
        self, *, learning_rate: float = 0.01, tau_mem: float = 10.0, tau_eligibility: float = 500.0, dt: float = 1.0
    ) -> None:
        super().__init__()
        require_finite(learning_rate=learning_rate)
        self.learning_rate, self.dt = learning_rate, dt
        self.decay = decay_factor(tau_mem, dt, "tau_mem")
        self.three_factor = ThreeFactor(decay_factor(tau_eligibility, dt, "tau_eligibility"))

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> RmaxState:
        return RmaxState(zeros(connection, batch, pre_shape), connection.new_eligibility(batch))

    @torch.no_grad()
    def forward(
        self, connection: Connection, pre: Tensor, post: Tensor, state: RmaxState, modulator: Tensor | None = None
    ) -> tuple[Tensor, RmaxState]:
        """As :meth:`Rule.forward`; ``post`` is the score ``[time, batch, *post_shape]`` of the postsynaptic neurons."""
        third = required(modulator)
        x_pre = scan_trace(pre, state.x_pre, self.decay)
        traced = ThreeFactorState(state.eligibility)
        delta, traced = self.three_factor(
            connection,
            x_pre.unsqueeze(1),
            post.unsqueeze(1),
            traced,
            self.learning_rate * third,
            torch.ones_like(third),
        )
        return delta, RmaxState(x_pre[-1], traced.eligibility)


def required(modulator: Tensor | None) -> Tensor:
    """The third factor, which must be there."""
    if modulator is None:
        raise ConfigError("modulator=None: must be a tensor [time, batch], the reward or its prediction error")
    return modulator


def _per_neuron(modulator: Tensor, post: Tensor) -> Tensor:
    return modulator.view(*modulator.shape, *[1] * (post.dim() - 2))
