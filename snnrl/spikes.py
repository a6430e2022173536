"""Spikes as a list of events: for populations of which few neurons fire."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from snnrl.errors import ConfigError


def as_dtype(values: Tensor, dtype: torch.dtype, setting: str = "spikes") -> Tensor:
    """Real numbers of any dtype, bools among them, in the dtype of what takes them; not copied if they have it.

    Everything that takes spikes or currents from outside casts them by this once, so that nothing behind it asks.

    Args:
        values: any shape.
        dtype: a floating-point type.
        setting: the name that an error message gives to ``values``.

    Raises:
        ConfigError: complex numbers, or no tensor at all.
    """
    if not isinstance(values, Tensor):
        raise ConfigError(f"{setting}={type(values).__name__}: must be a tensor")
    if values.dtype == dtype:
        return values
    if values.is_complex():
        raise ConfigError(f"{setting}={values.dtype}: must be real numbers")
    return values.to(dtype)


@dataclass(frozen=True)
class SparseSpikes:
    """The non-zero entries of a spike tensor ``[*rows, size]``, sorted by row.

    Attributes:
        row: ``[events]`` int64, the flat index over ``rows``.
        index: ``[events]`` int64, which neuron spiked.
        value: ``[events]``, the amplitude of the spike (1 where synapses do not scale it).
        rows: the leading shape, e.g. ``(batch,)`` or ``(time, batch)``.
        size: the number of neurons.
    """

    row: Tensor
    index: Tensor
    value: Tensor
    rows: tuple[int, ...]
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the dense tensor."""
        return (*self.rows, self.size)

    @classmethod
    def from_dense(cls, spikes: Tensor) -> SparseSpikes:
        """The events of a dense tensor ``[*rows, size]``."""
        row, index = spikes.flatten(0, -2).nonzero(as_tuple=True)
        return cls(row, index, spikes.flatten(0, -2)[row, index], tuple(spikes.shape[:-1]), spikes.shape[-1])

    def to(self, dtype: torch.dtype) -> SparseSpikes:
        """The same events with amplitudes of ``dtype``."""
        value = as_dtype(self.value, dtype)
        return self if value is self.value else replace(self, value=value)

    def between(self, first: int, last: int) -> SparseSpikes:
        """Spikes ``[rows, ..., size]`` of the leading rows ``first .. last - 1``, as slicing takes them."""
        each = self.row_count // self.rows[0]
        begin, end = torch.searchsorted(self.row, torch.tensor([first, last], device=self.row.device) * each).tolist()
        part, rows = slice(begin, end), (last - first, *self.rows[1:])
        return SparseSpikes(self.row[part] - first * each, self.index[part], self.value[part], rows, self.size)

    def of_neurons(self, first: int, step: int) -> SparseSpikes:
        """The events of every ``step``-th neuron alone, as slicing ``[..., first::step]`` of the dense tensor gives."""
        kept = (self.index % step == first).nonzero().squeeze(1)
        size = len(range(first, self.size, step))
        return SparseSpikes(self.row[kept], self.index[kept] // step, self.value[kept], self.rows, size)

    def split_rows(self, rows: int) -> Iterator[SparseSpikes]:
        """The events of so many flattened rows at a time, the last part may have less, as spikes ``[rows, size]``."""
        first = range(0, self.row_count, rows)
        begins = torch.searchsorted(self.row, torch.tensor(first, device=self.row.device)).tolist()
        for start, begin, end in zip(first, begins, [*begins[1:], len(self.row)], strict=True):
            extent, part = min(rows, self.row_count - start), slice(begin, end)
            yield SparseSpikes(self.row[part] - start, self.index[part], self.value[part], (extent,), self.size)

    def dense(self) -> Tensor:
        """The dense tensor ``[*rows, size]``."""
        flat = self.value.new_zeros(self.row_count * self.size)
        flat[self.row * self.size + self.index] = self.value
        return flat.view(self.shape)

    @property
    def row_count(self) -> int:
        """The number of rows, the product of :attr:`rows`."""
        return math.prod(self.rows)

    @cached_property
    def offsets(self) -> Tensor:
        """``[row_count]`` int64: where each row's events begin."""
        return torch.searchsorted(self.row, torch.arange(self.row_count, device=self.row.device))

    def reshape_rows(self, *rows: int) -> SparseSpikes:
        """The same events under another leading shape of equal extent."""
        if math.prod(rows) != self.row_count:
            raise ValueError(f"rows={rows}: must hold as many rows as {self.rows}")
        return SparseSpikes(self.row, self.index, self.value, rows, self.size)


def stack_spikes(windows: Sequence[SparseSpikes]) -> SparseSpikes:
    """Stack equally shaped windows along a new leading axis, as :func:`torch.stack` does."""
    first = windows[0]
    if len(windows) == 1:
        return first.reshape_rows(1, *first.rows)
    step = first.row_count
    return SparseSpikes(
        torch.cat([window.row + step * position for position, window in enumerate(windows)]),
        torch.cat([window.index for window in windows]),
        torch.cat([window.value for window in windows]),
        (len(windows), *first.rows),
        first.size,
    )
