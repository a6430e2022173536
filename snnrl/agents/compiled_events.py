"""The default agent on synchronous spikes, compiled: pictures, objects in them, and whatever else fires at once."""

from __future__ import annotations

import numpy as np
import torch

from snnrl.agents.compiled_step import KINDS, NOTHING, CompiledStep, Parts, tensors
from snnrl.encoders import AnyEncoder
from snnrl.envs import Feedback
from snnrl.kernels.instant import run_instant
from snnrl.networks import Activity, ActorCriticState, Seen
from snnrl.networks.fused_readouts import FusedReadouts
from snnrl.noise import uniform
from snnrl.spikes import SparseSpikes
from snnrl.state import State, reset_rows
from snnrl.traces import decay_kernel
from snnrl.types import Array


def at_once(
    agent: Parts, encoder: AnyEncoder, seen: Array, feedback: Feedback, before: ActorCriticState
) -> tuple[SparseSpikes, State]:
    """Synchronous spikes of a decision, and the encoder's state after it."""
    state = before.encoder
    if feedback.reset.any():
        state = reset_rows(state, encoder.init_state(len(seen)), torch.from_numpy(feedback.reset))
    spikes, state = encoder(encoder.placed(seen, agent.rate_scale().device), state)
    assert isinstance(spikes, SparseSpikes)
    return spikes, state


def events(spikes: SparseSpikes, dtype: torch.dtype) -> tuple[Array, Array, Array]:
    """Where the events of each row ``(batch,)`` begin and the last ones end, which neurons spike, and how loud."""
    begins = np.searchsorted(spikes.row.numpy(), np.arange(spikes.row_count + 1))
    return begins, spikes.index.numpy(), spikes.to(dtype).value.numpy()


class CompiledEvents(CompiledStep):
    """For encoders of synchronous spikes; learning goes by the agent's definition.

    Args:
        agent: its parts.
        encoder: the agent's.
        fused: its readouts.
    """

    def __init__(self, agent: Parts, encoder: AnyEncoder, fused: FusedReadouts) -> None:
        super().__init__(agent, fused.to_actor, fused.to_critic)
        self.fused, self.encoder = fused, encoder

    def serves(self) -> bool:
        self.serving = self.agent.network.fused is self.fused and super().serves()
        return self.serving

    def see(
        self, seen: Array, feedback: Feedback, before: ActorCriticState
    ) -> tuple[Activity, ActorCriticState] | None:
        agent, fused, a, c = self.agent, self.fused, self.fused.actor, self.fused.critic
        weights = fused.to_actor.weight, fused.to_critic.weight
        spikes, encoder = at_once(agent, self.encoder, seen, feedback, before)
        kind, batch, time = KINDS[weights[0].dtype], len(seen), agent.config.sim_steps
        noise = uniform((time, batch, a.size), weights[0], a.generator)
        actor, critic = (np.empty((time, batch, width), kind) for width in (a.size, c.size))
        factors = [np.empty((1, batch, width), kind) for width in (a.size, c.size)]
        preference, level = np.empty((batch, agent.code.populations), kind), np.empty(batch, kind)
        run_instant(
            *events(spikes, weights[0].dtype),
            weights[0].t().numpy(),
            weights[1].t().numpy(),
            c.phase.numpy(),
            noise.numpy(),
            (a.decay, a.v_threshold, a.width, a.rate_max),
            (c.decay, c.gain, c.tonic, c.rate_max),
            decay_kernel(time, fused.actor_rule.decay_pre, weights[0]).numpy(),
            (float(fused.actor_rule.postsynaptic_floor), float(fused.critic_rule.postsynaptic_floor)),
            actor,
            critic,
            factors[0][0],
            factors[1][0],
            preference,
            level,
        )
        pre = spikes.reshape_rows(1, batch)
        views = {key: Seen(pre, factor) for key, factor in zip(fused.keys, tensors(*factors), strict=True)}
        fired = dict(zip(("actor", "critic"), tensors(actor, critic), strict=True))
        activity = Activity(torch.from_numpy(preference), torch.from_numpy(level), NOTHING, fired, views, spikes)
        return activity, before._replace(encoder=encoder)
