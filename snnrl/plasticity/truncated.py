"""The three-factor rule with truncated traces: recent coincidences in place of an eligibility at each synapse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

import torch
from torch import Tensor

from snnrl.connections import Connection, Dense, Lateral
from snnrl.errors import require
from snnrl.kernels.plain import takes_loop
from snnrl.kernels.recent import Recent, add_recent
from snnrl.plasticity.base import Shape, ThirdFactor, zero_trace
from snnrl.plasticity.three_factor import (
    Earlier,
    EligibilityState,
    ThreeFactor,
    earnings,
    required,
    scaled,
)
from snnrl.settings import register
from snnrl.spikes import SparseSpikes

BLOCK = 4
"""Steps up to which windows are kept and forgotten together: with a change after every decision there are many."""


@register("truncated_three_factor")
class TruncatedThreeFactor(ThreeFactor):
    r"""The change of :class:`~snnrl.plasticity.ThreeFactor`, where eligibility that has become small is forgotten.

    A synapse's eligibility is a decaying sum of its coincidences. Here the coincidences themselves are kept, window by
    window, until ``decay`` has left less than ``cutoff`` of them. Memory and work follow the number of spikes and not
    that of synapses: with thousands of inputs of which few spike, this is many times faster. Such truncated traces are
    usual with sparse features (Cichosz 1995, J. Artif. Intell. Res. 2:287; Liang, Machado, Talvitie & Bowling 2016,
    AAMAS). Episodes that end are told by ``continuing`` alone: rows of the state cannot be reset.

    With ``averaged`` a synapse changes by the mean of what its coincidences earn, where they add up to more than one,
    and not by the sum. A presynaptic neuron that always spikes would else learn from every row of the batch, and from
    all that is still eligible in it, once for each coincidence, all of them judged by the same old weights: its step
    would be as many times too long. A mean cannot overshoot: with a rate of at most one, divided by the squared length
    of the input, no prediction moves further than the largest error (averagers: Gordon 1995, ICML, "Stable function
    approximation in dynamic programming"). All that a synapse needs for that is its own.

    Args:
        decay: factor by which eligibility shrinks from one step of the third factor to the next, in [0, 1). The
            coincidences of the last ``log(cutoff) / log(decay)`` steps are kept, 37 by default, 390 at 0.99.
        tau_pre: time constant of the presynaptic trace in ms.
        postsynaptic_floor: added to postsynaptic spikes, so that the synapses of silent neurons learn as well.
        learning_rate: by which changes are multiplied.
        cutoff: share of a coincidence below which it is forgotten, in (0, 1].
        averaged: whether changes are divided by the number of coincidences that earned them, those of before as far as
            they are still eligible, where it is above 1. One is where both neurons were active, however much.
        dt: simulation step in ms.

    Raises:
        ConfigError: a setting out of range, or a time constant shorter than ``dt``.
    """

    KEEPS_ELIGIBILITY: ClassVar[bool] = False

    def __init__(
        self,
        decay: float = 0.9,
        *,
        tau_pre: float = 10.0,
        postsynaptic_floor: float = 0.0,
        learning_rate: float = 1.0,
        cutoff: float = 0.02,
        averaged: bool = False,
        dt: float = 1.0,
    ) -> None:
        super().__init__(
            decay, tau_pre=tau_pre, postsynaptic_floor=postsynaptic_floor, learning_rate=learning_rate, dt=dt
        )
        require(decay < 1, "decay", decay, "below 1, or nothing is ever forgotten; three_factor takes 1")
        require(0 < cutoff <= 1, "cutoff", cutoff, "in (0, 1]")
        self.cutoff, self.averaged = cutoff, averaged

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> EligibilityState:
        traces = self.init_traces(connection, pre_shape, post_shape, batch)
        return EligibilityState(traces, zero_trace(connection, batch, (0,)))

    @torch.no_grad()
    def forward(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: EligibilityState,
        third: ThirdFactor,
    ) -> tuple[Tensor, EligibilityState]:
        window = self._window(post, third)
        found = self.coincidences(pre, post, state.traces, window)
        returns = self.returns(third)
        gated = found.post if third.gate is None else found.post * third.gate.unsqueeze(1)
        now = Earlier(_parts(found.pre), gated, returns.reach)
        earlier, age, earning = [now], window.steps, []
        for past in reversed(state.earlier):
            earning.append(past._replace(left=past.left * returns.waiting))
            if self.decay**age >= self.cutoff:
                earlier.append(past._replace(left=past.left * returns.through))
            age += len(past.left)
        earning.append(now._replace(left=returns.share))
        if in_one_pass(connection, found.pre, gated):
            delta = self._added(connection, earning, (*reversed(state.earlier), now), third)
        else:
            delta = _sum(connection, earning, found.pre)
            if self.averaged:
                delta /= self._number(connection, now, state.earlier, third, found.pre).clamp_min_(1.0)
        earlier.reverse()
        if len(earlier) > 1 and len(earlier[-2].left) + window.steps <= BLOCK:
            earlier[-2:] = [_joined(*earlier[-2:])]
        return delta[0], EligibilityState(found.traces, state.eligibility, tuple(earlier))

    def _number(
        self,
        connection: Connection,
        now: Earlier,
        before: tuple[Earlier, ...],
        third: ThirdFactor,
        like: Tensor | SparseSpikes,
    ) -> Tensor:
        """How many coincidences each synapse learns from ``[1, *weight.shape]``, as if all modulators were 1."""
        share = self._counts(third)
        earning = [*(past._replace(left=past.left * share[0]) for past in before), now._replace(left=share)]
        return _sum(connection, earning, like, counted=True)

    def _counts(self, third: ThirdFactor) -> Tensor:
        """``[steps, batch]``: what coincidences would earn within the window if all modulators were 1."""
        each = torch.ones_like(required(third.modulator))
        carry = self.decay * (each if third.continuing is None else third.continuing)
        return earnings(each, carry, carry)[0]

    def _added(
        self, connection: Connection, earning: Sequence[Earlier], windows: Sequence[Earlier], third: ThirdFactor
    ) -> Tensor:
        """The change ``[1, *weight.shape]`` in one pass over the events of all windows, the newest last."""
        delta, share = connection.new_eligibility(1), self._counts(third)
        counts = [*(each.left * share[0] for each in windows[:-1]), share]
        given = []
        for each, number in zip(earning, counts, strict=True):
            row, neuron, value = each.pre
            given.append(Recent(row, neuron, value, each.post.flatten(0, 2), each.left.flatten(), number.flatten()))
        add_recent(delta[0].t(), given, averaged=self.averaged)
        return delta


def in_one_pass(connection: Connection, pre: Tensor | SparseSpikes, post: Tensor) -> bool:
    """Whether what is earned is added by compiled loops, which give the same bit for bit."""
    return (
        isinstance(pre, SparseSpikes)
        and type(connection) in (Dense, Lateral)
        and takes_loop(connection.weight, pre.value, post)
    )


def _parts(pre: Tensor | SparseSpikes) -> tuple[Tensor, ...]:
    return (pre.flatten(0, 1),) if isinstance(pre, Tensor) else (pre.row, pre.index, pre.value)


def _joined(before: Earlier, after: Earlier) -> Earlier:
    """Two windows as one."""
    post = torch.cat([before.post, after.post])
    left = torch.cat([before.left, after.left])
    if len(before.pre) == 1:
        return Earlier((torch.cat([before.pre[0], after.pre[0]]),), post, left)
    shifted = after.pre[0] + math.prod(before.post.shape[:3]), *after.pre[1:]
    return Earlier(tuple(torch.cat(pair) for pair in zip(before.pre, shifted, strict=True)), post, left)


def _present(activity: Tensor) -> Tensor:
    """1 where there is some, and else 0."""
    return (activity != 0).to(activity.dtype)


def _sum(
    connection: Connection, earning: Sequence[Earlier], like: Tensor | SparseSpikes, *, counted: bool = False
) -> Tensor:
    """The coincidences of all windows, each times what is ``left`` of it, ``[1, *weight.shape]``.

    All of them count as 1 where they are ``counted``.
    """
    of = _present if counted else Tensor.detach
    out = connection.new_eligibility(1)
    posts = [scaled(of(past.post), past.left).flatten(0, 2) for past in earning]
    if isinstance(like, Tensor):
        for past, post in zip(earning, posts, strict=True):
            connection.hebbian(post.unsqueeze(1), of(past.pre[0]).flatten(0, 1).unsqueeze(1), out=out)
        return out
    rows, index, value = zip(*(past.pre for past in earning), strict=True)
    first = accumulate((len(post) for post in posts), initial=0)
    row = torch.cat([own + offset for own, offset in zip(rows, first, strict=False)])
    post = torch.cat(posts)
    pre = SparseSpikes(row, torch.cat(index), of(torch.cat(value)), (len(post), 1), like.size)
    return connection.hebbian(post.unsqueeze(1), pre, out=out)
