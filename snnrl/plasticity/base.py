"""What every plasticity rule offers: the weight change of a window of simulation steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from snnrl.connections.base import Connection
from snnrl.errors import require
from snnrl.settings import FixedSettings, KnownSettings
from snnrl.spikes import SparseSpikes, as_dtype
from snnrl.state import State
from snnrl.traces import decay_kernel, scan_trace

S = TypeVar("S", bound=State)

Shape = tuple[int, ...]


class ThirdFactor(NamedTuple):
    """What reaches all synapses of a connection besides its spikes, for each step of a window.

    A step of the third factor, for an agent a decision, lasts as many simulation steps as its length goes into that of
    the spikes; what it brings comes at the end of the step. Rules that need no third factor ignore all but
    :attr:`continuing` and :attr:`activity_continuing`.
    """

    modulator: Tensor | None = None
    """``[steps, batch]``: what turns eligibility into change, a reward or its prediction error."""
    continuing: Tensor | None = None
    """``[steps, batch]``: 0 where the row's episode ends after the step, so that its eligibility is cleared, else 1;
    ``None`` where no episode ends."""
    instant: Tensor | None = None
    """``[steps, batch]``: a modulator that acts on the coincidences of its own step only."""
    gate: Tensor | None = None
    """``[steps, batch, *post_shape]``: what the coincidences of each postsynaptic neuron are multiplied by."""
    activity_continuing: Tensor | None = None
    """``[steps, batch]``: 0 where the row's neurons begin anew after the step, else 1; ``None`` where they do so with
    each episode, as :attr:`continuing` says."""

    @property
    def traces_continuing(self) -> Tensor | None:
        """``[steps, batch]``: 0 where the traces of the row's spikes are cleared after the step; ``None`` for none."""
        return self.continuing if self.activity_continuing is None else self.activity_continuing

    def cast(self, dtype: torch.dtype) -> ThirdFactor:
        """The same in numbers of ``dtype``.

        Raises:
            ConfigError: numbers that are not real.
        """
        return ThirdFactor(
            *(
                None if part is None else as_dtype(part, dtype, name)
                for name, part in zip(self._fields, self, strict=True)
            )
        )


class Rule(FixedSettings, KnownSettings, nn.Module, ABC, Generic[S]):
    """A plasticity rule, written over :meth:`~snnrl.connections.base.Connection.hebbian` for every connection.

    Weights stand still within a window, so that its change is a sum over the window's steps and the rows of the batch;
    a window of one step is the ordinary online rule. Traces are the rule's own state; a presynaptic trace that a
    postsynaptic spike meets includes the presynaptic spike of the same step, which can have caused it, and a
    postsynaptic trace that a presynaptic spike meets holds earlier spikes alone.

    Attributes:
        uses_modulator: whether the rule needs a third factor.
        uses_score: whether ``post`` is the score of stochastic neurons in place of their spikes.
        uses_excess: whether ``post`` is how far the neurons were above threshold in place of their spikes, as
            :meth:`~snnrl.neurons.lif.LeakyMembrane.above_threshold` says.
        shares_state: whether its state is one for all rows of the batch together.
        dt: simulation step in ms for which its constants were made.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("dt",)
    dt: float

    uses_modulator: ClassVar[bool] = False
    uses_score: ClassVar[bool] = False
    uses_excess: ClassVar[bool] = False
    shares_state: ClassVar[bool] = False

    def __call__(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: S,
        third: ThirdFactor = ThirdFactor(),  # noqa: B008
    ) -> tuple[Tensor, S]:
        """:meth:`forward` of activities and factors of any real dtype, cast to what the connection computes in."""
        dtype = connection.compute_dtype
        before = pre.to(dtype) if isinstance(pre, SparseSpikes) else as_dtype(pre, dtype, "pre")
        after = as_dtype(post, dtype, "post")
        return cast(tuple[Tensor, S], super().__call__(connection, before, after, state, third.cast(dtype)))

    @abstractmethod
    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> S:
        """The state before any spike, for populations of these shapes."""

    @abstractmethod
    def forward(
        self, connection: Connection, pre: Tensor | SparseSpikes, post: Tensor, state: S, third: ThirdFactor
    ) -> tuple[Tensor, S]:
        """The change of a window, to be given to :meth:`~snnrl.connections.base.Connection.apply_`.

        Args:
            connection: the synapses.
            pre: ``[time, batch, *pre_shape]`` presynaptic spikes; or sparse ones with rows ``(steps, batch)``, which
                are fired together at the beginning of each step of the third factor, and whose trace ends with it.
            post: ``[time, batch, *post_shape]`` postsynaptic spikes, or what :attr:`uses_score` and :attr:`uses_excess`
                say; ``time`` is a multiple of ``steps``.
            state: from :meth:`init_state` or the last window; eligibility is updated in place.
            third: the third factor, ``steps`` of them.

        Returns:
            The change ``[*weight.shape]``, and the state after the window.

        Raises:
            ConfigError: a rule that needs a modulator is given none.
        """


AnyRule: TypeAlias = Rule[Any]
"""A rule with a state that is known only when it runs."""


def zero_trace(connection: Connection, batch: int, shape: Shape) -> Tensor:
    """A trace at rest ``[batch, *shape]``, on the device of the connection and in the dtype that it computes in."""
    return connection.weight.new_zeros((batch, *shape), dtype=connection.compute_dtype)


Scan = Callable[[Tensor, Tensor, float], Tensor]
"""A kind of trace, such as :func:`~snnrl.traces.scan_trace`."""


def traced(
    values: Tensor,
    trace: Tensor,
    decay: float,
    continuing: Tensor | None = None,
    *,
    rest: float = 0.0,
    scan: Scan = scan_trace,
) -> tuple[Tensor, Tensor]:
    """A trace over a window in which rows of the batch may end.

    Args:
        values: ``[time, batch, ...]``, what arrives at each simulation step.
        trace: ``[batch, ...]``, the trace before the window.
        decay: the factor of one simulation step.
        continuing: ``[steps, batch]``, 0 where the trace is cleared after the step:
            :attr:`ThirdFactor.traces_continuing` for traces of spikes, :attr:`ThirdFactor.continuing` for what lasts as
            long as the episode.
        rest: what the trace is after an end.
        scan: the kind of trace.

    Returns:
        The trace after each simulation step ``[time, batch, ...]``, and the one with which the next window begins.
    """
    parts, after = [], trace
    for part, goes_on in _steps(values, continuing):
        parts.append(scan(part, after, decay))
        after = parts[-1][-1]
        if goes_on is not None:
            after = torch.where(per_row(goes_on, after) > 0, after, torch.full_like(after, rest))
    return parts[0] if len(parts) == 1 else torch.cat(parts), after


def _steps(values: Tensor, continuing: Tensor | None) -> list[tuple[Tensor, Tensor | None]]:
    """``values`` in parts, each a step of the third factor, with which rows go on after it."""
    if continuing is None:
        return [(values, None)]
    return list(zip(values.split(len(values) // len(continuing)), continuing, strict=True))


def presynaptic_trace(
    pre: Tensor | SparseSpikes,
    time: int,
    trace: Tensor,
    decay: float,
    continuing: Tensor | None,
    *,
    scan: Scan = scan_trace,
) -> tuple[Tensor, Tensor]:
    """:func:`traced` of presynaptic spikes of either kind.

    Args:
        pre: ``[time, batch, *pre_shape]``; or sparse ones with rows ``(steps, batch)``, whose traces end with the step.
        time: simulation steps of the window.
        trace: ``[batch, *pre_shape]``, before the window.
        decay: the factor of one simulation step.
        continuing: :attr:`ThirdFactor.traces_continuing`.
        scan: the kind of trace.

    Returns:
        The trace ``[time, batch, *pre_shape]``, and the one with which the next window begins.
    """
    if isinstance(pre, Tensor):
        return traced(pre, trace, decay, continuing, scan=scan)
    kernel = decay_kernel(time // pre.rows[0], decay, pre.value)
    return torch.einsum("j,sbn->sjbn", kernel, pre.dense()).flatten(0, 1), torch.zeros_like(trace)


def spike_train(pre: Tensor | SparseSpikes, time: int) -> Tensor:
    """Presynaptic spikes of either kind as ``[time, batch, *pre_shape]``."""
    if isinstance(pre, Tensor):
        return pre
    first = pre.dense()
    whole = first.new_zeros((len(first), time // len(first), *first.shape[1:]))
    whole[:, 0] = first
    return whole.flatten(0, 1)


def per_row(rows: Tensor, like: Tensor) -> Tensor:
    """``rows`` with dimensions of 1 at the end, so that it broadcasts to ``like``."""
    return rows.view(*rows.shape, *[1] * (like.dim() - rows.dim()))


def hebbian_sum(connection: Connection, post: Tensor, pre: Tensor) -> Tensor:
    """The Hebbian product of two activities, summed over time and batch.

    Args:
        connection: the synapses, of any kind.
        post: ``[time, batch, *post_shape]``.
        pre: ``[time, batch, *pre_shape]``.

    Returns:
        ``[*weight.shape]``: for each synapse the sum of ``post * pre`` of the neurons that it joins.
    """
    return connection.hebbian(post.flatten(0, 1).unsqueeze(1), pre.flatten(0, 1).unsqueeze(1))[0]


def require_finite(**settings: float) -> None:
    """Raise :class:`~snnrl.errors.ConfigError` for a setting that is no finite number."""
    for name, value in settings.items():
        try:
            finite = bool(torch.as_tensor(value).isfinite().all())
        except (TypeError, ValueError, RuntimeError):
            finite = False
        require(finite, name, value, "a finite number")
