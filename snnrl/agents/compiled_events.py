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
from snnrl.state import reset_rows
from snnrl.traces import decay_kernel
from snnrl.types import Array


class CompiledEvents(CompiledStep):
    """For encoders of synchronous spikes; learning goes by the agent's definition.

    Args:
        agent: its parts.
        encoder: the agent's.
        fused: its readouts.
    """

    def __init__(self, agent: Parts, encoder: AnyEncoder, fused: FusedReadouts) -> None:
        super().__init__(agent, fused)
        self.encoder = encoder

    def see(
        self, seen: Array, feedback: Feedback, before: ActorCriticState
    ) -> tuple[Activity, ActorCriticState] | None:
        agent, fused, a, c = self.agent, self.fused, self.fused.actor, self.fused.critic
        weights = fused.to_actor.weight, fused.to_critic.weight
        if feedback.reset.any():
            before = reset_rows(before, agent.network.begin(len(seen)), torch.from_numpy(feedback.reset))
        spikes, encoder = self.encoder(self.encoder.placed(seen, weights[0].device), before.encoder)
        assert isinstance(spikes, SparseSpikes)
        kind, batch, time = KINDS[weights[0].dtype], len(seen), agent.config.sim_steps
        noise = uniform((time, batch, a.size), weights[0], a.generator)
        actor, critic = (np.empty((time, batch, width), kind) for width in (a.size, c.size))
        factors = [np.empty((1, batch, width), kind) for width in (a.size, c.size)]
        preference, level = np.empty((batch, agent.code.populations), kind), np.empty(batch, kind)
        run_instant(
            np.searchsorted(spikes.row.numpy(), np.arange(batch + 1)),
            spikes.index.numpy(),
            spikes.to(weights[0].dtype).value.numpy(),
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
