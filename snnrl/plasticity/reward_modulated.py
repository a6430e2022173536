"""Reward-modulated rules: a third factor decides what coincidences of spikes do to the weights."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from snnrl.connections.base import Connection
from snnrl.plasticity.base import (
    Shape,
    ThirdFactor,
    hebbian_sum,
    per_row,
    require_finite,
    spike_train,
    traced,
    zero_trace,
)
from snnrl.plasticity.stdp import STDP, STDPState
from snnrl.plasticity.three_factor import Coincidences, ThreeFactor, Window, required
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.traces import decay_factor, decay_kernel


@register("mstdp")
class MSTDP(STDP):
    r"""Reward-modulated STDP: ``dw[t] = r[t] z[t]``, where ``z[t]`` is the change that STDP would make at step t.

    The modulator acts on the coincidences of its own step (Florian 2007, Neural Comput. 19:1468, "MSTDP"). Arguments
    are those of :class:`~snnrl.plasticity.STDP`.
    """

    uses_modulator: ClassVar[bool] = True

    @torch.no_grad()
    def forward(
        self, connection: Connection, pre: Tensor | SparseSpikes, post: Tensor, state: STDPState, third: ThirdFactor
    ) -> tuple[Tensor, STDPState]:
        modulator = required(third.modulator)
        factor = per_row(modulator if third.instant is None else modulator + third.instant, post)
        factor = factor if third.gate is None else factor * third.gate
        length = len(post) // len(factor)
        factor = factor if length == 1 else factor.repeat_interleave(length, dim=0)
        x_pre, x_post, after = self.traces(pre, post, state, third.traces_continuing)
        rise = hebbian_sum(connection, factor * post, x_pre)
        fall = hebbian_sum(connection, factor * x_post, spike_train(pre, len(post)))
        return self.change(connection, rise, fall), after


@register("mstdpet")
class MSTDPET(ThreeFactor):
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
        ConfigError: an amplitude that is not finite, or a time constant shorter than ``dt``.
    """

    DECAYS_EACH_SIM_STEP: ClassVar[bool] = True

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
        super().__init__(decay_factor(tau_eligibility, dt, "tau_eligibility"), tau_pre=tau_pre, dt=dt)
        require_finite(a_plus=a_plus, a_minus=a_minus)
        self.a_plus, self.a_minus = a_plus, a_minus
        self.decay_post = decay_factor(tau_post, dt, "tau_post")

    def init_traces(
        self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int
    ) -> tuple[Tensor, ...]:
        return zero_trace(connection, batch, pre_shape), zero_trace(connection, batch, post_shape)

    def coincidences(
        self, pre: Tensor | SparseSpikes, post: Tensor, traces: tuple[Tensor, ...], window: Window
    ) -> Coincidences:
        trace, post_after = traced(post, traces[1], self.decay_post, window.continuing)
        x_post = trace - post
        if isinstance(pre, SparseSpikes):
            rise = window.summed(decay_kernel(window.length, self.decay_pre, post), self.a_plus * post)
            first = torch.eye(window.length, 1, device=post.device, dtype=post.dtype).flatten()
            return Coincidences(pre, rise - window.summed(first, self.a_minus * x_post), (traces[0], post_after))
        x_pre, pre_after = traced(pre, traces[0], self.decay_pre, window.continuing)
        return Coincidences(
            torch.cat([window.divided(x_pre), window.divided(pre)], dim=1),
            torch.cat([window.faded(self.a_plus * post), window.faded(-self.a_minus * x_post)], dim=1),
            (pre_after, post_after),
        )


@register("td_stdp")
class TDSTDP(ThreeFactor):
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

    DECAYS_EACH_SIM_STEP: ClassVar[bool] = True

    def __init__(
        self, *, tau_eligibility: float = 200.0, a_plus: float = 0.01, tau_pre: float = 20.0, dt: float = 1.0
    ) -> None:
        super().__init__(decay_factor(tau_eligibility, dt, "tau_eligibility"), tau_pre=tau_pre, dt=dt)
        require_finite(a_plus=a_plus)
        self.a_plus = a_plus

    def coincidences(
        self, pre: Tensor | SparseSpikes, post: Tensor, traces: tuple[Tensor, ...], window: Window
    ) -> Coincidences:
        return super().coincidences(pre, self.a_plus * post, traces, window)


@register("r_max")
class Rmax(ThreeFactor):
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

    uses_score: ClassVar[bool] = True
    DECAYS_EACH_SIM_STEP: ClassVar[bool] = True

    def __init__(
        self, *, learning_rate: float = 0.01, tau_mem: float = 10.0, tau_eligibility: float = 500.0, dt: float = 1.0
    ) -> None:
        decay_factor(tau_mem, dt, "tau_mem")
        decay = decay_factor(tau_eligibility, dt, "tau_eligibility")
        super().__init__(decay, tau_pre=tau_mem, learning_rate=learning_rate, dt=dt)
