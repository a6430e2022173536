"""Events of change: what stays as it is stays silent."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.encoders.base import Encoder, as_values, require_count, require_rows, require_steps
from snnrl.errors import require
from snnrl.settings import register


class DeltaState(NamedTuple):
    """State of :class:`DeltaEncoder`."""

    reference: Tensor
    """``[batch, values]`` float64: what the spikes so far come to."""
    begun: Tensor
    """``[batch, 1]`` bool: whether an observation has been seen in this episode."""


@register("delta")
class DeltaEncoder(Encoder[DeltaState]):
    """Two neurons for each value, one that tells of its rise and one of its fall, as the pixels of an event camera do.

    A value that differs from its reference by ``n`` thresholds gives ``n`` spikes, at the first ``n`` steps of the
    window, and its reference follows by ``n`` thresholds (send-on-delta sampling: Miskowicz 2006, Sensors 6:49; event
    camera: Lichtsteiner, Posch & Delbruck 2008, IEEE J. Solid-State Circuits 43:566, who take the logarithm of the
    intensity first). So the spikes, ON less OFF and times ``threshold``, add up to the value's course to within one
    threshold; what a window is too short for comes with the next. The first observation of an episode is the reference
    and gives no spikes.

    Neurons ``0 .. values - 1`` are ON, the rest OFF, in the order of the values.

    Args:
        values: number of values in an observation; of any range.
        sim_steps: length of the window, and the most spikes of a neuron in it.
        threshold: change that is worth a spike, above 0.

    Raises:
        ConfigError: a value outside the ranges above, or an observation of another size or with NaN.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("values", "sim_steps", "threshold")

    def __init__(self, values: int, *, sim_steps: int, threshold: float) -> None:
        super().__init__()
        require_count("values", values, "a positive number of values")
        require_steps(sim_steps)
        require(math.isfinite(threshold) and threshold > 0, "threshold", threshold, "above 0")
        self.values, self.size, self.sim_steps, self.threshold = values, 2 * values, sim_steps, threshold
        self.register_buffer("_start", torch.zeros((1, values), dtype=torch.float64), persistent=False)

    def check(self, observation: Tensor) -> None:
        as_values(observation, self.values)

    def init_state(self, batch: int) -> DeltaState:
        start = self.get_buffer("_start")
        return DeltaState(start.repeat(batch, 1), torch.zeros((batch, 1), dtype=torch.bool, device=start.device))

    def forward(self, observation: Tensor, state: DeltaState) -> tuple[Tensor, DeltaState]:
        values = as_values(observation, self.values).to(torch.float64)
        require_rows(state.begun, len(values))
        reference = torch.where(state.begun, state.reference, values)
        change = torch.trunc((values - reference) / self.threshold).clamp(-self.sim_steps, self.sim_steps)
        counts = torch.cat([change.clamp_min(0), (-change).clamp_min(0)], dim=1)
        time = torch.arange(self.sim_steps, device=counts.device, dtype=counts.dtype)
        spikes = (time.view(-1, 1, 1) < counts).to(self.spike_dtype)
        return spikes, DeltaState(reference + change * self.threshold, torch.ones_like(state.begun))
