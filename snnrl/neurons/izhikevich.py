"""Izhikevich's two-variable neuron."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.neurons.base import SpikingNeuron
from snnrl.neurons.settings import Limits, Value, below
from snnrl.settings import register
from snnrl.types import Setting

PATTERNS: dict[str, tuple[float, float, float, float]] = {
    "regular_spiking": (0.02, 0.2, -65.0, 8.0),
    "intrinsically_bursting": (0.02, 0.2, -55.0, 4.0),
    "chattering": (0.02, 0.2, -50.0, 2.0),
    "fast_spiking": (0.1, 0.2, -65.0, 2.0),
    "low_threshold_spiking": (0.02, 0.25, -65.0, 2.0),
    "thalamo_cortical": (0.02, 0.25, -65.0, 0.05),
    "resonator": (0.1, 0.26, -65.0, 2.0),
}
"""``a, b, c, d`` of the firing patterns in fig. 2 of the paper."""


class IzhikevichState(NamedTuple):
    """State of :class:`Izhikevich`, each ``[batch, *shape]``."""

    v: Tensor
    """Membrane potential in mV."""
    u: Tensor
    """Recovery variable."""
    refractory: Tensor
    """Simulation steps for which the neuron stays silent."""
    trace: Tensor
    """Trace of its spikes; ``[batch, 0]`` without ``tau_trace``."""


@register("izhikevich")
class Izhikevich(SpikingNeuron[IzhikevichState]):
    r"""``dv/dt = 0.04 v^2 + 5 v + 140 - u + I``, ``du/dt = a (b v - u)``, v in mV and t in ms.

    At ``v >= 30`` mV the neuron spikes, ``v = c`` and ``u = u + d`` (Izhikevich 2003, IEEE Trans. Neural Netw.
    14:1569). A step is integrated as in the paper's program: two Euler half steps of ``v``, then one Euler step of
    ``u``. At the paper's ``dt`` of 1 ms the fast patterns are irregular; from 0.25 ms on they look as in its figures.

    Args:
        shape: shape of the population.
        a: rate of recovery in 1/ms.
        b: sensitivity of the recovery to ``v``.
        c: potential after a spike in mV, below 30.
        d: rise of ``u`` at a spike.
        **common: settings of :class:`~snnrl.neurons.base.SpikingNeuron`; ``a, b, c, d`` can be learned.

    Raises:
        ConfigError: a value that is not finite, ``c`` not below 30 mV, or ``dt`` above 1 ms.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ("a", "b", "c", "d")
    HELD: ClassVar[tuple[str, ...]] = ("v", "u")
    V_PEAK = 30.0
    a: Value
    b: Value
    c: Value
    d: Value

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        a: Value = 0.02,
        b: Value = 0.2,
        c: Value = -65.0,
        d: Value = 8.0,
        **common: Setting,
    ) -> None:
        super().__init__(shape, **common)
        require(self.dt <= 1.0, "dt", self.dt, "at most 1 ms, the step of the paper")
        for name, value in (("a", a), ("b", b), ("c", c), ("d", d)):
            self.set_value(name, value)

    def limits(self, name: str) -> Limits:
        return below(self.V_PEAK, "below the peak of {high} mV") if name == "c" else super().limits(name)

    @classmethod
    def of_pattern(cls, shape: int | tuple[int, ...], pattern: str, **common: Setting) -> Izhikevich:
        """A population with the values of a firing pattern in :data:`PATTERNS`.

        Raises:
            ConfigError: no such pattern.
        """
        if pattern not in PATTERNS:
            raise ConfigError(f"pattern={pattern}: {did_you_mean(pattern, PATTERNS)}")
        a, b, c, d = PATTERNS[pattern]
        return cls(shape, a=a, b=b, c=c, d=d, **common)

    def init_state(self, batch: int) -> IzhikevichState:
        v = self.zeros(batch) - 65.0
        return IzhikevichState(v=v, u=self.b * v, **self.shared_leaves(batch))

    def charge(self, current: Tensor, state: IzhikevichState) -> IzhikevichState:
        v, u, half = state.v, state.u, self.dt / 2
        for _ in range(2):
            v = v + half * (0.04 * v * v + 5 * v + 140 - u + current)
        return state._replace(v=v, u=u + self.dt * self.a * (self.b * v - u))

    def excess(self, state: IzhikevichState) -> Tensor:
        return state.v - self.V_PEAK

    def reset(self, state: IzhikevichState, spikes: Tensor) -> IzhikevichState:
        c = self.value("c")
        v = torch.where(spikes > 0, c.to(state.v) if isinstance(c, Tensor) else c, state.v)
        return state._replace(v=v, u=state.u + self.d * spikes)
