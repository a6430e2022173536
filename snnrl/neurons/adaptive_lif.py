"""Leaky integrate-and-fire neuron whose threshold rises with its own spikes."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor

from snnrl.errors import require
from snnrl.neurons.lif import LeakyMembrane
from snnrl.neurons.settings import Limits, Value, at_least
from snnrl.settings import register
from snnrl.traces import decay_trace
from snnrl.types import Setting


class AdaptiveLIFState(NamedTuple):
    """State of :class:`AdaptiveLIF` and :class:`LSNN`, each ``[batch, *shape]``."""

    v: Tensor
    """Membrane potential."""
    adaptation: Tensor
    """How far past spikes have raised the threshold (:class:`LSNN`: before scaling by ``beta``)."""
    refractory: Tensor
    """Simulation steps for which the neuron stays silent."""
    trace: Tensor
    """Trace of its spikes; ``[batch, 0]`` without ``tau_trace``."""


@register("adaptive_lif")
class AdaptiveLIF(LeakyMembrane[AdaptiveLIFState]):
    r"""LIF with an adaptive threshold: it fires at ``v >= v_threshold + a``, and ``tau_adaptation da/dt = -a``.

    Each spike raises ``a`` by ``increment`` (Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, sec. 6.1;
    the adaptive threshold of Bellec et al. 2020 when ``v_threshold`` is the baseline). The step's own spike counts
    from the next step on.

    Args:
        shape: shape of the population.
        tau_adaptation: time constant of the adaptation in ms.
        increment: rise of the threshold at each spike, at least 0.
        **settings: those of :class:`~snnrl.neurons.LIF`; ``tau_adaptation`` and ``increment`` can be learned too.

    Raises:
        ConfigError: a setting out of range.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ("tau_mem", "tau_adaptation", "increment", "v_threshold")
    increment: Value

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_adaptation: Value = 100.0,
        increment: Value = 0.1,
        **settings: Setting,
    ) -> None:
        super().__init__(shape, **settings)
        self.set_value("tau_adaptation", tau_adaptation)
        self.set_value("increment", increment)

    def limits(self, name: str) -> Limits:
        return at_least(0) if name in ("increment", "beta") else super().limits(name)

    @property
    def threshold_rise(self) -> Value:
        """By how much a spike raises the threshold of the next step."""
        return self.value("increment") * self.decay_of("tau_adaptation")

    def init_state(self, batch: int) -> AdaptiveLIFState:
        return AdaptiveLIFState(
            v=self.zeros(batch) + self.v_rest, adaptation=self.zeros(batch), **self.shared_leaves(batch)
        )

    def charge(self, current: Tensor, state: AdaptiveLIFState) -> AdaptiveLIFState:
        adaptation = state.adaptation * self.decay_of("tau_adaptation")
        return state._replace(v=self._charged(state.v, current), adaptation=adaptation)

    def excess(self, state: AdaptiveLIFState) -> Tensor:
        return state.v - (self.value("v_threshold") + state.adaptation)

    def reset(self, state: AdaptiveLIFState, spikes: Tensor) -> AdaptiveLIFState:
        return state._replace(
            v=self._lowered(state.v, spikes), adaptation=state.adaptation + self.value("increment") * spikes
        )


@register("lsnn")
class LSNN(AdaptiveLIF):
    r"""Adaptive LIF of long short-term memory spiking networks.

    ``v[t] = alpha v[t-1] + (1 - alpha) I[t]``, threshold ``v_threshold + beta b[t]``, ``b[t] = rho b[t-1] + (1 - rho)
    z[t-1]``, and a spike subtracts ``v_threshold`` (Bellec, Salaj, Subramoney, Legenstein & Maass 2018, NeurIPS, eq. 1
    and 2). Gradients pass through the adaptation, which is what gives such networks their memory.

    Args:
        shape: shape of the population.
        beta: by how much a constantly firing neuron raises its threshold, at least 0.
        tau_adaptation: time constant of the adaptation in ms.
        **settings: those of :class:`~snnrl.neurons.LIF`; the reset is soft. ``tau_adaptation`` and ``beta`` can be
            learned too.

    Raises:
        ConfigError: a setting out of range.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ("tau_mem", "tau_adaptation", "beta", "v_threshold")
    LEFT_OUT: ClassVar[tuple[str, ...]] = ("increment",)
    beta: Value

    def __init__(
        self, shape: int | tuple[int, ...], *, beta: Value = 1.8, tau_adaptation: Value = 200.0, **settings: Setting
    ) -> None:
        require(settings.pop("reset", "soft") == "soft", "reset", "hard", "soft, the reset of this model")
        LeakyMembrane.__init__(self, shape, reset="soft", **settings)
        self.set_value("tau_adaptation", tau_adaptation)
        self.set_value("beta", beta)

    @property
    def threshold_rise(self) -> Value:
        """By how much a spike raises the threshold of the next step."""
        return self.value("beta") * self.loss_of("tau_adaptation")

    def charge(self, current: Tensor, state: AdaptiveLIFState) -> AdaptiveLIFState:
        return state._replace(v=self._charged(state.v, current))

    def excess(self, state: AdaptiveLIFState) -> Tensor:
        return state.v - (self.value("v_threshold") + self.value("beta") * state.adaptation)

    def forward(self, current: Tensor, state: AdaptiveLIFState) -> tuple[Tensor, AdaptiveLIFState]:
        spikes, after = super().forward(current, state)
        rho, gain = self.decay_of("tau_adaptation"), self.loss_of("tau_adaptation")
        return spikes, after._replace(adaptation=decay_trace(state.adaptation, gain * spikes, rho))

    def reset(self, state: AdaptiveLIFState, spikes: Tensor) -> AdaptiveLIFState:
        return state._replace(v=self._lowered(state.v, spikes))
