"""Leaky integrate-and-fire neuron, integrated exactly."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from snnrl.errors import require
from snnrl.neurons.base import Neuron
from snnrl.traces import decay_factor


class LIFState(NamedTuple):
    """State of :class:`LIF`, each ``[batch, *shape]``."""

    v: Tensor
    """Membrane potential."""
    refractory: Tensor
    """Simulation steps for which the neuron stays silent."""


class LIF(Neuron[LIFState]):
    r"""Leaky integrate-and-fire: ``tau_mem dv/dt = -(v - v_rest) + I``.

    With the current constant over a step the solution is exact::

        v[t] = v_rest + (v[t-1] - v_rest) exp(-dt / tau_mem) + (1 - exp(-dt / tau_mem)) I[t]

    A neuron with ``v >= v_threshold`` spikes, is reset, and neither integrates nor spikes for ``t_refractory`` ms
    (Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, sec. 1.3).

    Args:
        shape: shape of the population.
        tau_mem: membrane time constant in ms.
        v_rest: potential without input.
        v_threshold: potential at which a spike is fired; above ``v_rest`` and ``v_reset``.
        v_reset: potential after a spike when ``reset="hard"``.
        reset: ``"hard"`` sets ``v`` to ``v_reset``, ``"soft"`` subtracts ``v_threshold - v_rest``.
        t_refractory: absolute refractory period in ms, rounded to whole steps.
        dt: simulation step in ms.

    Raises:
        ConfigError: a time constant shorter than ``dt``, or a threshold that is not above rest and reset.
    """

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_mem: float = 20.0,
        v_rest: float = 0.0,
        v_threshold: float = 1.0,
        v_reset: float = 0.0,
        reset: Literal["hard", "soft"] = "hard",
        t_refractory: float = 0.0,
        dt: float = 1.0,
    ) -> None:
        super().__init__(shape)
        self.decay = decay_factor(tau_mem, dt, "tau_mem")
        require(v_threshold > max(v_rest, v_reset), "v_threshold", v_threshold, f"above {max(v_rest, v_reset)}")
        require(reset in ("hard", "soft"), "reset", reset, "hard or soft")
        require(math.isfinite(t_refractory) and t_refractory >= 0, "t_refractory", t_refractory, "at least 0 ms")
        self.v_rest, self.v_threshold, self.v_reset = v_rest, v_threshold, v_reset
        self.reset = reset
        self.refractory_steps = math.floor(t_refractory / dt + 0.5)

    def init_state(self, batch: int) -> LIFState:
        return LIFState(v=self._zeros(batch) + self.v_rest, refractory=self._zeros(batch))

    def forward(self, current: Tensor, state: LIFState) -> tuple[Tensor, LIFState]:
        awake = state.refractory <= 0
        v = torch.where(awake, self.v_rest + (state.v - self.v_rest) * self.decay + (1 - self.decay) * current, state.v)
        fired = awake & (v >= self.v_threshold)
        after = v - (self.v_threshold - self.v_rest) if self.reset == "soft" else torch.full_like(v, self.v_reset)
        refractory = torch.where(fired, float(self.refractory_steps), (state.refractory - 1).clamp_min(0))
        return fired.to(v.dtype), LIFState(torch.where(fired, after, v), refractory)
