"""Leaky integrate-and-fire neuron with a threshold that remembers for life."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor

from snnrl.errors import require
from snnrl.kernels.adaptive_step import AdaptiveStep, adaptive_step
from snnrl.kernels.competition import WinnerTakeAll
from snnrl.kernels.plain import takes_loop
from snnrl.neurons.base import Neuron, step_of
from snnrl.neurons.lif import LIF, LIFState
from snnrl.neurons.settings import Limits, Value, at_least
from snnrl.settings import register
from snnrl.types import Setting


@register("diehl_cook")
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
        v_inhibited: to what a spike sets the potential of all other neurons of its row, in mV: lateral inhibition that
            lets one neuron fire at a time; ``None`` for none.
        one_spike: of the neurons of a row that reach threshold in one step only the farthest above it fires, a
            winner-take-all; the others keep their potential.
        **settings: those of :class:`~snnrl.neurons.LIF`, with the paper's values as defaults.

    Raises:
        ConfigError: a setting out of range.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ()
    theta: Tensor
    theta_plus: float
    tau_theta: float

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        theta_plus: float = 0.05,
        tau_theta: float = 1e7,
        v_inhibited: float | None = None,
        one_spike: bool = True,
        tau_mem: Value = 100.0,
        v_rest: Value = -65.0,
        v_threshold: Value = -52.0,
        v_reset: Value = -60.0,
        t_refractory: float = 5.0,
        **settings: Setting,
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
        self.set_value("theta_plus", theta_plus, per_neuron=False)
        self.set_value("tau_theta", tau_theta, per_neuron=False)
        self.one_spike, self.v_inhibited = one_spike, v_inhibited
        self.register_buffer("theta", torch.zeros(self.shape, dtype=torch.float64))

    def limits(self, name: str) -> Limits:
        if name == "theta_plus":
            return at_least(0, "at least 0, and finite")
        limits = super().limits(name)
        return limits._replace(finite=False) if name == "tau_theta" else limits

    @property
    def theta_decay(self) -> float:
        """The factor by which ``theta`` shrinks in one step."""
        return math.exp(-self.dt / self.tau_theta)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """As in torch, but that ``theta`` keeps its dtype where others are converted."""
        kept = self.theta
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.theta.dtype != kept.dtype:
            self.theta = kept.to(self.theta.device)
        return self

    def excess(self, state: LIFState) -> Tensor:
        return state.v - (self.v_threshold + self.theta.to(state.v.dtype))

    def reset(self, state: LIFState, spikes: Tensor) -> LIFState:
        after = super().reset(state, spikes)
        if self.v_inhibited is None:
            return after
        others = (spikes == 0) & (spikes.flatten(1) > 0).any(1).view(-1, *[1] * len(self.shape))
        return after._replace(v=torch.where(others, self.v_inhibited, after.v))

    def competition(self, steps: int) -> WinnerTakeAll:
        """The settings as the loops of :mod:`snnrl.kernels.competition` take them; potentials are above rest.

        The loops find which neuron of a row fires in each of ``steps`` steps from rest, while ``theta`` stands still.

        Raises:
            ConfigError: neurons that do not compete, a refractory period, or settings that differ between neurons.
        """
        require(self.one_spike, "one_spike", self.one_spike, "true, for a winner in each step")
        require(self.v_inhibited is not None, "v_inhibited", None, "a potential, for a winner in each step")
        require(self.refractory_steps == 0, "t_refractory", self.t_refractory, "0, for a winner in each step")
        require(not self.soft_reset, "reset", "soft", "hard, for a winner in each step")
        require(not self.decay_input, "decay_input", self.decay_input, "false, for a winner in each step")
        decay, rest, threshold, after = self.decay, self.v_rest, self.v_threshold, self.v_reset
        for name, value in (("tau_mem", decay), ("v_rest", rest), ("v_threshold", threshold), ("v_reset", after)):
            require(not isinstance(value, Tensor), name, value, "the same for all neurons, for a winner in each step")
        assert self.v_inhibited is not None
        rest, potentials = float(rest), (float(threshold), float(after), self.v_inhibited)
        return WinnerTakeAll(steps, float(decay), *(each - rest for each in potentials))

    def adapt_(self, neurons: Tensor, spikes: Tensor, theta_plus: float) -> None:
        """Raise the thresholds of ``neurons`` for their ``spikes``, in the precision of these, when a batch is over."""
        self.theta[neurons] = (self.theta[neurons].to(spikes.dtype) + theta_plus * spikes).to(self.theta.dtype)

    def fire(self, excess: Tensor) -> Tensor:
        spikes = super().fire(excess)
        if not self.one_spike:
            return spikes
        flat = excess.detach().flatten(1)
        winner = torch.zeros_like(flat).scatter_(1, flat.argmax(1, keepdim=True), 1.0)
        return spikes * winner.view_as(spikes)

    def forward(self, current: Tensor, state: LIFState) -> tuple[Tensor, LIFState]:
        stepped = self._at_once(step_of(current, state), state)
        spikes, after = super().forward(current, state) if stepped is None else stepped
        if self.training:
            with torch.no_grad():
                self.theta.mul_(self.theta_decay).add_(spikes.sum(0), alpha=self.theta_plus)
        return spikes, after

    def _at_once(self, current: Tensor, state: LIFState) -> tuple[Tensor, LIFState] | None:
        """The step by a compiled loop, but for ``theta``; ``None`` where operations of torch are needed."""
        plain = type(self) is DiehlCook and self.surrogate is None and self.trace_decay is None
        if not (plain and takes_loop(current, state.v, state.refractory)):
            return None
        values = self.decay, self.v_rest, self.gain, self.v_threshold, self.v_reset
        if any(isinstance(value, Tensor) for value in values):
            return None
        decay, rest, gain, threshold, low = map(float, values)
        inhibited = math.nan if self.v_inhibited is None else float(self.v_inhibited)
        ends = threshold - rest if self.soft_reset else low, inhibited, float(self.refractory_steps)
        settings = AdaptiveStep(decay, rest, gain, threshold, *ends, self.soft_reset, self.one_spike)
        spikes, v, refractory = adaptive_step(
            current, state.v, state.refractory, self.theta.to(state.v.dtype), settings
        )
        return spikes, state._replace(v=v, refractory=refractory)

    def scan(self, current: Tensor, state: LIFState, *, reuse: bool = False) -> tuple[Tensor, LIFState]:
        return Neuron.scan(self, current, state)
