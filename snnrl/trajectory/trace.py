"""The decisions of a recording as one object, which can be kept in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from snnrl.errors import ConfigError, one_line
from snnrl.settings import read
from snnrl.textfiles import not_there, replacing
from snnrl.trajectory.moment import About
from snnrl.types import Array, Saved

VERSION = 1
"""Of the files."""
_WHOLE = ("frames", "preferences", "values", "td_errors", "rewards", "episode_starts", "terminated", "truncated")
_MANY = ("potentials", "weights_before", "weights_after")


_DAMAGED = (OSError, ValueError, KeyError, TypeError, OverflowError, EOFError, BadZipFile, ConfigError)
"""How a file fails that is none of ours, or is not whole."""


@dataclass(frozen=True)
class Packed:
    """Spikes of one population, a bit for each neuron and step."""

    bits: NDArray[np.uint8]
    """``[decisions, sim_steps, bytes]``."""
    neurons: int

    def unpacked(self, decisions: slice = slice(None)) -> NDArray[np.bool_]:
        """Bool ``[decisions, sim_steps, neurons]``."""
        return np.unpackbits(self.bits[decisions], axis=-1, count=self.neurons).astype(np.bool_)


@dataclass(frozen=True)
class Spikes(Mapping[str, NDArray[np.bool_]]):
    """Spikes of each population, bool ``[decisions, sim_steps, neurons]``, unpacked when they are asked for."""

    packed: Mapping[str, Packed]

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        return self.packed[name].unpacked()

    def __iter__(self) -> Iterator[str]:
        return iter(self.packed)

    def __len__(self) -> int:
        return len(self.packed)

    def part(self, name: str, first: int, last: int) -> NDArray[np.bool_]:
        """Those of the decisions ``first .. last - 1`` of a population."""
        return self.packed[name].unpacked(slice(first, last))


@dataclass(frozen=True, repr=False)
class Trace:
    """Decisions of an agent, or answers of a learner, one after the other; all arrays have a row for each.

    What a :class:`~snnrl.recording.Moment` has, of many. Numbers that are not known are NaN.

    Attributes:
        about: what they have in common.
        frames: uint8 ``[decisions, height, width, 3]``; ``None`` where nothing was drawn.
        observation_parts: ``[decisions, *shape]``, an array for each part of an observation.
        action_parts: the same of an action; of a learner, the labels that it names.
        spikes: of each population, by name: ``trace.spikes["actor"]`` is bool ``[decisions, sim_steps, neurons]``.
        potentials: of each population of neurons float32 ``[decisions, sim_steps, neurons]``, if they were asked for.
        preferences: float32 ``[decisions, choices]``, or ``None``.
        values: ``[decisions]``, the return that was predicted.
        td_errors: ``[decisions]``, each of the decision in its own row.
        rewards: ``[decisions]``, raw; of a learner 1 for a right answer, if labels were given.
        episode_starts: ``[decisions]``, whether the observation began an episode.
        terminated: ``[decisions]``, whether the episode ended with the decision.
        truncated: ``[decisions]``, whether it was cut after it.
        weights_before: of an agent that learned, its weights before the first decision, by name.
        weights_after: the same after the last.
        cut: whether it ends early, as the memory that it may take was full.
    """

    about: About
    frames: NDArray[np.uint8] | None
    observation_parts: Sequence[Array]
    action_parts: Sequence[Array]
    spikes: Spikes
    potentials: Mapping[str, NDArray[np.float32]]
    preferences: NDArray[np.float32] | None
    values: NDArray[np.float64]
    td_errors: NDArray[np.float64]
    rewards: NDArray[np.float64]
    episode_starts: NDArray[np.bool_]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    weights_before: Mapping[str, Array] = field(default_factory=dict)
    weights_after: Mapping[str, Array] = field(default_factory=dict)
    cut: bool = False

    def __len__(self) -> int:
        return len(self.rewards)

    def __repr__(self) -> str:
        """What was recorded, in short."""
        drawn = "best" if self.about.deterministic else "drawn"
        populations = ", ".join(f"{name} {packed.neurons:,}" for name, packed in self.spikes.packed.items())
        return (
            f"Trace({self.about.env}, {self.about.agent}, {len(self):,} decisions, {drawn} actions, "
            f"return {self.rewards.sum():.6g}; spikes of {populations or 'nothing'})"
        )

    @property
    def observations(self) -> Array | Sequence[Array]:
        """``[decisions, *shape]``; of a Tuple or Dict space an array for each part."""
        return self.observation_parts[0] if len(self.observation_parts) == 1 else self.observation_parts

    @property
    def actions(self) -> Array | Sequence[Array]:
        """``[decisions, *shape]``; of a Tuple or Dict space an array for each part."""
        return self.action_parts[0] if len(self.action_parts) == 1 else self.action_parts

    @property
    def meta(self) -> Saved:
        """:attr:`about` as plain values, and whether the trace was cut."""
        return {**asdict(self.about), "cut": self.cut}

    def save(self, path: str | Path) -> Path:
        """Write everything into one compressed file, which :meth:`load` and ``numpy.load`` read; returns its path.

        Args:
            path: the file; ``.npz`` is added where it has no suffix.

        Raises:
            OSError: the file cannot be written.
        """
        file = Path(path)
        file = file if file.suffix else file.with_suffix(".npz")
        arrays: dict[str, Array] = {name: value for name in _WHOLE if (value := getattr(self, name)) is not None}
        for name in _MANY:
            arrays |= {f"{name}.{key}": value for key, value in getattr(self, name).items()}
        for kind, parts in (("observation", self.observation_parts), ("action", self.action_parts)):
            arrays |= {f"{kind}.{place}": part for place, part in enumerate(parts)}
        arrays |= {f"spikes.{name}": packed.bits for name, packed in self.spikes.packed.items()}
        neurons = {name: packed.neurons for name, packed in self.spikes.packed.items()}
        header = {"version": VERSION, "about": asdict(self.about), "cut": self.cut, "neurons": neurons}
        with replacing(file) as out:
            np.savez_compressed(out, allow_pickle=False, header=np.array(json.dumps(header)), **arrays)
        return file

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The trace that :meth:`save` wrote; nothing in the file is unpickled.

        Raises:
            ConfigError: there is no such file, or it is no trace.
        """
        file = Path(path)
        if not file.exists():
            raise ConfigError(f"path={file}: {not_there(file, 'file')}")
        try:
            with np.load(file, allow_pickle=False) as saved:
                trace = cls._from(saved, json.loads(str(saved["header"])))
        except _DAMAGED as error:
            raise ConfigError(f"path={file}: must be a file that Trace.save wrote; it is damaged or another") from error
        except MemoryError as error:
            raise ConfigError(f"path={file}: does not fit into memory; {one_line(error)}") from error
        if not _is_whole(trace):
            raise ConfigError(f"path={file}: must be a file that Trace.save wrote; its arrays do not go together")
        return trace

    @classmethod
    def _from(cls, saved: Mapping[str, Array], header: Saved) -> Self:
        def parts(kind: str) -> list[Array]:
            names = (f"{kind}.{place}" for place in range(len(saved)))
            return [saved[name] for name in names if name in saved]

        def many(kind: str) -> dict[str, Array]:
            return {name.removeprefix(f"{kind}."): saved[name] for name in saved if name.startswith(f"{kind}.")}

        known = {each.name for each in fields(About)}
        about = read(About, {name: value for name, value in dict(header["about"]).items() if name in known}, "about")
        spikes = {name: Packed(saved[f"spikes.{name}"], int(count)) for name, count in dict(header["neurons"]).items()}
        return cls(
            about=about,
            frames=saved.get("frames"),
            observation_parts=parts("observation"),
            action_parts=parts("action"),
            spikes=Spikes(spikes),
            potentials=many("potentials"),
            preferences=saved.get("preferences"),
            values=saved["values"],
            td_errors=saved["td_errors"],
            rewards=saved["rewards"],
            episode_starts=saved["episode_starts"],
            terminated=saved["terminated"],
            truncated=saved["truncated"],
            weights_before=many("weights_before"),
            weights_after=many("weights_after"),
            cut=bool(header["cut"]),
        )


def _is_whole(trace: Trace) -> bool:
    """Whether all arrays have a row for each decision, and the types and shapes of a recording."""
    flags = (trace.episode_starts, trace.terminated, trace.truncated)
    numbers = (trace.values, trace.td_errors, trace.rewards)
    preferences = [] if trace.preferences is None else [trace.preferences]
    bits = [packed.bits for packed in trace.spikes.packed.values()]
    drawn = [] if trace.frames is None else [trace.frames]
    rows = (*flags, *numbers, *preferences, *bits, *drawn, *trace.observation_parts, *trace.action_parts)
    return (
        all(each.dtype == np.bool_ and each.ndim == 1 for each in flags)
        and all(each.dtype == np.float64 and each.ndim == 1 for each in numbers)
        and all(each.dtype == np.float32 and each.ndim == 2 for each in preferences)
        and all(each.dtype == np.float32 and each.ndim == 3 for each in trace.potentials.values())
        and all(each.dtype == np.uint8 and each.ndim == 4 and each.shape[3] == 3 for each in drawn)
        and all(each.dtype == np.uint8 and each.ndim == 3 for each in bits)
        and all(-(-packed.neurons // 8) == packed.bits.shape[2] for packed in trace.spikes.packed.values())
        and all(each.dtype.kind in "biuf" for each in (*trace.observation_parts, *trace.action_parts))
        and len({len(each) for each in (*rows, *trace.potentials.values()) if each.ndim} | {len(trace.rewards)}) == 1
    )
