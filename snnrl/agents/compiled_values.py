"""The agent of action values on synchronous spikes, compiled."""

from __future__ import annotations

import numpy as np
import torch

from snnrl.agents.compiled_events import at_once, events
from snnrl.agents.compiled_step import KINDS, NOTHING, CompiledStep, Parts, tensors
from snnrl.connections import Dense
from snnrl.envs import Feedback
from snnrl.kernels.action_values import run_values
from snnrl.networks import Activity, ActorCriticState, Seen
from snnrl.neurons import SaturatingIF
from snnrl.plasticity import ThreeFactor, TruncatedThreeFactor
from snnrl.types import Array


class CompiledValues(CompiledStep):
    """For action values of graded rates behind encoders of synchronous spikes; learning goes by the agent's definition.

    Args:
        agent: its parts.
        actor: its actor and what leads there.
        critic: its critic, likewise.
    """

    def __init__(self, agent: Parts, actor: tuple[SaturatingIF, Dense], critic: tuple[SaturatingIF, Dense]) -> None:
        super().__init__(agent, actor[1], critic[1])
        self.encoder, self.keys = agent.network.encoder, tuple(agent.network.connections)
        self.actor, self.critic = actor[0], critic[0]
        self.explores, self.highest = True, float(self.actor.rate_max * agent.config.sim_steps)

    def see(
        self, seen: Array, feedback: Feedback, before: ActorCriticState
    ) -> tuple[Activity, ActorCriticState] | None:
        agent, ends = self.agent, (self.actor, self.critic)
        weights = [readout.weight for readout in self.readouts]
        spikes, encoder = at_once(agent, self.encoder, seen, feedback, before)
        kind, batch, time = KINDS[weights[0].dtype], len(seen), agent.config.sim_steps
        actor, critic = (np.empty((time, batch, end.size), kind) for end in ends)
        preference, level = np.empty((batch, agent.code.populations), kind), np.empty(batch, kind)
        run_values(
            *events(spikes, weights[0].dtype),
            weights[0].t().numpy(),
            weights[1].t().numpy(),
            self.actor.phase.numpy(),
            self.critic.phase.numpy(),
            _numbers(self.actor),
            _numbers(self.critic),
            actor,
            critic,
            preference,
            level,
        )
        pre = spikes.reshape_rows(1, batch)
        fired = dict(zip(("actor", "critic"), tensors(actor, critic), strict=True))
        views = {key: Seen(pre, post) for key, post in zip(self.keys, fired.values(), strict=True)}
        activity = Activity(torch.from_numpy(preference), torch.from_numpy(level), NOTHING, fired, views, spikes)
        return activity, before._replace(encoder=encoder)


def _numbers(neurons: SaturatingIF) -> tuple[float, float, float, float]:
    return neurons.decay, float(neurons.gain), float(neurons.tonic), float(neurons.rate_max)


def compiled_values(agent: Parts) -> CompiledValues | None:
    """What serves an agent of action values with the readouts of the default on the CPU, else ``None``."""
    network = agent.network
    alone = network.encoder.synchronous and not network.persistent and agent.config.sim_steps > 1
    if not alone or network.graded != {"actor", "critic"} or agent.rate_scale().device.type != "cpu":
        return None
    parts: list[object] = [*network.neurons.values(), *network.connections.values()]
    if list(map(type, parts)) != [SaturatingIF, SaturatingIF, Dense, Dense]:
        return None
    if any(type(rule) not in (ThreeFactor, TruncatedThreeFactor) for rule in network.rules.values()):
        return None
    match parts:
        case [SaturatingIF() as actor, SaturatingIF() as critic, Dense() as to_actor, Dense() as to_critic]:
            return CompiledValues(agent, (actor, to_actor), (critic, to_critic)) if len(network.rules) == 2 else None
    return None
