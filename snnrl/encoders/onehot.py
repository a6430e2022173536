"""One neuron for each value of a Discrete observation."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.devices import readable
from snnrl.encoders.base import Encoder, FittedEncoder, Window, as_values, regular_spikes, require_count, require_steps
from snnrl.errors import ConfigError, require
from snnrl.settings import register
from snnrl.spaces import Space, name_view

MOST_NUMBERS = 2**17
"""Values, or combinations of them, that have a neuron each at most."""


class OneHotState(NamedTuple):
    """One-hot spikes need no memory."""


@register("one_hot")
class OneHotEncoder(Encoder[OneHotState]):
    """The neuron of the observed value spikes regularly, the others are silent.

    Args:
        count: number of values.
        start: the lowest value.
        sim_steps: length of the window.
        spikes_per_step: rate of the active neuron, in (0, 1].

    Raises:
        ConfigError: a setting out of range, or an observation that is none of the values.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("start", "sim_steps")

    def __init__(self, count: int, *, start: int = 0, sim_steps: int, spikes_per_step: float = 1.0) -> None:
        super().__init__()
        require_count("count", count, "an integer of at least 1")
        require_steps(sim_steps)
        require(0 < spikes_per_step <= 1, "spikes_per_step", spikes_per_step, "in (0, 1]")
        self.size, self.start, self.sim_steps, self.total_rate = count, start, sim_steps, spikes_per_step
        train, _ = regular_spikes(torch.full((1, 1), float(spikes_per_step)), torch.zeros((1, 1)), sim_steps)
        self.register_buffer("_train", train, persistent=False)

    @classmethod
    def for_space(  # type: ignore[override]
        cls, space: Space, window: Window, *, spikes_per_step: float = 1.0
    ) -> FittedEncoder:
        """A neuron for each value of a Discrete observation, or for each combination of several numbers with a name.

        Args:
            space: Discrete, MultiDiscrete, MultiBinary, or a Tuple or Dict of these.
            window: in which a decision is made.
            spikes_per_step: see the class.

        Raises:
            ConfigError: another space, or one of too many values.
        """
        view, count, start = name_view(space, most=MOST_NUMBERS)
        return FittedEncoder(view, cls(count, start=start, sim_steps=window.sim_steps, spikes_per_step=spikes_per_step))

    def check(self, observation: Tensor) -> None:
        self.index(observation)

    def init_state(self, batch: int) -> OneHotState:
        return OneHotState()

    def forward(self, observation: Tensor, state: OneHotState) -> tuple[Tensor, OneHotState]:
        index = self.index(observation).unsqueeze(1)
        active = torch.zeros((len(index), self.size), device=index.device, dtype=self.spike_dtype)
        return self.get_buffer("_train").to(active.dtype) * active.scatter_(1, index, 1), state

    def index(self, observation: Tensor) -> Tensor:
        """The neuron of each observation, ``[batch]`` int64.

        Raises:
            ConfigError: an observation that is none of the values.
        """
        given = observation.reshape(1) if observation.dim() == 0 else observation
        if given.is_floating_point():
            given = as_values(given, 1)
        values = given.reshape(len(given), -1).long()
        if values.shape[1] != 1:
            raise ConfigError(f"observation={list(given.shape)}: must be [batch], one value of each")
        wrong = (values < self.start) | (values >= self.start + self.size)
        if given.is_floating_point():
            wrong |= values != given
        if readable(given) and bool(wrong.any()):
            first = given.reshape(-1)[int(wrong.nonzero()[0, 0])].item()
            raise ConfigError(
                f"observation={first}: must be an integer from {self.start} to {self.start + self.size - 1}"
            )
        return values[:, 0] - self.start
