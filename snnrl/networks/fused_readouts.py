"""The default readouts of an actor-critic, fused: they share one trace, and synchronous spikes are one event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.networks.inputs import Spikes
from snnrl.networks.sharing import WHOLE
from snnrl.networks.structure import Structure
from snnrl.networks.window_run import Seen
from snnrl.neurons import EscapeNoise, EscapeNoiseState, SaturatingIF, SaturatingIFState
from snnrl.plasticity import EligibilityState, ThirdFactor, ThreeFactor
from snnrl.spikes import SparseSpikes
from snnrl.traces import decay_kernel, scan_trace


class FusedWindow(NamedTuple):
    """What came of one window."""

    actor: Tensor
    """``[time, batch, neurons]`` spikes, or the probabilities of them."""
    critic: Tensor
    seen: dict[str, Seen]
    """Factors of Hebbian products: ``[events, batch, neurons]`` on either side."""
    neurons: tuple[EscapeNoiseState, SaturatingIFState]
    trace: Tensor


class FusedReadouts:
    """An input that is read by an actor of :class:`EscapeNoise` and a critic of :class:`SaturatingIF`, both plastic.

    The definition is :class:`~snnrl.networks.Network` with :class:`~snnrl.plasticity.ThreeFactor`, to which this is
    equal. A window from a train of spikes has one Hebbian event for each simulation step, ``trace[t] x spikes[t]``; in
    a window from synchronous spikes every presynaptic trace is the same exponential, so that its one event is the
    presynaptic spikes times the postsynaptic ones weighted by that exponential.

    Args:
        actor: the actor's neurons, how they are connected and how that learns.
        critic: the critic's; the two rules have the same presynaptic time constant.
        keys: of the two connections.
        sim_steps: length of a window.
    """

    def __init__(
        self,
        actor: tuple[EscapeNoise, Dense, ThreeFactor],
        critic: tuple[SaturatingIF, Dense, ThreeFactor],
        keys: tuple[str, str],
        sim_steps: int,
    ) -> None:
        self.actor, self.to_actor, self.actor_rule = actor
        self.critic, self.to_critic, self.critic_rule = critic
        self.keys, self.sim_steps = keys, sim_steps
        self.shares = dict.fromkeys(keys, WHOLE)

    def run(
        self,
        spikes: Spikes,
        neurons: tuple[EscapeNoiseState, SaturatingIFState],
        trace: Tensor,
        *,
        expected: bool,
        learning: bool,
    ) -> FusedWindow:
        """Run one window.

        Args:
            spikes: ``[time, batch, size]``, or synchronous ones with rows ``(batch,)``.
            neurons: state of the two populations.
            trace: ``[batch, size]`` of the presynaptic spikes.
            expected: take the actor's firing probabilities in place of drawn spikes.
            learning: whether to note what the rules want to know.
        """
        fire = self.actor.expect if expected else self.actor.scan
        floors = self.actor_rule.postsynaptic_floor, self.critic_rule.postsynaptic_floor
        if isinstance(spikes, SparseSpikes):
            batch = spikes.rows[0]
            actor, _ = fire(self._at_once(self.to_actor(spikes)), self.actor.init_state(batch))
            critic, _ = self.critic.scan(self._at_once(self.to_critic(spikes)), self.critic.init_state(batch))
            if not learning:
                return FusedWindow(actor, critic, {}, neurons, trace)
            kernel = decay_kernel(self.sim_steps, self.actor_rule.decay_pre, actor)
            pre: Spikes = spikes.reshape_rows(1, batch)
            factors = [
                torch.einsum("t,tbn->bn", kernel, post + floor).unsqueeze(0)
                for post, floor in zip((actor, critic), floors, strict=True)
            ]
        else:
            actor, actor_state = fire(self.to_actor(spikes), neurons[0])
            critic, critic_state = self.critic.scan(self.to_critic(spikes), neurons[1])
            neurons = actor_state, critic_state
            if not learning:
                return FusedWindow(actor, critic, {}, neurons, trace)
            pre = scan_trace(spikes, trace, self.actor_rule.decay_pre)
            factors = [post + floor if floor else post for post, floor in zip((actor, critic), floors, strict=True)]
            trace = pre[-1]
        seen = {key: Seen(pre, post) for key, post in zip(self.keys, factors, strict=True)}
        return FusedWindow(actor, critic, seen, neurons, trace)

    def _at_once(self, current: Tensor) -> Tensor:
        """``[batch, n]`` at the window's first step, silence after it: ``[time, batch, n]``."""
        return torch.cat([current.unsqueeze(0), current.new_zeros((self.sim_steps - 1, *current.shape))])

    def changes(
        self, seen: Mapping[str, Seen], third: Mapping[str, ThirdFactor], states: tuple[EligibilityState, ...]
    ) -> tuple[dict[str, Tensor], tuple[EligibilityState, ...]]:
        """The change of either connection's weights from factors ``[steps, events, batch, neurons]``, by its key."""
        changes, after = {}, []
        parts = (self.actor_rule, self.to_actor), (self.critic_rule, self.to_critic)
        for key, (rule, connection), state in zip(self.keys, parts, states, strict=True):
            (pre, post), share = seen[key], self.shares[key]
            learned, taken = share.learned(connection), share.taken(pre)
            change, state = rule.learned(learned, taken, post, state, third[key])
            changes[key] = share.joined(change)
            after.append(state)
        return changes, tuple(after)


def fused_readouts(network: Structure, sim_steps: int) -> FusedReadouts | None:
    """The fused implementation of a network that is an input and the default pair of readouts, ``None`` for others."""
    keys = tuple(network.connections)
    parts: list[object] = [*network.neurons.values(), *network.connections.values(), *network.rules.values()]
    match parts:
        case [
            EscapeNoise() as actor,
            SaturatingIF() as critic,
            Dense() as to_actor,
            Dense() as to_critic,
            ThreeFactor() as actor_rule,
            ThreeFactor() as critic_rule,
        ] if list(map(type, parts)) == _DEFAULT and actor_rule.decay_pre == critic_rule.decay_pre:
            ends = (actor, to_actor, actor_rule), (critic, to_critic, critic_rule)
            return FusedReadouts(*ends, (keys[0], keys[1]), sim_steps)
    return None


_DEFAULT = [EscapeNoise, SaturatingIF, Dense, Dense, ThreeFactor, ThreeFactor]
"""What is derived from these may do otherwise."""
