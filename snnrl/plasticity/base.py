"""What every plasticity rule offers: the weight change of a window of simulation steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from snnrl.connections.base import Connection
from snnrl.errors import ConfigError, KnownSettings, require, shown
from snnrl.spikes import as_dtype

S = TypeVar("S", bound=tuple[Any, ...])

Shape = tuple[int, ...]


class Rule(KnownSettings, nn.Module, ABC, Generic[S]):
    """A plasticity rule, written over :meth:`~snnrl.connections.base.Connection.hebbian` for every connection.

    Weights stand still within a window, so that its change is a sum over the window's steps and the rows of the batch;
    a window of one step is the ordinary online rule. Traces are the rule's own state; a presynaptic trace that a
    postsynaptic spike meets includes the presynaptic spike of the same step, which can have caused it, and a
    postsynaptic trace that a presynaptic spike meets holds earlier spikes alone.

    Attributes:
        uses_modulator: whether the rule needs a third factor.
        uses_score: whether ``post`` is the score of stochastic neurons in place of their spikes.
        dt: simulation step in ms for which its constants were made.
    """

    dt: float

    uses_modulator: ClassVar[bool] = False
    uses_score: ClassVar[bool] = False
    GIVEN_ON: ClassVar[tuple[str, ...]] = ()
    """Settings that a part of the rule keeps in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse what would change nothing: of time constants a rule keeps the decay that follows from them.

        Raises:
            ConfigError: a setting that stands for good once the rule is made.
        """
        if name.startswith("tau_") or name in self.GIVEN_ON or (name == "dt" and "dt" in self.__dict__):
            raise ConfigError(f"{name}={shown(value)}: cannot be changed, make a new {type(self).__name__}")
        super().__setattr__(name, value)

    def __call__(
        self, connection: Connection, pre: Tensor, post: Tensor, state: S, modulator: Tensor | None = None
    ) -> tuple[Tensor, S]:
        """:meth:`forward` of activities and modulators of any real dtype, cast to what the connection computes in."""
        dtype = connection.compute_dtype
        third = None if modulator is None else as_dtype(modulator, dtype, "modulator")
        before, after = as_dtype(pre, dtype, "pre"), as_dtype(post, dtype, "post")
        return cast(tuple[Tensor, S], super().__call__(connection, before, after, state, third))

    @abstractmethod
    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> S:
        """The state before any spike, for populations of these shapes."""

    @abstractmethod
    def forward(
        self, connection: Connection, pre: Tensor, post: Tensor, state: S, modulator: Tensor | None = None
    ) -> tuple[Tensor, S]:
        """The change of a window, to be given to :meth:`~snnrl.connections.base.Connection.apply_`.

        Args:
            connection: the synapses.
            pre: ``[time, batch, *pre_shape]`` presynaptic spikes.
            post: ``[time, batch, *post_shape]`` postsynaptic spikes.
            state: from :meth:`init_state` or the last window.
            modulator: ``[time, batch]``, the third factor in force at each step, for rules that use one.

        Returns:
            The change ``[*weight.shape]``, and the state after the window.
        """


def zeros(connection: Connection, batch: int, shape: Shape) -> Tensor:
    """A trace at rest, ``[batch, *shape]``, on the device of the connection."""
    return connection.weight.new_zeros((batch, *shape), dtype=connection.compute_dtype)


def hebbian_sum(connection: Connection, post: Tensor, pre: Tensor) -> Tensor:
    """The Hebbian product of ``[time, batch, ...]`` activities, summed over time and batch: ``[*weight.shape]``."""
    return connection.hebbian(post.flatten(0, 1).unsqueeze(1), pre.flatten(0, 1).unsqueeze(1))[0]


def require_finite(**settings: float) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` for a setting that is no finite number."""
    for name, value in settings.items():
        try:
            finite = bool(torch.as_tensor(value).isfinite().all())
        except (TypeError, ValueError, RuntimeError):
            finite = False
        require(finite, name, value, "a finite number")
