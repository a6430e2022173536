"""Integrate-and-fire neuron with a saturating drive: a regular, quiet rate code."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.errors import require
from snnrl.neurons.base import Neuron, require_step, require_window
from snnrl.traces import decay_factor, decay_trace, scan_trace


class IntegrateAndFireState(NamedTuple):
    """State of :class:`IntegrateAndFire`, each ``[batch, *shape]``."""

    u: Tensor
    """Synaptic current after its exponential filter."""
    v: Tensor
    """Membrane potential in [0, 1)."""


class IntegrateAndFire(Neuron[IntegrateAndFireState]):
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

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_syn: float = 10.0,
        gain: float = 0.2,
        tonic: float = 0.0,
        rate_max: float = 0.5,
        dt: float = 1.0,
    ) -> None:
        super().__init__(shape)
        self.dt = dt
        self.decay = decay_factor(tau_syn, dt, "tau_syn")
        require(gain > 0, "gain", gain, "above 0")
        require(0 < rate_max <= 1, "rate_max", rate_max, "in (0, 1]")
        self.gain, self.tonic, self.rate_max = gain, tonic, rate_max
        phase = (torch.arange(self.size) + 0.5) / self.size
        self.register_buffer("phase", phase.view(self.shape), persistent=False)

    def init_state(self, batch: int) -> IntegrateAndFireState:
        return IntegrateAndFireState(u=self._zeros(batch), v=self._zeros(batch) + self.phase)

    def _drive(self, u: Tensor) -> Tensor:
        return self.rate_max * (self.tonic + self.gain * u).clamp(0, 1)

    def forward(self, current: Tensor, state: IntegrateAndFireState) -> tuple[Tensor, IntegrateAndFireState]:
        require_step(current, state)
        u = decay_trace(state.u, current, self.decay)
        v = state.v + self._drive(u)
        spikes = torch.floor(v).clamp_max(1)
        return spikes, IntegrateAndFireState(u, v - spikes)

    def scan(
        self, current: Tensor, state: IntegrateAndFireState, *, reuse: bool = False
    ) -> tuple[Tensor, IntegrateAndFireState]:
        require_window(current, state)
        u = scan_trace(current, state.u, self.decay)
        v = torch.cumsum(self._drive(u), dim=0) + state.v
        fired = torch.floor(v)
        spikes = torch.diff(fired, dim=0, prepend=torch.zeros_like(fired[:1]))
        return spikes, IntegrateAndFireState(u[-1], v[-1] - fired[-1])
