"""Recording of what a network does, with a bound on memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from snnrl.errors import ConfigError, did_you_mean, require

Recording = dict[str, dict[str, Tensor]]
"""By population and variable: ``[time, batch, *shape]``."""


class Recorder:
    """Collects chosen variables.

    Args:
        wanted: names of variables for each population.
        every: keep every so many steps.
        limit: bytes that the recording may take.

    Raises:
        ConfigError: ``every`` below 1.
    """

    def __init__(self, wanted: Mapping[str, Sequence[str]], every: int, limit: int) -> None:
        require(every >= 1, "record_every", every, "at least 1")
        self.wanted = {name: (names,) if isinstance(names, str) else tuple(names) for name, names in wanted.items()}
        self.every, self.limit = every, limit
        self.done = 0
        self.kept: dict[str, dict[str, list[Tensor]]] = {
            name: {variable: [] for variable in variables} for name, variables in self.wanted.items()
        }

    def check(
        self, shapes: Mapping[str, tuple[int, ...]], names: Sequence[str], states: Sequence[Any], steps: int, batch: int
    ) -> None:
        """Raise :class:`~snnrl.errors.ConfigError` for what does not exist and for what would be too large."""
        fields = dict(zip(names, (state._fields for state in states), strict=True))
        width = dict(zip(names, (state[0].element_size() for state in states), strict=True))
        need = 0
        for name, variables in self.wanted.items():
            if name not in fields:
                raise ConfigError(f"record={name}: {did_you_mean(name, names)}")
            for variable in variables:
                if variable != "spikes" and variable not in fields[name]:
                    raise ConfigError(f"record.{name}={variable}: {did_you_mean(variable, ['spikes', *fields[name]])}")
                need += math.ceil(steps / self.every) * batch * math.prod(shapes[name]) * width[name]
        sizes = f"at least the {need / 1e6:.3g} MB that this needs, or fewer steps by record_every"
        require(need <= self.limit, "record_limit", self.limit, sizes)

    def wants_state(self, name: str) -> bool:
        """Whether variables other than spikes are kept of a population."""
        return any(variable != "spikes" for variable in self.wanted.get(name, ()))

    def take_window(self, name: str, spikes: Tensor) -> None:
        """Keep the spikes ``[time, batch, *shape]`` of the window's steps."""
        if name in self.kept and "spikes" in self.kept[name]:
            first = -self.done % self.every
            self.kept[name]["spikes"].append(spikes[first :: self.every])

    def take_step(self, name: str, step: int, spikes: Tensor, state: Any) -> None:
        """Keep what is wanted of one step of the window."""
        if (self.done + step) % self.every == 0:
            for variable, values in self.kept.get(name, {}).items():
                values.append((spikes if variable == "spikes" else getattr(state, variable)).unsqueeze(0))

    def advance(self, steps: int) -> None:
        """The window is over."""
        self.done += steps

    def stacked(self) -> Recording:
        """All that was kept."""
        return {
            name: {variable: _joined(values) for variable, values in variables.items() if values}
            for name, variables in self.kept.items()
        }


def _joined(pieces: list[Tensor]) -> Tensor:
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)
