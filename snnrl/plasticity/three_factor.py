"""Reward-modulated spike-timing-dependent plasticity with eligibility traces."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from snnrl.connections.base import Connection
from snnrl.errors import KnownSettings, require
from snnrl.spikes import SparseSpikes, as_dtype


class ThreeFactorState(NamedTuple):
    """State of :class:`ThreeFactor`."""

    eligibility: Tensor
    """``[batch, *weight.shape]``, already decayed to the step that comes next."""


class ThreeFactor(KnownSettings, nn.Module):
    r"""Three-factor rule: coincidences leave a trace on each synapse, a modulator turns the trace into a change.

    ``e[k] = decay * continuing[k-1] * e[k-1] + H[k]`` and ``dw = sum over k and batch of modulator[k] * e[k]``, where
    ``H[k]`` is the Hebbian product of step ``k`` and every row of the batch has an eligibility of its own
    (Izhikevich 2007, Cereb. Cortex 17:2443; Frémaux & Gerstner 2016, Front. Neural Circuits 9:85, eq. 3). With
    ``decay = gamma * lambda`` and the temporal-difference error as the modulator this is TD(lambda) with
    accumulating traces (Sutton & Barto 2018, Reinforcement Learning, sec. 12.2 and 13.5).

    The rule takes a stretch of steps during which the weights stood still and gathers their changes at once:
    a coincidence's share of the change is its credit, the decayed sum of the modulators that follow it, so each
    stretch costs one pass over the eligibility however many steps it has.

    Args:
        decay: factor by which eligibility shrinks from one step to the next, in [0, 1].

    Raises:
        ConfigError: ``decay`` out of range.
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        require(0 <= decay <= 1, "decay", decay, "in [0, 1]")
        self.decay = decay

    def init_state(self, connection: Connection, batch: int) -> ThreeFactorState:
        """No eligibility, for ``batch`` rows."""
        return ThreeFactorState(connection.new_eligibility(batch))

    @torch.no_grad()
    def forward(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: ThreeFactorState,
        modulator: Tensor,
        continuing: Tensor,
        instant: Tensor | None = None,
    ) -> tuple[Tensor, ThreeFactorState]:
        """The weight change of a stretch, and the eligibility after it.

        Args:
            connection: the synapses.
            pre: ``[steps, events, batch, *pre_shape]``, presynaptic traces or spikes; a step may have several events.
            post: ``[steps, events, batch, *post_shape]``, postsynaptic activity.
            state: the eligibility before the stretch; it is updated in place.
            modulator: ``[steps, batch]``, the third factor that follows each step.
            continuing: ``[steps, batch]``, 0 where the trace ends after the step (the episode did), else 1.
            instant: ``[steps, batch]``, a modulator that acts on the coincidences of its own step only.

        Returns:
            The change ``[*weight.shape]`` summed over steps and batch, and the new state.
        """
        eligibility = state.eligibility
        dtype = eligibility.dtype
        post, modulator = as_dtype(post, dtype, "post"), as_dtype(modulator, dtype, "modulator")
        continuing = as_dtype(continuing, dtype, "continuing")
        instant = None if instant is None else as_dtype(instant, dtype, "instant")
        steps, events = post.shape[:2]
        carry = self.decay * continuing
        credit, reach = _credits(modulator, carry)
        share = credit if instant is None else credit + instant
        flat_pre = pre.flatten(0, 1) if isinstance(pre, Tensor) else pre.reshape_rows(steps * events, post.shape[2])

        delta = connection.sum_rows(eligibility, credit[0])
        delta = delta + connection.hebbian(_scaled(post, share).flatten(0, 2).unsqueeze(1), _fold_batch(flat_pre))[0]

        eligibility.mul_(_broadcast(reach[0], eligibility))
        connection.hebbian(_scaled(post, reach).flatten(0, 1), flat_pre, out=eligibility)
        return delta, ThreeFactorState(eligibility)


def _credits(modulator: Tensor, carry: Tensor) -> tuple[Tensor, Tensor]:
    """What each step's coincidences earn within the stretch, and how much of them reaches beyond it.

    ``credit[k] = modulator[k] + carry[k] * credit[k+1]`` and ``reach[k] = carry[k] * ... * carry[last]``, all
    ``[steps, batch]``.
    """
    if len(modulator) == 1:
        return modulator, carry
    credit, reach = torch.empty_like(modulator), torch.empty_like(modulator)
    ahead, onward = torch.zeros_like(modulator[0]), torch.ones_like(modulator[0])
    for step in range(modulator.shape[0] - 1, -1, -1):
        ahead = modulator[step] + carry[step] * ahead
        onward = carry[step] * onward
        credit[step], reach[step] = ahead, onward
    return credit, reach


def _broadcast(rows: Tensor, like: Tensor) -> Tensor:
    return rows.view(*rows.shape, *[1] * (like.dim() - rows.dim()))


def _scaled(post: Tensor, factor: Tensor) -> Tensor:
    """``post`` ``[steps, events, batch, ...]`` times ``factor`` ``[steps, batch]``."""
    return post * _broadcast(factor.unsqueeze(1), post)


def _fold_batch(activity: Tensor | SparseSpikes) -> Tensor | SparseSpikes:
    """``[events, batch, ...]`` as ``[events * batch, 1, ...]``: the sum over rows is a sum over events."""
    if isinstance(activity, Tensor):
        return activity.flatten(0, 1).unsqueeze(1)
    return activity.reshape_rows(activity.row_count, 1)
