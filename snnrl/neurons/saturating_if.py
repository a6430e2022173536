"""Integrate-and-fire neuron with a saturating drive: a regular, quiet rate code."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.neurons.base import Neuron, step_of, steps_like, window_of
from snnrl.neurons.settings import POSITIVE_SHARE, Limits, above
from snnrl.settings import register
from snnrl.traces import decay_trace, scan_trace
from snnrl.types import Setting

_LIMITS = {"gain": above(0), "rate_max": POSITIVE_SHARE}


class SaturatingIFState(NamedTuple):
    """State of :class:`SaturatingIF`, each ``[batch, *shape]``."""

    u: Tensor
    """Synaptic current after its exponential filter."""
    v: Tensor
    """Membrane potential in [0, 1)."""


@register("saturating_if")
class SaturatingIF(Neuron[SaturatingIFState]):
    r"""Perfect integrator with soft reset, driven by a filtered and saturating current.

    ``u[t] = exp(-dt / tau_syn) u[t-1] + I[t]``; ``v[t] = v[t-1] + rate_max * clip(tonic + gain * u[t], 0, 1)``; a spike
    at ``v >= 1`` subtracts 1 (soft reset; Rueckauer et al. 2017, Front. Neurosci. 11:682). The spike count of a window
    is the integral of the drive to within one spike. The population starts with staggered potentials
    ``(i + 1/2) / n``, so that its summed count resolves ``1/n`` of a spike.

    Args:
        shape: shape of the population.
        tau_syn: time constant of the current in ms.
        gain: drive for each unit of current.
        tonic: drive without input.
        rate_max: highest number of spikes in one step, in (0, 1].
        dt: simulation step in ms.

    Raises:
        ConfigError: a value outside the ranges above.
    """

    phase: Tensor
    tau_syn: float
    gain: float
    tonic: float
    rate_max: float

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_syn: float = 10.0,
        gain: float = 0.2,
        tonic: float = 0.0,
        rate_max: float = 0.5,
        dt: float = 1.0,
        **unknown: Setting,
    ) -> None:
        super().__init__(shape, dt=dt, **unknown)
        for name, value in {"tau_syn": tau_syn, "gain": gain, "tonic": tonic, "rate_max": rate_max}.items():
            self.set_value(name, value, per_neuron=False)
        phase = (torch.arange(self.size) + 0.5) / self.size
        self.register_buffer("phase", phase.view(self.shape), persistent=False)

    def limits(self, name: str) -> Limits:
        return _LIMITS[name] if name in _LIMITS else super().limits(name)

    @property
    def decay(self) -> float:
        """The factor by which the current shrinks in one step."""
        return math.exp(-self.dt / self.tau_syn)

    def init_state(self, batch: int) -> SaturatingIFState:
        return SaturatingIFState(u=self.zeros(batch), v=self.zeros(batch) + self.phase)

    def gained(self, before: SaturatingIFState, after: SaturatingIFState) -> Tensor:
        """What the membranes have gained from one state to another, in parts of a spike ``[batch, *shape]``.

        Together with the spikes fired meanwhile this is the integral of the drive, exactly.
        """
        return after.v - before.v

    def _drive(self, u: Tensor) -> Tensor:
        return self.rate_max * (self.tonic + self.gain * u).clamp(0, 1)

    def forward(self, current: Tensor, state: SaturatingIFState) -> tuple[Tensor, SaturatingIFState]:
        u = decay_trace(state.u, step_of(current, state), self.decay)
        v = state.v + self._drive(u)
        spikes = torch.floor(v).clamp_max(1)
        return spikes, SaturatingIFState(u, v - spikes)

    def scan(
        self, current: Tensor, state: SaturatingIFState, *, reuse: bool = False
    ) -> tuple[Tensor, SaturatingIFState]:
        current = window_of(current, state)
        if not steps_like(type(self), SaturatingIF):
            return super().scan(current, state)
        u = scan_trace(current, state.u, self.decay)
        v = torch.cumsum(self._drive(u), dim=0) + state.v
        fired = torch.floor(v)
        spikes = torch.diff(fired, dim=0, prepend=torch.zeros_like(fired[:1]))
        return spikes, SaturatingIFState(u[-1].clone(), v[-1] - fired[-1])
