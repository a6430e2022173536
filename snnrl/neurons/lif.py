"""Leaky integrate-and-fire neuron, integrated exactly."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from snnrl.errors import require
from snnrl.kernels import LIFWindow, lif_scan
from snnrl.kernels.plain import needs_torch
from snnrl.neurons.base import S, SpikingNeuron, step_of, steps_like, window_of
from snnrl.neurons.settings import POTENTIAL, Limits, Value, above, below, larger
from snnrl.settings import register
from snnrl.traces import scan_trace
from snnrl.types import Setting


class LIFState(NamedTuple):
    """State of :class:`LIF`, each ``[batch, *shape]``."""

    v: Tensor
    """Membrane potential."""
    refractory: Tensor
    """Simulation steps for which the neuron stays silent."""
    trace: Tensor
    """Trace of its spikes; ``[batch, 0]`` without ``tau_trace``."""


class LeakyMembrane(SpikingNeuron[S]):
    r"""The membrane of :class:`LIF` and its relatives, with the two ways in which a spike resets it.

    Args:
        shape: shape of the population.
        tau_mem: membrane time constant in ms.
        v_rest: potential without input.
        v_threshold: potential at which a spike is fired; above ``v_rest`` and ``v_reset``.
        v_reset: potential after a spike when ``reset="hard"``.
        reset: ``"hard"`` sets ``v`` to ``v_reset``, ``"soft"`` subtracts ``v_threshold - v_rest``.
        decay_input: ``False`` leaves out the factor of ``I[t]``: a synapse's weight is then the jump of the potential.
        **common: settings of :class:`~snnrl.neurons.base.SpikingNeuron`; ``tau_mem`` and ``v_threshold`` can be
            learned.

    Raises:
        ConfigError: a time constant shorter than ``dt``, or a threshold that is not above rest and reset.
    """

    FIXED: ClassVar[tuple[str, ...]] = (*SpikingNeuron.FIXED, "reset")
    LEARNABLE: ClassVar[tuple[str, ...]] = ("tau_mem", "v_threshold")
    tau_mem: Value
    v_rest: Value
    v_threshold: Value
    v_reset: Value
    _compiled: LIFWindow | None = None

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name != "_compiled":
            self.__dict__.pop("_compiled", None)

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        tau_mem: Value = 20.0,
        v_rest: Value = 0.0,
        v_threshold: Value = 1.0,
        v_reset: Value = 0.0,
        reset: Literal["hard", "soft"] = "hard",
        decay_input: bool = True,
        **common: Setting,
    ) -> None:
        super().__init__(shape, **common)
        self.set_value("tau_mem", tau_mem)
        self._set_potentials(v_rest, v_threshold, v_reset, reset)
        self.decay_input = decay_input

    def _set_potentials(self, v_rest: Value, v_threshold: Value, v_reset: Value, reset: str) -> None:
        require(reset in ("hard", "soft"), "reset", reset, "hard or soft")
        self.set_value("v_rest", v_rest)
        self.set_value("v_reset", v_reset)
        self.set_value("v_threshold", v_threshold)
        self.soft_reset = reset == "soft"

    def limits(self, name: str) -> Limits:
        if name == "v_threshold":
            return above(larger(self.v_rest, self.v_reset))
        if name in ("v_rest", "v_reset"):
            known = "v_threshold" in self._settings
            return below(self.value("v_threshold"), "below v_threshold ({high})") if known else POTENTIAL
        return super().limits(name)

    @property
    def decay(self) -> Value:
        """The factor by which the distance from rest shrinks in one step."""
        return self.decay_of("tau_mem")

    @property
    def gain(self) -> Value:
        """The factor of the current."""
        return self.loss_of("tau_mem") if self.decay_input else 1.0

    def _charged(self, v: Tensor, current: Tensor) -> Tensor:
        """The potential after one step of ``current``."""
        return self.v_rest + (v - self.v_rest) * self.decay + self.gain * current

    def _lowered(self, v: Tensor, spikes: Tensor) -> Tensor:
        """The potential ``v`` after ``spikes``."""
        lowered = v - (self.value("v_threshold") - self.v_rest) if self.soft_reset else self.v_reset
        return torch.where(spikes > 0, lowered, v)

    def above_threshold(self, current: Tensor, state: S) -> Tensor:
        """How far above threshold ``current`` takes it in this step, ``[batch, *shape]``; -inf while refractory.

        For rules that weigh by how near a neuron was to a spike; :meth:`forward` fires where it is 0 or more.
        """
        before: Any = state  # whose leaves a NamedTuple of any kind does not tell
        excess = self.excess(self.charge(step_of(current, state), state))
        return excess.masked_fill(before.refractory > 0, -torch.inf) if self.refractory_steps else excess

    def _window(self, model: type) -> LIFWindow | None:
        """The settings as compiled loops for ``model`` take them.

        ``None`` where a gradient trains one of them, and for a model derived from ``model`` that steps otherwise.
        """
        if self._compiled is not None:
            return self._compiled
        if self.learnable or needs_torch() or not steps_like(type(self), model):
            return None
        window = self._settings_of_window()
        differing = (window.decay, window.v_rest, window.v_threshold, window.v_reset)
        if not any(isinstance(setting, Tensor) for setting in differing):
            self._compiled = window  # tensors may be written to, numbers may not
        return window

    def _settings_of_window(self) -> LIFWindow:
        return LIFWindow(
            decay=self.decay,
            gain=self.gain,
            v_rest=self.v_rest,
            v_threshold=self.v_threshold,
            v_reset=self.v_reset,
            drop=self.v_threshold - self.v_rest,
            soft=self.soft_reset,
            refractory_steps=self.refractory_steps,
            surrogate=-1 if self.surrogate is None else self.surrogate.kernel_code,
            slope=0.0 if self.surrogate is None else self.surrogate.slope,
        )

    def _scan_membrane(
        self, window: LIFWindow | None, current: Tensor, v: Tensor, refractory: Tensor, reuse: bool
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """Spikes, potential and refractory steps after a window by the kernel, or ``None`` where there is none."""
        if window is None:
            return None
        window = window.over(v.shape)
        scanned = lif_scan(current.flatten(1), v.flatten(), refractory.flatten(), window, reuse=reuse)
        if scanned is None:
            return None
        spikes, after, silent = scanned
        return spikes.view_as(current), after.view_as(v), silent.view_as(refractory)

    def _scan_own_trace(self, spikes: Tensor, trace: Tensor) -> Tensor:
        return trace if self.trace_decay is None else scan_trace(spikes, trace, self.trace_decay)[-1].clone()


@register("lif")
class LIF(LeakyMembrane[LIFState]):
    r"""Leaky integrate-and-fire: ``tau_mem dv/dt = -(v - v_rest) + I``.

    With the current constant over a step the solution is exact::

        v[t] = v_rest + (v[t-1] - v_rest) exp(-dt / tau_mem) + (1 - exp(-dt / tau_mem)) I[t]

    A neuron with ``v >= v_threshold`` spikes, is reset, and neither integrates nor spikes for ``t_refractory`` ms
    (Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, sec. 1.3).

    Settings and errors are those of :class:`LeakyMembrane`: ``tau_mem``, ``v_rest``, ``v_threshold``, ``v_reset``,
    ``reset``, ``decay_input``, and of :class:`~snnrl.neurons.base.SpikingNeuron`: ``t_refractory``, ``tau_trace``,
    ``surrogate``, ``learnable``, ``dt``.
    """

    def window(self) -> LIFWindow | None:
        """The settings as compiled loops take them; ``None`` where a loop over steps is needed."""
        return self._window(LIF)

    def init_state(self, batch: int) -> LIFState:
        return LIFState(v=self.zeros(batch) + self.v_rest, **self.shared_leaves(batch))

    def charge(self, current: Tensor, state: LIFState) -> LIFState:
        return state._replace(v=self._charged(state.v, current))

    def excess(self, state: LIFState) -> Tensor:
        return state.v - self.value("v_threshold")

    def reset(self, state: LIFState, spikes: Tensor) -> LIFState:
        return state._replace(v=self._lowered(state.v, spikes))

    def scan(self, current: Tensor, state: LIFState, *, reuse: bool = False) -> tuple[Tensor, LIFState]:
        current = window_of(current, state)
        scanned = self._scan_membrane(self.window(), current, state.v, state.refractory, reuse)
        if scanned is None:
            return super().scan(current, state)
        spikes, v, refractory = scanned
        return spikes, LIFState(v, refractory, self._scan_own_trace(spikes, state.trace))
