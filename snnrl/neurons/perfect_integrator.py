"""Integrate-and-fire neuron without leak."""

from __future__ import annotations

from typing import ClassVar, Literal

from snnrl.neurons.base import SpikingNeuron
from snnrl.neurons.lif import LIF
from snnrl.neurons.settings import Value
from snnrl.settings import register
from snnrl.types import Setting


@register("if")
class IF(LIF):
    r"""Perfect integrator: ``v[t] = v[t-1] + I[t]``, the limit of :class:`LIF` for a long time constant.

    With the soft reset the spike count of a window is the summed current divided by ``v_threshold - v_rest`` to within
    one spike, which is what conversion from rate networks rests on (Rueckauer et al. 2017, Front. Neurosci. 11:682).

    Args:
        shape: shape of the population.
        v_rest: potential at the start, and that from which the soft reset counts.
        v_threshold: potential at which a spike is fired.
        v_reset: potential after a spike when ``reset="hard"``.
        reset: ``"hard"`` or ``"soft"``.
        **common: settings of :class:`~snnrl.neurons.base.SpikingNeuron`; ``v_threshold`` can be learned.

    Raises:
        ConfigError: a threshold that is not above rest and reset.
    """

    LEARNABLE: ClassVar[tuple[str, ...]] = ("v_threshold",)
    LEFT_OUT: ClassVar[tuple[str, ...]] = ("tau_mem", "decay_input")

    def __init__(
        self,
        shape: int | tuple[int, ...],
        *,
        v_rest: Value = 0.0,
        v_threshold: Value = 1.0,
        v_reset: Value = 0.0,
        reset: Literal["hard", "soft"] = "hard",
        **common: Setting,
    ) -> None:
        SpikingNeuron.__init__(self, shape, **common)
        self._set_potentials(v_rest, v_threshold, v_reset, reset)

    @property
    def decay(self) -> Value:
        return 1.0

    @property
    def gain(self) -> Value:
        return 1.0
