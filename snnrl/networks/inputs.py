"""What comes into a network from outside, checked once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.networks.structure import Structure
from snnrl.spikes import SparseSpikes, as_dtype

Spikes = Tensor | SparseSpikes


class NetworkInput(NamedTuple):
    """What comes into a network in a window, each by the name of a population and ``[time, batch, *shape]``."""

    inputs: dict[str, Spikes]
    """Sparse ones have rows ``(steps, batch)``: they are fired at the beginning of each of so many equal steps."""
    clamp: dict[str, Tensor]
    unclamp: dict[str, Tensor]
    inject: dict[str, Tensor]
    time: int
    batch: int
    length: int = 1
    """Simulation steps from one beginning to the next: ``time / steps`` of sparse spikes."""
    expected: frozenset[str] = frozenset()
    """Populations whose firing probabilities are taken in place of drawn spikes."""

    @property
    def steps(self) -> int:
        """How often sparse spikes are fired, and modulators come."""
        return self.time // self.length

    def between(self, first: int, last: int) -> NetworkInput:
        """The simulation steps ``first .. last - 1``."""

        def cut(whole: dict[str, Tensor]) -> dict[str, Tensor]:
            return {name: value[first:last] for name, value in whole.items()}

        ends = first // self.length, last // self.length
        inputs = {
            name: value.between(*ends) if isinstance(value, SparseSpikes) else value[first:last]
            for name, value in self.inputs.items()
        }
        parts = cut(self.clamp), cut(self.unclamp), cut(self.inject)
        return NetworkInput(inputs, *parts, last - first, self.batch, self.length, self.expected)

    def cast(self, neurons: Mapping[str, torch.dtype]) -> NetworkInput:
        """Currents, potentials and spikes in the dtype of the neurons that they reach; bools remain."""
        spikes = next(iter(neurons.values()), torch.get_default_dtype())

        def cast(what: str, name: str, value: Tensor) -> Tensor:
            if value.dtype == torch.bool and name not in neurons:
                return value
            return as_dtype(value, neurons.get(name, spikes), f"{what}.{name}")

        inputs = {
            name: value.to(spikes) if isinstance(value, SparseSpikes) else cast("inputs", name, value)
            for name, value in self.inputs.items()
        }
        inject = {name: cast("inject", name, value) for name, value in self.inject.items()}
        return self._replace(inputs=inputs, inject=inject)


def read_inputs(
    structure: Structure,
    inputs: Mapping[str, Spikes],
    time: int | None,
    clamp: Mapping[str, Tensor],
    unclamp: Mapping[str, Tensor],
    inject: Mapping[str, Tensor],
) -> NetworkInput:
    """The arguments of :meth:`~snnrl.networks.Network.run`, found to fit.

    Raises:
        ConfigError: an unknown or missing name, a wrong type, shape or device, or what is not finite.
    """
    require(len(inputs) > 0, "inputs", "{}", "a tensor [time, batch, *shape] for each input")
    for what, given in (("inputs", inputs), ("clamp", clamp), ("unclamp", unclamp), ("inject", inject)):
        kinds: type | tuple[type, ...] = (Tensor, SparseSpikes) if what == "inputs" else Tensor
        for name, value in given.items():
            require(isinstance(value, kinds), f"{what}.{name}", type(value).__name__, "a tensor")
    for name in structure.shapes:
        there = name in inputs or name in structure.neurons
        require(there, "inputs", sorted(inputs), f"complete: {name} is missing")
    whole, batch, length = _extent(inputs, time)
    device = structure.device()

    def fitting(what: str, given: Mapping[str, Tensor], known: Iterable[str]) -> dict[str, Tensor]:
        _require_known(what, given, known)
        shapes = {name: (whole, batch, *structure.shapes[name]) for name in given}
        return {name: _sequence(f"{what}.{name}", value, shapes[name], what, device) for name, value in given.items()}

    _require_known("inputs", inputs, structure.shapes)
    for name, value in inputs.items():
        from_outside = name not in structure.neurons or (isinstance(value, Tensor) and value.is_floating_point())
        kind = value.dtype if isinstance(value, Tensor) else "sparse spikes"
        require(from_outside, f"inputs.{name}", kind, "a current of floating-point numbers")
    sparse = {name: value for name, value in inputs.items() if isinstance(value, SparseSpikes)}
    for name, value in sparse.items():
        fits = value.rows == (whole // length, batch) and value.size == math.prod(structure.shapes[name])
        expected = [whole // length, batch, math.prod(structure.shapes[name])]
        require(fits, f"inputs.{name}", list(value.shape), f"of shape {expected}")
        require_device(f"inputs.{name}", value.value, device)
        require(finite(value.value), f"inputs.{name}", "nan or inf", "finite in every entry")
    dense = {name: value for name, value in inputs.items() if isinstance(value, Tensor)}
    known = list(structure.neurons)
    return NetworkInput(
        {**fitting("inputs", dense, structure.shapes), **sparse},
        fitting("clamp", clamp, known),
        fitting("unclamp", unclamp, known),
        fitting("inject", inject, known),
        whole,
        batch,
        length,
    )


def _extent(inputs: Mapping[str, Spikes], time: int | None) -> tuple[int, int, int]:
    """Simulation steps, batch, and simulation steps from one instant of synchronous spikes to the next."""
    first = next(iter(inputs.values()))
    shape = tuple(first.shape)
    empty = isinstance(first, Tensor) and not first.numel()
    require(len(shape) >= 2 and not empty, "inputs", list(shape), "of shape [time, batch, *shape]")
    dense = [value for value in inputs.values() if isinstance(value, Tensor)]
    sparse = [value for value in inputs.values() if isinstance(value, SparseSpikes)]
    if time is None:
        time = dense[0].shape[0] if dense else shape[0]
    for value in dense[:1]:
        require(value.shape[0] == time, "time", time, f"{value.shape[0]}, the steps of the inputs")
    for events in sparse:
        several = len(events.rows) == 2 and min(events.rows) > 0 and time % events.rows[0] == 0
        require(several, "time", time, f"a multiple of the steps of sparse inputs, whose rows are {list(events.rows)}")
    return time, shape[1], time // sparse[0].rows[0] if sparse else 1


def _require_known(what: str, given: Mapping[str, object], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise ConfigError(f"{what}={name}: {did_you_mean(name, known)}")


def _sequence(setting: str, value: Tensor, shape: tuple[int, ...], what: str, device: torch.device) -> Tensor:
    """A tensor of ``shape``, or for other things than inputs one that broadcasts to it; finite, and on ``device``."""
    require_device(setting, value, device)
    if what == "inputs":
        require(tuple(value.shape) == shape, setting, list(value.shape), f"of shape {list(shape)}")
    elif what != "inject":
        require(value.dtype == torch.bool, setting, value.dtype, "a bool tensor")
    require(finite(value), setting, "nan or inf", "finite in every entry")
    try:
        return value.expand(shape)
    except RuntimeError:
        raise ConfigError(f"{setting}={list(value.shape)}: must broadcast to {list(shape)}") from None


def read_modulator(modulator: Tensor | None, given: NetworkInput, device: torch.device) -> Tensor | None:
    """The modulator of :meth:`~snnrl.networks.Network.run` as ``[steps, batch]``.

    Raises:
        ConfigError: it is no tensor, of another shape, on another device or not finite.
    """
    if modulator is None:
        return None
    require(isinstance(modulator, Tensor), "modulator", modulator, "a tensor [batch] or [time, batch]")
    require_device("modulator", modulator, device)
    whole = (given.steps, given.batch)
    fits = modulator.shape in ((given.batch,), whole)
    require(fits, "modulator", list(modulator.shape), f"of shape [{given.batch}] or {list(whole)}")
    require(finite(modulator), "modulator", "nan or inf", "finite in every entry")
    return modulator.expand(whole)


def finite(value: Tensor) -> bool:
    """Whether every entry is; the sum, which is quick, tells so unless it overflows."""
    return bool(torch.isfinite(value.sum())) or bool(torch.isfinite(value).all())


def require_device(setting: str, value: Tensor, device: torch.device) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` unless a tensor is where the network is."""
    require(value.device == device, f"{setting}.device", value.device, f"{device}, where the network is")
