"""Receptive fields on a line, a plane or in a volume, for what slides a kernel over a population."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

from torch import Tensor
from torch.nn import functional

from snnrl.errors import require
from snnrl.settings import is_whole

Size = int | tuple[int, ...]


def at_least(least: int, *sizes: object) -> bool:
    """Whether all sizes are integers from ``least`` on."""
    return all(is_whole(size, least) for size in sizes)


@dataclass(frozen=True)
class Fields:
    """The geometry of a kernel that slides over space.

    Attributes:
        kernel: its extent, one number for each dimension of space.
        stride: step from one receptive field to the next.
        padding: zeros on either side.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]

    @classmethod
    def of(cls, dimensions: int, kernel_size: Size, stride: Size, padding: Size) -> Fields:
        """From numbers or tuples.

        Raises:
            ConfigError: a kernel or stride below 1, negative padding, or a tuple of another length.
        """

        def spread(name: str, size: Size, least: int) -> tuple[int, ...]:
            sizes = tuple(size) if isinstance(size, Iterable) else (size,) * dimensions
            expected = "positive" if least else "at least 0"
            require(len(sizes) == dimensions, name, size, f"a number or a tuple of {dimensions}")
            require(all(isinstance(each, Integral) for each in sizes), name, size, "made of integers")
            require(at_least(least, *sizes), name, size, expected)
            return sizes

        return cls(spread("kernel_size", kernel_size, 1), spread("stride", stride, 1), spread("padding", padding, 0))

    @property
    def dimensions(self) -> int:
        """Of space."""
        return len(self.kernel)

    @property
    def volume(self) -> int:
        """Number of positions under the kernel."""
        return math.prod(self.kernel)

    def out_shape(self, space: tuple[int, ...]) -> tuple[int, ...]:
        """How many receptive fields fit along each dimension.

        Raises:
            ConfigError: none fits.
        """
        sizes = zip(space, self.kernel, self.stride, self.padding, strict=True)
        shape = tuple((size + 2 * pad - kernel) // stride + 1 for size, kernel, stride, pad in sizes)
        require(min(shape) > 0, "kernel_size", self.kernel, f"at most the padded population {space}")
        return shape

    def unfold(self, population: Tensor) -> Tensor:
        """The receptive fields of ``[rows, channels, *space]``: ``[rows, channels * volume, fields]``."""
        pads = [side for pad in reversed(self.padding) for side in (pad, pad)]
        view = functional.pad(population, pads) if any(pads) else population
        for dimension, (kernel, stride) in enumerate(zip(self.kernel, self.stride, strict=True)):
            view = view.unfold(2 + dimension, kernel, stride)
        rows, channels = view.shape[:2]
        out, inside = range(2, 2 + self.dimensions), range(2 + self.dimensions, view.dim())
        return view.permute(0, 1, *inside, *out).reshape(rows, channels * self.volume, -1)
