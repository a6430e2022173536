"""Stochastic neuron: an exponential membrane that escapes over a soft threshold."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.neurons.base import Neuron, step_of, steps_like, window_of
from snnrl.neurons.settings import POSITIVE_SHARE, POTENTIAL, Limits, above
from snnrl.noise import uniform
from snnrl.settings import register
from snnrl.traces import decay_trace, scan_trace
from snnrl.types import Setting

_LIMITS = {"v_threshold": POTENTIAL, "width": above(0), "rate_max": POSITIVE_SHARE}


class EscapeNoiseState(NamedTuple):
    """State of :class:`EscapeNoise`, ``[batch, *shape]``."""

    u: Tensor
    """Membrane potential."""


@register("escape_noise")
class EscapeNoise(Neuron[EscapeNoiseState]):
    r"""Escape-noise neuron: spikes are drawn, the membrane is not reset.

    ``u[t] = exp(-dt / tau_mem) u[t-1] + I[t]`` and ``P(spike) = rate_max * sigmoid((u - v_threshold) / width)``
    (Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, sec. 9.1, with a saturating escape rate). Without a
    reset the steps are independent given the input, so a window needs no loop and the expected spike count is exact.

    Args:
        shape: shape of the population.
        tau_mem: membrane time constant in ms.
        v_threshold: potential at which the neuron fires with half its highest probability.
        width: softness of the threshold, above 0; small values approach a hard threshold.
        rate_max: highest firing probability of one step, in (0, 1].
        dt: simulation step in ms.
        generator: where the draws come from; ``None`` is torch's global generator of the CPU.

    Raises:
        ConfigError: a value outside the ranges above.
    """

    tau_mem: float
    v_threshold: float
    width: float
    rate_max: float

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_mem: float = 10.0,
        v_threshold: float = 2.0,
        width: float = 0.5,
        rate_max: float = 0.5,
        dt: float = 1.0,
        generator: torch.Generator | None = None,
        **unknown: Setting,
    ) -> None:
        super().__init__(shape, dt=dt, **unknown)
        values = {"tau_mem": tau_mem, "v_threshold": v_threshold, "width": width, "rate_max": rate_max}
        for name, value in values.items():
            self.set_value(name, value, per_neuron=False)
        self.generator = generator

    def limits(self, name: str) -> Limits:
        return _LIMITS[name] if name in _LIMITS else super().limits(name)

    @property
    def decay(self) -> float:
        """The factor by which the potential shrinks in one step."""
        return math.exp(-self.dt / self.tau_mem)

    def init_state(self, batch: int) -> EscapeNoiseState:
        return EscapeNoiseState(self.zeros(batch))

    def firing_probability(self, u: Tensor) -> Tensor:
        """Probability of a spike in one step at potential ``u``, same shape."""
        return self.rate_max * torch.sigmoid((u - self.v_threshold) / self.width)

    def score(self, u: Tensor, spikes: Tensor) -> Tensor:
        """Derivative of the log probability of ``spikes`` with respect to the potential ``u`` they were drawn at."""
        drive = torch.sigmoid((u - self.v_threshold) / self.width)
        probability = self.rate_max * drive
        return (1 - drive) / self.width * (spikes - probability) / (1 - probability).clamp_min(1e-12)

    def _draw(self, probability: Tensor) -> Tensor:
        noise = uniform(probability.shape, probability, self.generator)
        return (noise < probability).to(probability.dtype)

    def forward(self, current: Tensor, state: EscapeNoiseState) -> tuple[Tensor, EscapeNoiseState]:
        u = decay_trace(state.u, step_of(current, state), self.decay)
        return self._draw(self.firing_probability(u)), EscapeNoiseState(u)

    def scan(self, current: Tensor, state: EscapeNoiseState, *, reuse: bool = False) -> tuple[Tensor, EscapeNoiseState]:
        current = window_of(current, state)
        if not steps_like(type(self), EscapeNoise):
            return super().scan(current, state)
        u = scan_trace(current, state.u, self.decay)
        return self._draw(self.firing_probability(u)), EscapeNoiseState(u[-1].clone())

    def expect(self, current: Tensor, state: EscapeNoiseState) -> tuple[Tensor, EscapeNoiseState]:
        """Like :meth:`scan`, with each step's firing probability in place of a draw: the mean over the noise."""
        u = scan_trace(window_of(current, state), state.u, self.decay)
        return self.firing_probability(u), EscapeNoiseState(u[-1].clone())
