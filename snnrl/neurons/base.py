"""What every neuron model offers: explicit state, one step, and a window of steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from snnrl.errors import require

S = TypeVar("S", bound=NamedTuple)


class Neuron(nn.Module, ABC, Generic[S]):
    """A population of neurons with the shape ``shape``.

    The state is a NamedTuple of tensors, every one ``[batch, *shape]``, which goes in and comes out; the module itself
    holds only what outlives an episode.
    """

    shape: tuple[int, ...]

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        super().__init__()
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        require(min(self.shape, default=0) > 0, "shape", self.shape, "positive sizes")
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)

    @property
    def size(self) -> int:
        """The number of neurons."""
        return math.prod(self.shape)

    def _zeros(self, batch: int) -> Tensor:
        return cast(Tensor, self._anchor).new_zeros((batch, *self.shape))

    @abstractmethod
    def init_state(self, batch: int) -> S:
        """The state at rest for ``batch`` independent rows."""

    @abstractmethod
    def forward(self, current: Tensor, state: S) -> tuple[Tensor, S]:
        """One simulation step: ``current`` ``[batch, *shape]`` to spikes of the same shape (0 or 1)."""

    def scan(self, current: Tensor, state: S) -> tuple[Tensor, S]:
        """A window of steps: ``current`` ``[time, batch, *shape]`` to spikes of the same shape.

        The plain loop over :meth:`forward`; a model whose window has a closed form overrides it, and a test holds
        the two to be equal.
        """
        spikes = []
        for now in current:
            out, state = self(now, state)
            spikes.append(out)
        return torch.stack(spikes), state
