"""The three-factor rule: coincidences leave an eligibility at each synapse, and a modulator turns it into change."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from snnrl.connections import Connection, Dense
from snnrl.errors import ConfigError, require
from snnrl.kernels.eligibility import FEW, LARGE, advance_all
from snnrl.kernels.eligible import EligibleRows, Events, advance, as_dense, no_rows
from snnrl.kernels.plain import takes_loop
from snnrl.plasticity.base import Rule, Shape, ThirdFactor, per_row, require_finite, traced, zero_trace
from snnrl.settings import register
from snnrl.spikes import SparseSpikes
from snnrl.traces import decay_factor, decay_kernel

MOST_DENSE = 65_536
"""Synapses up to which all have an eligibility: then that costs little, and results are those of version 0.1."""


class EligibilityState(NamedTuple):
    """State of :class:`ThreeFactor` and the rules that are derived from it."""

    traces: tuple[Tensor, ...]
    """Of the spikes: ``[batch, *pre_shape]``, and for rules that need it ``[batch, *post_shape]``."""
    eligibility: Tensor
    """``[batch, *weight.shape]``, already decayed to the step that comes next."""
    earlier: tuple[Earlier, ...] = ()
    """Of rules that keep the coincidences themselves: those of windows before, the oldest first."""
    recent: tuple[EligibleRows, ...] = ()
    """Where neurons that spiked lately alone have one: theirs, in place of :attr:`eligibility`, which is empty then."""


class Earlier(NamedTuple):
    """The coincidences of a window before, see :class:`~snnrl.plasticity.TruncatedThreeFactor`."""

    pre: tuple[Tensor, ...]
    """``[steps * events, batch, *pre_shape]``, or row, neuron and amplitude of sparse events."""
    post: Tensor
    """``[steps, events, batch, *post_shape]``, times its gate."""
    left: Tensor
    """``[steps, batch]``: what is left of each step's eligibility."""


class Returns(NamedTuple):
    """What the third factor makes of the steps of a window."""

    share: Tensor
    """``[steps, batch]``: what the coincidences of each step earn within the window."""
    reach: Tensor
    """``[steps, batch]``: what is left of them after it."""
    waiting: Tensor
    """``[batch]``: what the eligibility from before the window earns."""
    through: Tensor
    """``[batch]``: what is left of that after the window."""


class Coincidences(NamedTuple):
    """The two factors of the Hebbian products of a window; each step of the third factor has ``events`` of them."""

    pre: Tensor | SparseSpikes
    """``[steps, events, batch, *pre_shape]``; sparse with rows ``(steps, batch)``, of one event each."""
    post: Tensor
    """``[steps, events, batch, *post_shape]``."""
    traces: tuple[Tensor, ...]
    """After the window."""


class Window(NamedTuple):
    """How the simulation steps of a window are divided into steps of the third factor."""

    steps: int
    length: int
    """Simulation steps of each."""
    continuing: Tensor | None
    """``[steps, batch]``: :attr:`~snnrl.plasticity.ThirdFactor.traces_continuing`."""
    fading: Tensor | None
    """``[length]``: what the step's end leaves of a coincidence at each simulation step; ``None`` for all of it."""

    def divided(self, values: Tensor) -> Tensor:
        """``[time, batch, ...]`` as ``[steps, length, batch, ...]``."""
        return values.view(self.steps, self.length, *values.shape[1:])

    def faded(self, post: Tensor) -> Tensor:
        """:meth:`divided`, each simulation step times what is left of it."""
        divided = self.divided(post)
        return divided if self.fading is None else divided * self.fading.view(-1, *[1] * (post.dim() - 1))

    def summed(self, kernel: Tensor, post: Tensor) -> Tensor:
        """The sum over a step of ``post`` ``[time, batch, ...]`` times ``kernel`` ``[length]``, as one event of it.

        With synchronous presynaptic spikes all traces are the same exponential, so that this is all of a step.
        """
        kernel = kernel if self.fading is None else kernel * self.fading
        parts = [torch.einsum("t,tb...->b...", kernel, part) for part in post.split(self.length)]
        return (parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)).unsqueeze(1)


@register("three_factor")
class ThreeFactor(Rule[EligibilityState]):
    r"""Three-factor rule: coincidences leave a trace on each synapse, a modulator turns the trace into a change.

    ``e[k] = decay * continuing[k-1] * e[k-1] + H[k]`` and ``dw = sum over k and batch of modulator[k] * e[k]``, where
    ``H[k]`` is the Hebbian product of step ``k`` and every row of the batch has an eligibility of its own
    (Izhikevich 2007, Cereb. Cortex 17:2443; Frémaux & Gerstner 2016, Front. Neural Circuits 9:85, eq. 3). With
    ``decay = gamma * lambda`` and the temporal-difference error as the modulator this is TD(lambda) with
    accumulating traces (Sutton & Barto 2018, Reinforcement Learning, sec. 12.2 and 13.5). Here ``H`` is the product of
    presynaptic traces and postsynaptic spikes; rules that are derived from this one have other :meth:`coincidences`.

    The weights stand still during a window, so its changes are gathered at once: what a coincidence earns is the
    decayed sum of the modulators that follow it, and a window costs one pass over the eligibility however many steps
    it has.

    Args:
        decay: factor by which eligibility shrinks from one step of the third factor to the next, in [0, 1].
        tau_pre: time constant of the presynaptic trace in ms.
        postsynaptic_floor: added to postsynaptic spikes, so that the synapses of silent neurons learn as well.
        learning_rate: by which changes are multiplied.
        sparse: where few of many presynaptic neurons spike, keep the eligibility of those alone that did so lately
            (:meth:`init_recent`); else of all, which is the definition.
        dt: simulation step in ms.

    Raises:
        ConfigError: a setting out of range, or a time constant shorter than ``dt``.
    """

    uses_modulator: ClassVar[bool] = True
    KEEPS_ELIGIBILITY: ClassVar[bool] = True
    """Whether there is an eligibility at synapses."""
    DECAYS_EACH_SIM_STEP: ClassVar[bool] = False
    """Whether ``decay`` is that of a simulation step rather than of a step of the third factor."""

    def __init__(
        self,
        decay: float = 0.9,
        *,
        tau_pre: float = 10.0,
        postsynaptic_floor: float = 0.0,
        learning_rate: float = 1.0,
        sparse: bool = True,
        dt: float = 1.0,
    ) -> None:
        super().__init__()
        require(0 <= decay <= 1, "decay", decay, "in [0, 1]")
        require_finite(postsynaptic_floor=postsynaptic_floor, learning_rate=learning_rate)
        self.decay, self.postsynaptic_floor, self.learning_rate, self.dt = decay, postsynaptic_floor, learning_rate, dt
        self.decay_pre, self.sparse = decay_factor(tau_pre, dt, "tau_pre"), sparse

    def init_state(self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int) -> EligibilityState:
        traces = self.init_traces(connection, pre_shape, post_shape, batch)
        return EligibilityState(traces, connection.new_eligibility(batch))

    def init_traces(
        self, connection: Connection, pre_shape: Shape, post_shape: Shape, batch: int
    ) -> tuple[Tensor, ...]:
        """:attr:`EligibilityState.traces` before any spike."""
        return (zero_trace(connection, batch, pre_shape),)

    def keeps_recent(self, connection: Connection) -> bool:
        """Whether :meth:`init_recent` suits a connection with many sparse inputs.

        It takes all-to-all connections on the CPU, in single or double precision.
        """
        plain = type(connection) is Dense and takes_loop(connection.weight.detach())
        return self.sparse and self.KEEPS_ELIGIBILITY and plain and connection.weight.numel() > MOST_DENSE

    def init_recent(self, connection: Connection, traces: tuple[Tensor, ...], batch: int) -> EligibilityState:
        """The state before any spike that keeps the eligibility of neurons that spiked lately alone.

        It is that of :meth:`init_state` for these, bit for bit, and for all others 0: their newest coincidence has
        decayed to less than a rounding error. Memory and work follow the number of such neurons. Changes are the same
        but for the rounding of their sum over the batch; with one row they are the same bit for bit.

        Args:
            connection: of which :meth:`keeps_recent` is true, or a part of it.
            traces: of the spikes, at rest.
            batch: rows.
        """
        empty = zero_trace(connection, batch, (0,))
        return EligibilityState(traces, empty, (), no_rows(batch, len(connection.weight), empty.dtype))

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
        delta, after = self.learned(connection, found.pre, found.post, state, third, window.length)
        return delta, after._replace(traces=found.traces)

    @torch.no_grad()
    def presynaptic(
        self, pre: Tensor | SparseSpikes, post: Tensor, state: EligibilityState, third: ThirdFactor
    ) -> Tensor | SparseSpikes:
        """What postsynaptic activity is multiplied by in a window, of which the arguments of :meth:`forward` tell."""
        return self.coincidences(pre, post, state.traces, self._window(post, third)).pre

    def _window(self, post: Tensor, third: ThirdFactor) -> Window:
        steps = len(required(third.modulator))
        length = len(post) // steps
        fades = self.DECAYS_EACH_SIM_STEP and length > 1
        fading = decay_kernel(length, self.decay, post).flip(0) if fades else None
        return Window(steps, length, third.traces_continuing, fading)

    def coincidences(
        self, pre: Tensor | SparseSpikes, post: Tensor, traces: tuple[Tensor, ...], window: Window
    ) -> Coincidences:
        """What leaves eligibility in a window.

        Args:
            pre: presynaptic spikes as in :meth:`Rule.forward`.
            post: ``[time, batch, *post_shape]``, postsynaptic spikes or scores.
            traces: before the window.
            window: how it is divided into steps.
        """
        active = post + self.postsynaptic_floor if self.postsynaptic_floor else post
        if isinstance(pre, SparseSpikes):
            kernel = decay_kernel(window.length, self.decay_pre, post)
            return Coincidences(pre, window.summed(kernel, active), traces)
        x_pre, after = traced(pre, traces[0], self.decay_pre, window.continuing)
        return Coincidences(window.divided(x_pre), window.faded(active), (after,))

    @torch.no_grad()
    def learned(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: EligibilityState,
        third: ThirdFactor,
        length: int = 1,
    ) -> tuple[Tensor, EligibilityState]:
        """:meth:`gather` with eligibility of either kind, and the state after the window; its traces are left alone."""
        if not state.recent:
            return self.gather(connection, pre, post, state.eligibility, third, length), state
        if not (isinstance(pre, SparseSpikes) and takes_loop(connection.weight.detach(), pre.value, post)):
            dense = connection.new_eligibility(post.shape[2])
            as_dense(state.recent, dense.transpose(1, 2))
            delta = self.gather(connection, pre, post, dense, third, length)
            return delta, state._replace(eligibility=dense, recent=())
        found = self.returns(third, length)
        post = (post if third.gate is None else post * third.gate.unsqueeze(1)).squeeze(1)
        events = Events(pre.row, pre.offsets, pre.index, pre.value, pre.size)
        waiting, recent = advance(state.recent, events, post, found.reach, found.waiting, found.through)
        delta = waiting.t() + self._earned(connection, pre, post.unsqueeze(1), found)
        return delta, state._replace(recent=recent)

    @torch.no_grad()
    def gather(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        eligibility: Tensor,
        third: ThirdFactor,
        length: int = 1,
    ) -> Tensor:
        """The weight change of a window from its :class:`Coincidences`; ``eligibility`` is updated in place.

        Args:
            connection: the synapses.
            pre: ``[steps, events, batch, *pre_shape]``, or sparse.
            post: ``[steps, events, batch, *post_shape]``.
            eligibility: ``[batch, *weight.shape]`` before the window, and then after it.
            third: what follows each step.
            length: simulation steps of each step.

        Returns:
            The change ``[*weight.shape]`` summed over steps and batch.
        """
        found = self.returns(third, length)
        post = post if third.gate is None else post * third.gate.unsqueeze(1)
        steps, events, batch = post.shape[:3]
        if isinstance(pre, Tensor) and steps * events <= FEW and _in_one_pass(connection, eligibility, pre, post):
            share, reach = (part.repeat_interleave(events, dim=0) for part in (found.share, found.reach))
            factors = pre.flatten(0, 1), post.flatten(0, 1), share, reach, found.waiting, found.through
            return advance_all(eligibility.transpose(1, 2), *factors).t()
        flat_pre = pre.flatten(0, 1) if isinstance(pre, Tensor) else pre.reshape_rows(steps * events, batch)

        delta = connection.sum_rows(eligibility, found.waiting) + self._earned(connection, flat_pre, post, found)
        eligibility.mul_(per_row(found.through, eligibility))
        connection.hebbian(scaled(post, found.reach).flatten(0, 1), flat_pre, out=eligibility)
        return delta

    @staticmethod
    def _earned(connection: Connection, pre: Tensor | SparseSpikes, post: Tensor, found: Returns) -> Tensor:
        """What the window's own coincidences earn ``[*weight.shape]``; ``pre`` is ``[events, batch, *pre_shape]``."""
        return connection.hebbian(scaled(post, found.share).flatten(0, 2).unsqueeze(1), fold_batch(pre))[0]

    def returns(self, third: ThirdFactor, length: int = 1) -> Returns:
        """What steps of ``length`` simulation steps earn."""
        modulator, instant = required(third.modulator), third.instant
        if self.learning_rate != 1:
            modulator = self.learning_rate * modulator
            instant = None if instant is None else self.learning_rate * instant
        spread = self.DECAYS_EACH_SIM_STEP and length > 1
        going_on = torch.ones_like(modulator) if third.continuing is None else third.continuing
        carry = (self.decay**length if spread else self.decay) * going_on
        earned, reach, through = earnings(modulator, carry, self.decay * going_on if spread else carry)
        waiting = self.decay ** (length - 1) * earned[0] if spread else earned[0]
        return Returns(earned if instant is None else earned + instant, reach, waiting, through)


def _in_one_pass(connection: Connection, eligibility: Tensor, pre: Tensor, post: Tensor) -> bool:
    """Whether a compiled loop can go through an eligibility that is too large for a cache."""
    large = type(connection) is Dense and eligibility.numel() > LARGE
    return large and takes_loop(eligibility, pre, post) and eligibility.transpose(1, 2).is_contiguous()


def required(modulator: Tensor | None) -> Tensor:
    """The modulator, which must be there."""
    if modulator is None:
        raise ConfigError("modulator=None: must be a tensor [time, batch], the reward or its prediction error")
    return modulator


def earnings(modulator: Tensor, carry: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What each step's coincidences earn within the window, how much of them is left after it, and of those before it.

    ``earned[k] = modulator[k] + carry[k] * earned[k+1]`` and ``reach[k] = last[k] * carry[k+1] * ... * carry[-1]``, all
    ``[steps, batch]``; of what was there before the window the product of all ``carry`` ``[batch]`` is left.
    """
    if len(modulator) == 1:
        return modulator, last, carry[0]
    earned, reach = torch.empty_like(modulator), torch.empty_like(modulator)
    ahead, onward = torch.zeros_like(modulator[0]), torch.ones_like(modulator[0])
    for step in range(modulator.shape[0] - 1, -1, -1):
        ahead = modulator[step] + carry[step] * ahead
        earned[step], reach[step] = ahead, last[step] * onward
        onward = carry[step] * onward
    return earned, reach, onward


def scaled(post: Tensor, factor: Tensor) -> Tensor:
    """``post`` ``[steps, events, batch, ...]`` times ``factor`` ``[steps, batch]``."""
    return post * per_row(factor.unsqueeze(1), post)


def fold_batch(activity: Tensor | SparseSpikes) -> Tensor | SparseSpikes:
    """``[events, batch, ...]`` as ``[events * batch, 1, ...]``: the sum over rows is a sum over events."""
    if isinstance(activity, Tensor):
        return activity.flatten(0, 1).unsqueeze(1)
    return activity.reshape_rows(activity.row_count, 1)
