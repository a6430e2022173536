"""Leaky integrate-and-fire neuron driven by exponential synaptic currents."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor

from snnrl.neurons.base import window_of
from snnrl.neurons.lif import LeakyMembrane
from snnrl.neurons.settings import Value
from snnrl.settings import register
from snnrl.traces import decay_trace, scan_trace
from snnrl.types import Setting


class CurrentLIFState(NamedTuple):
    """State of :class:`CurrentLIF`, each ``[batch, *shape]``."""

    v: Tensor
    """Membrane potential."""
    i: Tensor
    """Synaptic current."""
    refractory: Tensor
    """Simulation steps for which the neuron stays silent."""
    trace: Tensor
    """Trace of its spikes; ``[batch, 0]`` without ``tau_trace``."""


@register("current_lif")
class CurrentLIF(LeakyMembrane[CurrentLIFState]):
    r"""Current-based LIF with two time constants: ``tau_syn di/dt = -i``, ``tau_mem dv/dt = -(v - v_rest) + i``.

    ``i[t] = exp(-dt / tau_syn) i[t-1] + I[t]``, and the membrane takes ``i[t]`` as :class:`~snnrl.neurons.LIF` takes
    ``I[t]``, constant over the step (Neftci, Mostafa & Zenke 2019, IEEE Signal Process. Mag. 36:51, eq. 4 and 5).

    Args:
        shape: shape of the population.
        tau_syn: time constant of the synaptic current in ms.
        **settings: those of :class:`~snnrl.neurons.LIF`; ``tau_syn`` can be learned too.

    Raises:
        ConfigError: a setting out of range.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ("tau_mem", "tau_syn", "v_threshold")

    def __init__(self, shape: int | tuple[int, ...], *, tau_syn: Value = 5.0, **settings: Setting) -> None:
        super().__init__(shape, **settings)
        self.set_value("tau_syn", tau_syn)

    def init_state(self, batch: int) -> CurrentLIFState:
        return CurrentLIFState(v=self.zeros(batch) + self.v_rest, i=self.zeros(batch), **self.shared_leaves(batch))

    def charge(self, current: Tensor, state: CurrentLIFState) -> CurrentLIFState:
        i = decay_trace(state.i, current, self.decay_of("tau_syn"))
        return state._replace(v=self._charged(state.v, i), i=i)

    def excess(self, state: CurrentLIFState) -> Tensor:
        return state.v - self.value("v_threshold")

    def reset(self, state: CurrentLIFState, spikes: Tensor) -> CurrentLIFState:
        return state._replace(v=self._lowered(state.v, spikes))

    def scan(self, current: Tensor, state: CurrentLIFState, *, reuse: bool = False) -> tuple[Tensor, CurrentLIFState]:
        current = window_of(current, state)
        window, decay = self._window(CurrentLIF), self.decay_of("tau_syn")
        if window is None or isinstance(decay, Tensor):
            return super().scan(current, state)
        i = scan_trace(current, state.i, decay)
        last = i[-1].clone()
        scanned = self._scan_membrane(window, i, state.v, state.refractory, reuse)
        if scanned is None:
            return super().scan(current, state)
        spikes, v, refractory = scanned
        return spikes, CurrentLIFState(v, last, refractory, self._scan_own_trace(spikes, state.trace))
