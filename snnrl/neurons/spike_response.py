"""Spike response models: the potential is a sum of kernels, of the input and of the neuron's own spikes."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.neurons.base import SpikingNeuron
from snnrl.neurons.settings import POTENTIAL, Limits, Value, above, at_least
from snnrl.noise import uniform
from snnrl.settings import register
from snnrl.traces import decay_trace
from snnrl.types import Setting

_CERTAIN = 80.0
"""Exponent from which on a spike is certain; beyond it the rate of escape would be infinite, and its gradient none."""
_LIMITS = {
    "v_threshold": POTENTIAL,
    "eta_reset": at_least(0),
    "width": above(0),
    "rate_threshold": above(0),
}


class SRM0State(NamedTuple):
    """State of :class:`SRM0`, each ``[batch, *shape]``."""

    v: Tensor
    """Membrane potential, input and refractoriness together."""
    h: Tensor
    """Potential caused by the input."""
    eta: Tensor
    """Refractory potential after the last spike."""
    refractory: Tensor
    """Simulation steps for which the neuron stays silent."""
    trace: Tensor
    """Trace of its spikes; ``[batch, 0]`` without ``tau_trace``."""


@register("srm0")
class SRM0(SpikingNeuron[SRM0State]):
    r"""Spike response model with short-term memory and escape noise.

    ``v = h + eta``: the input potential ``h[t] = exp(-dt / tau_mem) h[t-1] + I[t]``, and after the neuron's last spike
    ``eta = -eta_reset exp(-(t - t_last) / tau_refractory)``; only the last spike counts. The rate of escape is
    ``rate_threshold exp((v - v_threshold) / width)``, and a step of ``dt`` holds a spike with the probability
    ``1 - exp(-rate dt)`` (Gerstner & Kistler 2002, Spiking Neuron Models, sec. 4.2 and 5.3; Pfister, Toyoizumi, Barber
    & Gerstner 2006, Neural Comput. 18:1318).

    Args:
        shape: shape of the population.
        tau_mem: time constant of the response to input in ms.
        tau_refractory: time constant of the refractory potential in ms.
        eta_reset: depth of the refractory potential right after a spike, at least 0.
        v_threshold: potential at which the rate of escape is ``rate_threshold``.
        width: change of the potential that multiplies the rate by e, above 0.
        rate_threshold: rate of escape at threshold in 1/ms, above 0.
        generator: where the draws come from; ``None`` is torch's global generator of the CPU.
        **common: settings of :class:`~snnrl.neurons.base.SpikingNeuron`; ``tau_mem`` and ``v_threshold`` can be
            learned.

    Raises:
        ConfigError: a setting out of range.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ("tau_mem", "v_threshold")
    eta_reset: float
    width: float
    rate_threshold: float

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_mem: Value = 10.0,
        tau_refractory: Value = 10.0,
        eta_reset: float = 5.0,
        v_threshold: Value = 1.0,
        width: float = 0.5,
        rate_threshold: float = 0.1,
        generator: torch.Generator | None = None,
        **common: Setting,
    ) -> None:
        super().__init__(shape, **common)
        self.set_value("tau_mem", tau_mem)
        self.set_value("tau_refractory", tau_refractory)
        self.set_value("v_threshold", v_threshold)
        for name, value in (("eta_reset", eta_reset), ("width", width), ("rate_threshold", rate_threshold)):
            self.set_value(name, value, per_neuron=False)
        self.generator = generator

    def limits(self, name: str) -> Limits:
        return _LIMITS[name] if name in _LIMITS else super().limits(name)

    def init_state(self, batch: int) -> SRM0State:
        return SRM0State(v=self.zeros(batch), h=self.zeros(batch), eta=self.zeros(batch), **self.shared_leaves(batch))

    def charge(self, current: Tensor, state: SRM0State) -> SRM0State:
        h = decay_trace(state.h, current, self.decay_of("tau_mem"))
        eta = state.eta * self.decay_of("tau_refractory")
        return state._replace(v=h + eta, h=h, eta=eta)

    def _expected(self, v: Tensor) -> Tensor:
        """Expected number of escapes in one step at potential ``v``."""
        return (
            self.rate_threshold
            * self.dt
            * torch.exp(((v - self.value("v_threshold")) / self.width).clamp_max(_CERTAIN))
        )

    def firing_probability(self, v: Tensor) -> Tensor:
        """Probability of a spike in one step at potential ``v``, same shape."""
        return -torch.expm1(-self._expected(v))

    def score(self, v: Tensor, spikes: Tensor) -> Tensor:
        """Derivative of the log probability of ``spikes`` with respect to the potential ``v`` they were drawn at."""
        expected = self._expected(v)
        bounded = expected.clamp(1e-30, 80.0)
        return torch.where(spikes > 0, bounded / torch.expm1(bounded), -expected) / self.width

    def excess(self, state: SRM0State) -> Tensor:
        probability = self.firing_probability(state.v)
        return probability - uniform(probability.shape, probability, self.generator)

    def fire(self, excess: Tensor) -> Tensor:
        return (excess > 0).to(excess.dtype) if self.surrogate is None else self.surrogate(excess)

    def reset(self, state: SRM0State, spikes: Tensor) -> SRM0State:
        return state._replace(eta=torch.where(spikes > 0, -self.eta_reset, state.eta))


class CumulativeSRMState(NamedTuple):
    """State of :class:`CumulativeSRM`, each ``[batch, *shape]``."""

    v: Tensor
    """Membrane potential, input and refractoriness together."""
    rise: Tensor
    """First stage of the response to input."""
    h: Tensor
    """Potential caused by the input."""
    eta: Tensor
    """Refractory potential, summed over all past spikes."""
    refractory: Tensor
    """Simulation steps for which the neuron stays silent."""
    trace: Tensor
    """Trace of its spikes; ``[batch, 0]`` without ``tau_trace``."""


@register("cumulative_srm")
class CumulativeSRM(SpikingNeuron[CumulativeSRMState]):
    r"""Cumulative spike response model: every past spike goes on to count.

    An input of size 1 at time 0 raises the potential by the alpha function ``(t / tau_mem) exp(1 - t / tau_mem)``,
    which reaches 1 at ``t = tau_mem``; every spike lowers it by ``eta_reset exp(-t / tau_refractory)``, and these add
    up. The neuron fires at ``v >= v_threshold`` (Gerstner & van Hemmen 1992, Network 3:139; Gerstner & Kistler 2002,
    Spiking Neuron Models, sec. 4.2).

    Args:
        shape: shape of the population.
        tau_mem: time to the peak of the response to input, in ms.
        tau_refractory: time constant of the refractory potential in ms.
        eta_reset: depth of the refractory potential that one spike adds, at least 0.
        v_threshold: potential at which the neuron fires, above 0, its rest.
        **common: settings of :class:`~snnrl.neurons.base.SpikingNeuron`; ``v_threshold`` can be learned.

    Raises:
        ConfigError: a setting out of range.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ("v_threshold",)
    tau_mem: float
    eta_reset: float

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_mem: float = 10.0,
        tau_refractory: Value = 20.0,
        eta_reset: float = 1.0,
        v_threshold: Value = 1.0,
        **common: Setting,
    ) -> None:
        super().__init__(shape, **common)
        self.set_value("tau_mem", tau_mem, per_neuron=False)
        self.set_value("tau_refractory", tau_refractory)
        self.set_value("v_threshold", v_threshold)
        self.set_value("eta_reset", eta_reset, per_neuron=False)

    def limits(self, name: str) -> Limits:
        if name == "v_threshold":
            return above(0, "a finite potential above {low}")
        return _LIMITS[name] if name in _LIMITS else super().limits(name)

    @property
    def slope(self) -> float:
        """By how much a step of the response's first stage raises the second, before both decay."""
        return self.dt / self.tau_mem * math.e

    def init_state(self, batch: int) -> CumulativeSRMState:
        v, rise, h, eta = (self.zeros(batch) for _ in range(4))
        return CumulativeSRMState(v, rise, h, eta, **self.shared_leaves(batch))

    def charge(self, current: Tensor, state: CumulativeSRMState) -> CumulativeSRMState:
        decay = self.decay_of("tau_mem")
        h = decay_trace(state.h, self.slope * decay * state.rise, decay)
        rise = decay_trace(state.rise, current, decay)
        eta = state.eta * self.decay_of("tau_refractory")
        return state._replace(v=h + eta, rise=rise, h=h, eta=eta)

    def excess(self, state: CumulativeSRMState) -> Tensor:
        return state.v - self.value("v_threshold")

    def reset(self, state: CumulativeSRMState, spikes: Tensor) -> CumulativeSRMState:
        return state._replace(eta=state.eta - self.eta_reset * spikes)
