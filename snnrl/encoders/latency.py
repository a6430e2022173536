"""Time to first spike: the stronger the input, the earlier its one spike."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.encoders.base import Encoder, as_intensities, require_count, require_steps
from snnrl.errors import require
from snnrl.settings import register


class LatencyState(NamedTuple):
    """Latencies need no memory."""


@register("latency")
class LatencyEncoder(Encoder[LatencyState]):
    r"""Each neuron spikes once in a window, at a latency that falls with its intensity ``x``.

    Without ``tau`` the latency is linear over the window of ``T`` steps, ``t = (1 - x) (T - 1)``, rounded to a step
    (Rueckauer & Liu 2018, IEEE ISCAS, "Conversion of analog to spiking neural networks using sparse temporal coding").

    With ``tau`` it is the time at which a leaky membrane under the constant current ``x`` first reaches ``threshold``:
    ``v(t) = x (1 - exp(-t / tau))``, so ``t = tau ln(x / (x - threshold))``, and the spike falls into the step that
    ``t`` lies in (Gerstner & Kistler 2002, Spiking Neuron Models, sec. 4.1; that first spikes suffice: Thorpe, Delorme
    & Van Rullen 2001, Neural Networks 14:715). What would spike after the window's end is silent.

    Intensities up to ``threshold`` are silent.

    Args:
        size: number of values in an observation, one neuron each; numbers with a point are clipped to [0, 1],
            integers above 1, pixels that nobody has divided, are refused.
        sim_steps: length of the window.
        threshold: intensity above which a neuron spikes, in [0, 1), and above 0 with ``tau``.
        tau: membrane time constant in ms, ``None`` for latencies that are linear in the intensity.
        dt: simulation step in ms.

    Raises:
        ConfigError: a value outside the ranges above, or an observation of another size or with NaN.
    """

    takes_intensities = True

    FIXED: ClassVar[tuple[str, ...]] = ("size", "sim_steps", "threshold", "tau", "dt")

    def __init__(
        self, size: int, *, sim_steps: int, threshold: float = 0.01, tau: float | None = None, dt: float = 1.0
    ) -> None:
        super().__init__()
        require_count("size", size, "a positive number of neurons")
        require_steps(sim_steps)
        require(0 <= threshold < 1, "threshold", threshold, "in [0, 1)")
        require(tau is None or (math.isfinite(tau) and tau > 0), "tau", tau, "a positive number of ms, or None")
        require(tau is None or threshold > 0, "threshold", threshold, "above 0, for tau to tell latencies apart")
        require(math.isfinite(dt) and dt > 0, "dt", dt, "a positive number of ms")
        self.size, self.sim_steps, self.threshold, self.tau, self.dt = size, sim_steps, threshold, tau, dt

    def check(self, observation: Tensor) -> None:
        as_intensities(observation, self.size)

    def init_state(self, batch: int) -> LatencyState:
        return LatencyState()

    def latency(self, intensity: Tensor) -> Tensor:
        """The step of the spike ``[batch, size]`` for intensities in [0, 1]; infinite where there is none."""
        if self.tau is None:
            step = torch.round((1 - intensity) * (self.sim_steps - 1))
        else:
            above = (intensity - self.threshold).clamp_min(torch.finfo(intensity.dtype).tiny)
            step = torch.floor(self.tau / self.dt * torch.log(intensity / above))
        return torch.where(intensity > self.threshold, step, math.inf)

    def forward(self, observation: Tensor, state: LatencyState) -> tuple[Tensor, LatencyState]:
        step = self.latency(as_intensities(observation, self.size))
        time = torch.arange(self.sim_steps, device=step.device, dtype=step.dtype)
        return (time.view(-1, 1, 1) == step).to(self.spike_dtype), state
