"""The threshold unit."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from torch import Tensor

from snnrl.neurons.base import SpikingNeuron
from snnrl.neurons.settings import Limits, Value
from snnrl.settings import register
from snnrl.types import Setting


class McCullochPittsState(NamedTuple):
    """State of :class:`McCullochPitts`, each ``[batch, *shape]``."""

    v: Tensor
    """The last input."""
    refractory: Tensor
    """Simulation steps for which the neuron stays silent."""
    trace: Tensor
    """Trace of its spikes; ``[batch, 0]`` without ``tau_trace``."""


@register("mcculloch_pitts")
class McCullochPitts(SpikingNeuron[McCullochPittsState]):
    """A unit without memory: it fires when its input reaches the threshold.

    McCulloch & Pitts 1943, Bull. Math. Biophys. 5:115.

    Args:
        shape: shape of the population.
        v_threshold: input at which it fires.
        **common: settings of :class:`~snnrl.neurons.base.SpikingNeuron`; ``v_threshold`` can be learned.

    Raises:
        ConfigError: a threshold that is not finite.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ("v_threshold",)
    v_threshold: Value

    def __init__(self, shape: int | tuple[int, ...], *, v_threshold: Value = 1.0, **common: Setting) -> None:
        super().__init__(shape, **common)
        self.set_value("v_threshold", v_threshold)

    def limits(self, name: str) -> Limits:
        return Limits("a finite input") if name == "v_threshold" else super().limits(name)

    def init_state(self, batch: int) -> McCullochPittsState:
        return McCullochPittsState(v=self.zeros(batch), **self.shared_leaves(batch))

    def charge(self, current: Tensor, state: McCullochPittsState) -> McCullochPittsState:
        return state._replace(v=current)

    def excess(self, state: McCullochPittsState) -> Tensor:
        return state.v - self.value("v_threshold")

    def reset(self, state: McCullochPittsState, spikes: Tensor) -> McCullochPittsState:
        return state
