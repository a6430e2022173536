"""From single decisions to a :class:`Trace`, within a bound on memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.errors import require
from snnrl.spaces import split
from snnrl.spaces.leaves import Space
from snnrl.trajectory.moment import About, Moment
from snnrl.trajectory.trace import Packed, Spikes, Trace
from snnrl.types import Array


class Collector:
    """Takes moments as long as they fit into memory; spikes are packed, a bit for each neuron and step.

    Args:
        about: what they have in common.
        observation_space: of the environment.
        action_space: of the environment.
        max_bytes: that they may take.

    Attributes:
        cut: whether a moment was refused.
    """

    def __init__(self, about: About, observation_space: Space, action_space: Space, max_bytes: int) -> None:
        self.about, self.max_bytes, self.cut = about, max_bytes, False
        self._observation_space, self._action_space = observation_space, action_space
        self._moments: list[_Packed] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._moments)

    def require_room(self, moment: Moment, decisions: int) -> None:
        """Raise a ConfigError, at the first moment, where so many like it do not fit.

        Args:
            moment: the first.
            decisions: how many are wanted at least.
        """
        if self._moments:
            return
        each = self._packed(moment).bytes()
        need = f"at least {each * decisions:,}, {each:,} for each decision; frames=False takes less"
        require(each * decisions <= self.max_bytes, "max_bytes", self.max_bytes, need)

    def add(self, moment: Moment) -> bool:
        """Keep a moment, if there is room for it."""
        packed = self._packed(moment)
        self.cut = self._bytes + packed.bytes() > self.max_bytes
        if not self.cut:
            self._bytes += packed.bytes()
            self._moments.append(packed)
        return not self.cut

    def _packed(self, moment: Moment) -> _Packed:
        return _Packed(
            replace(moment, spikes={}, observation=None, action=None),
            tuple(np.array(part) for part in split(self._observation_space, moment.observation)),
            tuple(np.array(part) for part in split(self._action_space, moment.action)),
            {name: np.packbits(fired, axis=-1) for name, fired in moment.spikes.items()},
        )

    def trace(self, before: Mapping[str, Array], after: Mapping[str, Array]) -> Trace:
        """All moments.

        Args:
            before: weights before the first of them, by name; none of an agent that did not learn.
            after: weights after the last.
        """
        moments = [packed.moment for packed in self._moments]
        drawn = [moment.frame for moment in moments if moment.frame is not None]
        liked = [moment.preferences for moment in moments]
        shown = next((one.shape for one in liked if one is not None), None)
        return Trace(
            about=self.about,
            frames=np.stack(drawn) if moments and len(drawn) == len(moments) else None,
            observation_parts=_columns([packed.observation for packed in self._moments]),
            action_parts=_columns([packed.action for packed in self._moments]),
            spikes=self._spikes(),
            potentials=_potentials(moments),
            preferences=None if shown is None else np.stack([_or_nan(one, shown) for one in liked]),
            values=_numbers(moment.value for moment in moments),
            td_errors=_numbers(moment.td_error for moment in moments),
            rewards=_numbers(moment.reward for moment in moments),
            episode_starts=np.array([moment.episode_start for moment in moments], np.bool_),
            terminated=np.array([moment.terminated for moment in moments], np.bool_),
            truncated=np.array([moment.truncated for moment in moments], np.bool_),
            weights_before=before,
            weights_after=after,
            cut=self.cut,
        )

    def _spikes(self) -> Spikes:
        """Of each population; silence where an agent did not run its network yet."""
        packed = {}
        for name, shape in self.about.populations.items():
            neurons = math.prod(shape)
            silent = np.zeros((self.about.sim_steps, -(-neurons // 8)), np.uint8)
            bits = [moment.spikes.get(name, silent) for moment in self._moments]
            packed[name] = Packed(np.stack(bits) if bits else silent[None][:0], neurons)
        return Spikes(packed)


class _Packed(NamedTuple):
    """A moment whose spikes are packed."""

    moment: Moment
    observation: tuple[Array, ...]
    action: tuple[Array, ...]
    spikes: Mapping[str, NDArray[np.uint8]]

    def bytes(self) -> int:
        """Memory that it takes."""
        frame = () if self.moment.frame is None else (self.moment.frame,)
        arrays = (*frame, *self.observation, *self.action, *self.spikes.values(), *self.moment.potentials.values())
        return sum(int(array.nbytes) for array in arrays) + 100


def _columns(rows: Sequence[tuple[Array, ...]]) -> list[Array]:
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _or_nan(values: NDArray[np.float32] | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.full(shape, np.nan, np.float32) if values is None else values


def _potentials(moments: Sequence[Moment]) -> dict[str, NDArray[np.float32]]:
    """Of each population that has some; NaN where an agent did not run its network yet."""
    shapes = {name: values.shape for moment in moments for name, values in moment.potentials.items()}
    return {
        name: np.stack([_or_nan(moment.potentials.get(name), shape) for moment in moments])
        for name, shape in shapes.items()
    }
