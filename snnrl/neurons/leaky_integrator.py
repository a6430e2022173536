"""Readout without spikes."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.neurons.base import step_of, steps_like, window_of
from snnrl.neurons.lif import LeakyMembrane
from snnrl.neurons.settings import Value
from snnrl.settings import refuse_unknown, register
from snnrl.traces import scan_trace
from snnrl.types import Setting


class LeakyIntegratorState(NamedTuple):
    """State of :class:`LeakyIntegrator`."""

    v: Tensor
    """Membrane potential ``[batch, *shape]``."""


@register("leaky_integrator")
class LeakyIntegrator(LeakyMembrane[LeakyIntegratorState]):
    r"""A membrane that is read instead of firing: ``tau_mem dv/dt = -v + I``, and the output is ``v``.

    The readout of networks trained by gradient (Bellec et al. 2020, Nat. Commun. 11:3625, eq. 11). In place of spikes,
    ``forward`` and ``scan`` return the potential after each step.

    Args:
        shape: shape of the population.
        tau_mem: membrane time constant in ms.
        decay_input: ``False`` leaves out the factor of the current, as in :class:`~snnrl.neurons.LIF`.
        learnable: ``("tau_mem",)`` makes the time constant a parameter.
        dt: simulation step in ms.

    Raises:
        ConfigError: a time constant shorter than ``dt``.
    """

    FIRES: ClassVar[bool] = False
    LEARNABLE: ClassVar[tuple[str, ...]] = ("tau_mem",)
    LEFT_OUT: ClassVar[tuple[str, ...]] = (
        *("v_rest", "v_threshold", "v_reset", "reset"),
        *("t_refractory", "tau_trace", "surrogate"),
    )

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_mem: Value = 20.0,
        decay_input: bool = True,
        learnable: Collection[str] = (),
        dt: float = 1.0,
        **unknown: Setting,
    ) -> None:
        refuse_unknown(type(self), unknown)
        super().__init__(shape, tau_mem=tau_mem, decay_input=decay_input, learnable=learnable, dt=dt)

    def init_state(self, batch: int) -> LeakyIntegratorState:
        return LeakyIntegratorState(self.zeros(batch))

    def forward(self, current: Tensor, state: LeakyIntegratorState) -> tuple[Tensor, LeakyIntegratorState]:
        after = self.charge(step_of(current, state), state)
        return after.v, after

    def charge(self, current: Tensor, state: LeakyIntegratorState) -> LeakyIntegratorState:
        return LeakyIntegratorState(state.v * self.decay + self.gain * current)

    def excess(self, state: LeakyIntegratorState) -> Tensor:
        return torch.full_like(state.v, -torch.inf)

    def reset(self, state: LeakyIntegratorState, spikes: Tensor) -> LeakyIntegratorState:
        return state

    def scan(
        self, current: Tensor, state: LeakyIntegratorState, *, reuse: bool = False
    ) -> tuple[Tensor, LeakyIntegratorState]:
        current, decay = window_of(current, state), self.decay
        if isinstance(decay, Tensor) or not steps_like(type(self), LeakyIntegrator):
            return super().scan(current, state)
        v = scan_trace(self.gain * current, state.v, decay)
        return v, LeakyIntegratorState(v[-1].clone())
