"""Two spiking readouts of one encoder: an actor that prefers actions and a critic that predicts reward."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from snnrl.connections import Dense
from snnrl.decoders import population_rates
from snnrl.encoders import Encoder
from snnrl.errors import require
from snnrl.neurons import EscapeNoise, EscapeNoiseState, SaturatingIF, SaturatingIFState
from snnrl.spikes import SparseSpikes
from snnrl.traces import decay_factor, decay_kernel, scan_trace


class ActorCriticState(NamedTuple):
    """Episode state of :class:`ActorCritic`."""

    encoder: tuple[Any, ...]
    actor: EscapeNoiseState
    critic: SaturatingIFState
    trace: Tensor
    """``[batch, size]`` presynaptic trace; ``[batch, 0]`` for an encoder of volleys, whose traces end with a window."""


class Activity(NamedTuple):
    """What the network did in one window."""

    preference: Tensor
    """``[batch, actions]``: spikes per neuron of each action's population."""
    value: Tensor
    """``[batch]``: the critic's prediction."""
    pre: Tensor | SparseSpikes
    """``[events, batch, size]``: presynaptic factor of the Hebbian product."""
    actor: Tensor
    """``[events, batch, actions * neurons]``: postsynaptic factor of the actor."""
    critic: Tensor
    """``[events, batch, neurons]``: postsynaptic factor of the critic."""


class ActorCritic(nn.Module):
    """An encoder read out by a population of stochastic neurons for each action, and by critic neurons.

    The weights stand still within a window, so the currents of all simulation steps are one product. A window from a
    train of spikes has one Hebbian event for each simulation step, ``trace[t] x spikes[t]``; in a window from a volley
    every presynaptic trace is the same exponential, so that its one event is the volley times the postsynaptic spikes
    weighted by that exponential.

    Args:
        encoder: observation to spikes.
        actor: the neurons of all actions, those of one action side by side.
        critic: the critic's neurons.
        actions: number of populations that share the actor's neurons equally.
        value_range: values at which the critic is silent and at its highest rate.
        sim_steps: length of the window.
        tau_pre: time constant of the presynaptic trace in ms.
        dt: simulation step in ms.
        postsynaptic_floor: added to postsynaptic spikes in the Hebbian product; keeps silent neurons plastic.
        weight_mean: mean of the initial weights.
        weight_std: standard deviation of the initial weights.
        weight_bound: largest absolute weight.
        generator: where initial weights are drawn from.
    """

    def __init__(
        self,
        encoder: Encoder[Any],
        actor: EscapeNoise,
        critic: SaturatingIF,
        *,
        actions: int,
        value_range: tuple[float, float],
        sim_steps: int,
        tau_pre: float,
        dt: float,
        postsynaptic_floor: float,
        weight_mean: float,
        weight_std: float,
        weight_bound: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        require(sim_steps >= 1, "sim_steps", sim_steps, "at least 1")
        require(actor.size % actions == 0, "actions", actions, f"a divisor of the {actor.size} neurons of the actor")
        self.encoder, self.actor, self.critic, self.actions = encoder, actor, critic, actions
        self.value_low, self.value_high = value_range
        self.sim_steps, self.floor = sim_steps, postsynaptic_floor
        self.decay = decay_factor(tau_pre, dt, "tau_pre")

        def readout(size: int) -> Dense:
            return Dense(
                encoder.size,
                size,
                weight_mean=weight_mean,
                weight_std=weight_std,
                bounds=(-weight_bound, weight_bound),
                generator=generator,
            )

        self.to_actor, self.to_critic = readout(actor.size), readout(critic.size)

    def init_state(self, batch: int) -> ActorCriticState:
        """The state at the start of an episode, for ``batch`` rows."""
        size = 0 if self.encoder.synchronous else self.encoder.size
        return ActorCriticState(
            self.encoder.init_state(batch),
            self.actor.init_state(batch),
            self.critic.init_state(batch),
            self.to_actor.weight.new_zeros((batch, size)),
        )

    def forward(
        self, observation: Tensor, state: ActorCriticState, *, expected: bool = False
    ) -> tuple[Activity, ActorCriticState]:
        """Run one window.

        Args:
            observation: ``[batch, *observation_shape]``.
            state: from :meth:`init_state` or the last window.
            expected: take the actor's firing probabilities in place of drawn spikes, which makes the preference exact.

        Returns:
            The activity and the state after the window.
        """
        spikes, encoder_state = self.encoder(observation, state.encoder)
        fire = self.actor.expect if expected else self.actor.scan
        if isinstance(spikes, SparseSpikes):
            batch = spikes.rows[0]
            actor, _ = fire(self._volley(self.to_actor(spikes)), self.actor.init_state(batch))
            critic, _ = self.critic.scan(self._volley(self.to_critic(spikes)), self.critic.init_state(batch))
            kernel = decay_kernel(self.sim_steps, self.decay, actor)
            pre: Tensor | SparseSpikes = spikes.reshape_rows(1, batch)
            factors = [torch.einsum("t,tbn->bn", kernel, post + self.floor).unsqueeze(0) for post in (actor, critic)]
            after = state._replace(encoder=encoder_state)
        else:
            actor, actor_state = fire(self.to_actor(spikes), state.actor)
            critic, critic_state = self.critic.scan(self.to_critic(spikes), state.critic)
            pre = scan_trace(spikes, state.trace, self.decay)
            factors = [post + self.floor if self.floor else post for post in (actor, critic)]
            after = ActorCriticState(encoder_state, actor_state, critic_state, pre[-1])
        most = self.critic.rate_max * self.sim_steps
        level = critic.sum(0).mean(-1) / most
        value = self.value_low + (self.value_high - self.value_low) * level
        return Activity(population_rates(actor, self.actions), value, pre, factors[0], factors[1]), after

    def _volley(self, current: Tensor) -> Tensor:
        """``[batch, n]`` at the window's first step, silence after it: ``[time, batch, n]``."""
        return torch.cat([current.unsqueeze(0), current.new_zeros((self.sim_steps - 1, *current.shape))])
