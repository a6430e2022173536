"""The settings of leaky integrate-and-fire neurons, as compiled loops take them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class LIFWindow:
    """What a window of :func:`~snnrl.kernels.lif_scan` needs besides its input.

    Attributes:
        decay: ``exp(-dt / tau_mem)``, a number or ``[columns]``; likewise all down to ``drop``.
        gain: by which the current is scaled.
        v_rest: potential without input.
        v_threshold: potential at which a spike is fired.
        v_reset: potential after a spike.
        drop: what a spike subtracts with ``soft``.
        soft: subtract ``drop`` in place of setting ``v_reset``.
        refractory_steps: for how many steps a neuron then stays silent.
        surrogate: code of the surrogate derivative, -1 for none.
        slope: its slope.
    """

    decay: float | Tensor
    gain: float | Tensor
    v_rest: float | Tensor
    v_threshold: float | Tensor
    v_reset: float | Tensor
    drop: float | Tensor
    soft: bool
    refractory_steps: int
    surrogate: int = -1
    slope: float = 0.0

    @property
    def _values(self) -> tuple[float | Tensor, ...]:
        return self.decay, self.gain, self.v_rest, self.v_threshold, self.v_reset, self.drop

    @cached_property
    def numbers(self) -> list[np.float32] | None:
        """All down to ``drop`` and ``slope`` in float32; ``None`` where neurons differ, wait, or have no derivative."""
        values = [value for value in (*self._values, self.slope) if not isinstance(value, Tensor)]
        if len(values) <= len(self._values) or self.refractory_steps or self.surrogate < 0:
            return None
        return [np.float32(value) for value in values]

    def over(self, shape: tuple[int, ...]) -> LIFWindow:
        """The window with each setting that differs between neurons as ``[columns]`` of a batch ``shape``."""
        if not any(isinstance(value, Tensor) for value in self._values):
            return self
        decay, gain, v_rest, v_threshold, v_reset, drop = (
            value.expand(shape).flatten() if isinstance(value, Tensor) else value for value in self._values
        )
        others = self.soft, self.refractory_steps, self.surrogate, self.slope
        return LIFWindow(decay, gain, v_rest, v_threshold, v_reset, drop, *others)

    def columns(self, like: Tensor) -> tuple[Tensor, ...]:
        """The six numbers as contiguous ``[columns]`` with the dtype and on the device of ``like``."""
        return tuple(
            value.to(like).expand(like.shape).contiguous()
            if isinstance(value, Tensor)
            else like.new_full(like.shape, value)
            for value in self._values
        )
