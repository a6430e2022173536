"""Leaky integrate-and-fire neuron with a threshold that remembers for life."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from snnrl.errors import require
from snnrl.neurons.base import Neuron, Value
from snnrl.neurons.lif import LIF, LIFState
from snnrl.traces import decay_factor


class DiehlCook(LIF):
    r"""LIF with homeostasis: every spike raises the neuron's own threshold by ``theta_plus``, for life.

    The neuron fires at ``v >= v_threshold + theta``, ``tau_theta dtheta/dt = -theta`` (Diehl & Cook 2015, Front.
    Comput. Neurosci. 9:99, sec. 2.4, with current in place of conductance). ``theta`` belongs to the neuron, not to
    a row of the batch: it adds up the spikes of all rows, stands still in evaluation mode and is saved with the
    weights. It is held in float64, in which so slow a decay can be told from none.

    Args:
        shape: shape of the population.
        theta_plus: rise of the threshold at each spike in mV, at least 0.
        tau_theta: time constant of ``theta`` in ms; ``inf`` for no decay.
        one_spike: of the neurons of a row that reach threshold in one step only the farthest above it fires, a
            winner-take-all; the others keep their potential.
        **settings: those of :class:`~snnrl.neurons.LIF`, with the paper's values as defaults.

    Raises:
        ConfigError: a setting out of range.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ()
    theta: Tensor

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        theta_plus: float = 0.05,
        tau_theta: float = 1e7,
        one_spike: bool = True,
        tau_mem: Value = 100.0,
        v_rest: Value = -65.0,
        v_threshold: Value = -52.0,
        v_reset: Value = -60.0,
        t_refractory: float = 5.0,
        **settings: Any,
    ) -> None:
        super().__init__(
            shape,
            tau_mem=tau_mem,
            v_rest=v_rest,
            v_threshold=v_threshold,
            v_reset=v_reset,
            t_refractory=t_refractory,
            **settings,
        )
        require(math.isfinite(theta_plus) and theta_plus >= 0, "theta_plus", theta_plus, "at least 0, and finite")
        self.theta_plus, self.one_spike = theta_plus, one_spike
        self.theta_decay = 1.0 if tau_theta == float("inf") else decay_factor(tau_theta, self.dt, "tau_theta")
        self.register_buffer("theta", torch.zeros(self.shape, dtype=torch.float64))

    def excess(self, state: LIFState) -> Tensor:
        return state.v - (self.v_threshold + self.theta.to(state.v.dtype))

    def fire(self, excess: Tensor) -> Tensor:
        spikes = super().fire(excess)
        if not self.one_spike:
            return spikes
        flat = excess.detach().flatten(1)
        winner = torch.zeros_like(flat).scatter_(1, flat.argmax(1, keepdim=True), 1.0)
        return spikes * winner.view_as(spikes)

    def forward(self, current: Tensor, state: LIFState) -> tuple[Tensor, LIFState]:
        spikes, after = super().forward(current, state)
        if self.training:
            with torch.no_grad():
                self.theta.mul_(self.theta_decay).add_(spikes.sum(0), alpha=self.theta_plus)
        return spikes, after

    def scan(self, current: Tensor, state: LIFState, *, reuse: bool = False) -> tuple[Tensor, LIFState]:
        return Neuron.scan(self, current, state)
