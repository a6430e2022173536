"""Recording of what a network does, with a bound on memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral

import torch
from torch import Tensor

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.settings import is_whole
from snnrl.state import State

Recording = dict[str, dict[str, Tensor]]
"""By population and variable ``[time, batch, *shape]``; by connection and ``weight`` ``[time, *weight_shape]``."""


class Recorder:
    """Collects chosen variables.

    Args:
        wanted: names of variables for each population, and ``weight`` for connections.
        every: keep every so many steps.
        limit: bytes that the recording may take.

    Raises:
        ConfigError: what is no such thing, or ``every`` below 1.
    """

    def __init__(self, wanted: Mapping[str, Sequence[str]], every: int, limit: int) -> None:
        named = isinstance(wanted, Mapping) and all(isinstance(names, Iterable) for names in wanted.values())
        require(named, "record", wanted, "names of variables for each population, {'hidden': ['spikes', 'v']}")
        require(is_whole(every, 1), "record_every", every, "at least 1")
        sized = isinstance(limit, int | float | Integral) and not math.isnan(limit)
        require(sized, "record_limit", limit, "a number of bytes")
        self.wanted = {name: (names,) if isinstance(names, str) else tuple(names) for name, names in wanted.items()}
        self.every, self.limit = every, limit
        self.done = 0
        self.kept: dict[str, dict[str, _Track]] = {}
        self._weights: Mapping[str, Tensor] = {}

    def check(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        names: Sequence[str],
        states: State,
        weights: Mapping[str, Tensor],
        steps: int,
        batch: int,
    ) -> None:
        """Raise :class:`~snnrl.errors.ConfigError` for what does not exist and for what would be too large."""
        self._weights = weights
        fields = dict(zip(names, (state._fields for state in states), strict=True))
        state_of = dict(zip(names, states, strict=True))
        kept, need = math.ceil(steps / self.every), 0
        for name, variables in self.wanted.items():
            if name in weights:
                for variable in variables:
                    if variable != "weight":
                        raise ConfigError(f"record.{name}={variable}: {did_you_mean(variable, ['weight'])}")
                    need += kept * weights[name].nbytes
                continue
            if name not in fields:
                raise ConfigError(f"record={name}: {did_you_mean(name, [*names, *weights])}")
            for variable in variables:
                if variable != "spikes" and variable not in fields[name]:
                    raise ConfigError(f"record.{name}={variable}: {did_you_mean(variable, ['spikes', *fields[name]])}")
                like = state_of[name][0] if variable == "spikes" else getattr(state_of[name], variable)
                need += kept * batch * math.prod(shapes[name]) * like.element_size()
        sizes = f"at least the {need / 1e6:.3g} MB that this needs, or fewer steps by record_every"
        require(need <= self.limit, "record_limit", self.limit, sizes)
        self.kept = {name: {variable: _Track(kept) for variable in known} for name, known in self.wanted.items()}

    def wants_state(self, name: str) -> bool:
        """Whether variables other than spikes are kept of a population."""
        return any(variable != "spikes" for variable in self.wanted.get(name, ()))

    def take_window(self, name: str, spikes: Tensor) -> None:
        """Keep the spikes ``[time, batch, *shape]`` of the window's steps."""
        if name in self.kept and "spikes" in self.kept[name]:
            first = -self.done % self.every
            self.kept[name]["spikes"].add(spikes[first :: self.every], whole=self.every == 1)

    def take_step(self, name: str, step: int, spikes: Tensor, state: object) -> None:
        """Keep what is wanted of one step of the window."""
        if (self.done + step) % self.every == 0:
            for variable, track in self.kept.get(name, {}).items():
                value = spikes if variable == "spikes" else getattr(state, variable)
                track.add(value.unsqueeze(0), whole=True)

    def take_weights(self, steps: int) -> None:
        """Keep the weights during the window's steps, before rules change them at its end."""
        kept = len(range(-self.done % self.every, steps, self.every))
        for name in self.wanted:
            if kept and name in self._weights and "weight" in self.kept[name]:
                weight = self._weights[name].detach()
                self.kept[name]["weight"].add(weight.expand(kept, *weight.shape), whole=False)

    def advance(self, steps: int) -> None:
        """The window is over."""
        self.done += steps

    def stacked(self) -> Recording:
        """All that was kept."""
        return {
            name: {variable: track.joined() for variable, track in tracks.items() if track.done}
            for name, tracks in self.kept.items()
        }


class _Track:
    """What is kept of one variable, in memory of its own that holds so many steps and no more."""

    def __init__(self, steps: int) -> None:
        self.steps, self.done = steps, 0
        self._memory: Tensor | None = None
        self._pieces: list[Tensor] = []

    def add(self, values: Tensor, *, whole: bool) -> None:
        """Keep ``[time, batch, *shape]``, which are the ``whole`` of the steps that their memory holds or some of them.

        What a gradient passes through is joined at the end, since writing each piece would cost its way back as much
        as all of them. A window that is all there will be is not copied.
        """
        time = len(values)
        self.done += time
        if not time:
            return
        if self._memory is None and (values.requires_grad or self._pieces or (whole and time == self.steps)):
            self._pieces.append(values if whole else values.clone())
            return
        if self._memory is None:
            self._memory = values.new_empty((self.steps, *values.shape[1:]))
        self._memory[self.done - time : self.done] = values

    def joined(self) -> Tensor:
        """All steps."""
        if self._memory is not None:
            return self._memory
        return self._pieces[0] if len(self._pieces) == 1 else torch.cat(self._pieces)
