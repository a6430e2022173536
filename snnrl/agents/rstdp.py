"""The spiking actor-critic that learns by reward-modulated STDP."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from snnrl import noise
from snnrl.agents.base import Agent, Metrics
from snnrl.agents.encoder_factory import make_encoder
from snnrl.agents.rstdp_config import RSTDPConfig
from snnrl.connections import Connection
from snnrl.decoders import ActionCode
from snnrl.encoders import ObjectEncoder, Window
from snnrl.envs import EnvConfig, Feedback
from snnrl.networks import Activity, ActorCritic, ActorCriticState
from snnrl.neurons import EscapeNoise, SaturatingIF
from snnrl.plasticity import EligibilityState, RunningScale, Shuffler, ThirdFactor, ThreeFactor
from snnrl.settings import register
from snnrl.spaces import as_batch, first, split
from snnrl.spikes import SparseSpikes, stack_spikes
from snnrl.state import reset_rows


class Signal(NamedTuple):
    """:class:`~snnrl.envs.Feedback` where the weights are."""

    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    reset: Tensor


class Decision(NamedTuple):
    """A decision whose outcome is not known yet."""

    activity: Activity
    credit: Tensor
    """``[batch, populations]``: see :meth:`~snnrl.decoders.ActionCode.credit`."""
    surprise: Tensor
    """``[batch]``: how much less likely than usual the choice was, ``-log p - entropy``."""


class Outcome(NamedTuple):
    """A decision and what came of it: one step of the three-factor rule."""

    pre: Tensor | SparseSpikes
    actor: Tensor
    critic: Tensor
    td_error: Tensor
    continuing: Tensor
    surprise: Tensor


class Glimpse(NamedTuple):
    """One step of the random play by which an encoder of frames learns what the screen shows."""

    observation: NDArray[Any]
    action: NDArray[np.int64]
    """``[batch]``, a number for each combination of choices."""
    reset: NDArray[np.bool_]


class RSTDPState(NamedTuple):
    """Training state of :class:`RSTDP`."""

    network: ActorCriticState
    actor: EligibilityState
    critic: EligibilityState
    decision: Decision | None
    stretch: tuple[Outcome, ...]
    glimpses: tuple[Glimpse, ...]
    """What has been seen during the warm-up; empty afterwards."""
    exploration_bonus: Tensor | None
    """``[batch, populations]``, added to preferences while exploring."""


@register("rstdp")
class RSTDP(Agent[RSTDPState]):
    """A spiking actor and a spiking critic, both trained by one three-factor rule, without backpropagation.

    The critic's spike count predicts discounted reward; the temporal-difference error ``r + gamma V' - V`` is broadcast
    to all synapses as the modulator (Frémaux, Sprekeler & Gerstner 2013, PLoS Comput. Biol. 9:e1003024). An actor
    synapse's coincidences are multiplied by ``1[its action was taken] - probability``, a centred efference copy: the
    mean of its trace is zero, and only what follows the choice, not what precedes it, moves the weight.

    Args:
        observation_space: any made of numbers: vectors, pictures, numbers with a name, Tuples and Dicts of them.
        action_space: the same, with bounds; every number of an action is chosen by itself.
        config: the recipe.
        env: the environment's recipe.
        seed: of all the agent's randomness.

    Raises:
        ConfigError: a space that the agent cannot take, or a setting out of range.
    """

    Config = RSTDPConfig
    takes_masks = True

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        config: RSTDPConfig,
        env: EnvConfig,
        seed: int = 0,
    ) -> None:
        super().__init__(observation_space, action_space, seed)
        self.config = config
        self.code = ActionCode(action_space, bins=config.action_bins)
        window = Window(config.sim_steps, config.dt, self.generator)
        self.view, encoder = make_encoder(observation_space, config.encoder, window)
        self.network = ActorCritic(
            encoder,
            EscapeNoise(
                self.code.populations * config.actor_neurons,
                tau_mem=config.tau,
                v_threshold=config.actor_threshold,
                width=config.actor_width,
                dt=config.dt,
                generator=self.generator,
            ),
            SaturatingIF(
                config.critic_neurons,
                tau_syn=config.tau,
                gain=config.critic_gain,
                tonic=config.critic_tonic,
                dt=config.dt,
            ),
            actions=self.code.populations,
            value_range=config.value_range,
            sim_steps=config.sim_steps,
            tau_pre=config.tau,
            dt=config.dt,
            postsynaptic_floor=config.postsynaptic_floor,
            weight_mean=config.weight_mean,
            weight_std=config.weight_std,
            weight_bound=config.weight_bound,
            generator=self.generator,
        )
        self.rule = ThreeFactor(config.gamma * config.trace_lambda)
        self.td_scale = RunningScale()
        self.drive = RunningScale()
        self.shuffler = Shuffler(generator=self.generator) if config.modulator == "shuffled" else None
        self.register_buffer("learning_rate_scale", torch.ones(()))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.network.to_actor.weight.device

    @property
    def can_checkpoint(self) -> bool:
        encoder = self.network.encoder
        return not isinstance(encoder, ObjectEncoder) or encoder.calibrated

    def begin(self, num_envs: int) -> RSTDPState:
        return RSTDPState(
            self.network.init_state(num_envs),
            EligibilityState((), self.network.to_actor.new_eligibility(num_envs)),
            EligibilityState((), self.network.to_critic.new_eligibility(num_envs)),
            None,
            (),
            (),
            None,
        )

    def decision_bytes(self) -> int:
        """The window's spikes of actor and critic, ``[time, batch, neurons]``."""
        weight = self.network.to_actor.weight
        return self.config.sim_steps * (self.network.actor.size + self.network.critic.size) * weight.element_size()

    def anneal(self, progress: float) -> None:
        left = 1 - progress * (1 - self.config.lr_end_factor)
        self.get_buffer("learning_rate_scale").fill_(left)

    @torch.no_grad()
    def act(self, observation: Any, feedback: Feedback, state: RSTDPState) -> tuple[Any, RSTDPState]:
        if not self.training:
            self.train()
        seen = self.view(split(self.observation_space, observation))
        permitted = self._permitted(feedback.action_mask)
        if not self.can_checkpoint:
            return self._warm_up(seen, feedback, permitted, state)
        signal = Signal(*(torch.as_tensor(part, device=self.device) for part in feedback[: len(Signal._fields)]))
        network = state.network
        if feedback.reset.any():
            network = reset_rows(network, self.network.init_state(len(seen)), signal.reset)
        activity, network = self.network(torch.as_tensor(seen, device=self.device), network)
        stretch = state.stretch
        if state.decision is not None:
            stretch = (*stretch, self._outcome(state.decision, signal, activity.value))
        temperature = self.config.temperature
        policy = self.code.policy(activity.preference, temperature, permitted)
        bonus, behaviour = state.exploration_bonus, policy
        if self.config.exploration_bonus:
            bonus = self._exploration_bonus(bonus, activity.preference)
            behaviour = self.code.policy(activity.preference + bonus, temperature, permitted)
        choice = self.code.explore(behaviour, self.generator, permitted)
        decision = Decision(activity, self.code.credit(choice, policy), _surprise(choice, policy))
        after = state._replace(network=network, decision=decision, stretch=stretch, exploration_bonus=bonus)
        return self.code.chosen(choice), after

    def _exploration_bonus(self, bonus: Tensor | None, preference: Tensor) -> Tensor:
        """The bonus of all rows, now and then drawn anew: a preference for a random choice of each dimension.

        Exploration that is extended in time reaches what single random actions do not (Dabney, Ostrovski & Barreto
        2021, ICLR). Credit is given relative to the policy without it, as to any perturbation of a neuron whose effect
        on reward is observed (Fiete & Seung 2006, Phys. Rev. Lett. 97:048104).
        """
        batch = len(preference)
        choice = self.code.at_random(batch, self.device, self.generator)
        drawn = self.config.exploration_bonus * self.code.indicator(choice, preference.dtype)
        if bonus is None:
            return drawn
        anew = noise.uniform((batch, 1), preference, self.generator) < 1 / self.config.exploration_steps
        return torch.where(anew, drawn, bonus)

    def _permitted(self, mask: NDArray[Any] | None) -> Tensor | None:
        return None if mask is None else self.code.permitted(mask, self.device)

    def _warm_up(
        self, observation: NDArray[Any], feedback: Feedback, permitted: Tensor | None, state: RSTDPState
    ) -> tuple[Any, RSTDPState]:
        """Act at random; after enough of it the encoder learns what has been seen, and learning begins."""
        batch = len(observation)
        even = self.code.even(batch, self.device, permitted)
        choice = self.code.explore(even, self.generator, permitted)
        action = self.code.chosen(choice)
        number = (choice.cpu() * self.code.choices ** torch.arange(self.code.dims)).sum(-1)
        glimpses = (*state.glimpses, Glimpse(observation.copy(), number.numpy(), feedback.reset))
        if len(glimpses) < 2 or len(glimpses) * batch < self.config.warmup_steps:
            return action, state._replace(glimpses=glimpses)
        encoder = self.network.encoder
        assert isinstance(encoder, ObjectEncoder)
        encoder.calibrate(
            np.stack([glimpse.observation[:, 0] for glimpse in glimpses]),
            np.stack([glimpse.action for glimpse in glimpses[:-1]]),
            np.stack([~glimpse.reset for glimpse in glimpses[1:]]),
        )
        return action, state._replace(network=self.network.init_state(batch), glimpses=())

    def _outcome(self, decision: Decision, signal: Signal, value: Tensor) -> Outcome:
        """Close a decision: its temporal-difference error, and traces that end where the episode did."""
        decided = ~signal.reset
        ahead = torch.where(signal.terminated, torch.zeros_like(value), self.config.gamma * value)
        td_error = (signal.reward + ahead - decision.activity.value) * decided
        continuing = (decided & ~signal.terminated & ~signal.truncated).to(value.dtype)
        counted = decided.to(value.dtype)[None, :, None]
        credit = decision.credit.repeat_interleave(self.config.actor_neurons, dim=1)
        return Outcome(
            decision.activity.pre,
            decision.activity.actor * credit * counted,
            decision.activity.critic * counted,
            td_error,
            continuing,
            decision.surprise * decided,
        )

    @torch.no_grad()
    def learn(self, state: RSTDPState) -> tuple[RSTDPState, Metrics]:
        if len(state.stretch) < self.config.update_every:
            return state, {}
        pres, actors, critics, td_errors, continuings, surprises = zip(*state.stretch, strict=True)
        pre = stack_spikes(pres) if isinstance(pres[0], SparseSpikes) else _stack(pres)
        td_error, continuing = _stack(td_errors), _stack(continuings)
        scale = self.td_scale(td_error)
        metrics = {"train/td_error_rms": td_error.square().mean().sqrt(), "train/value_mean": self._mean_value(state)}
        modulator = td_error if self.shuffler is None else self.shuffler(td_error)
        if not self.config.plasticity:
            return state._replace(stretch=()), metrics

        rate = self.get_buffer("learning_rate_scale") / self._batch_share(pre)
        instant = self.config.entropy_coef * _stack(surprises) if self.config.entropy_coef else None
        actor_modulator = modulator / scale if self.config.normalise_td else modulator
        actor = self._change(
            self.network.to_actor,
            pre,
            _stack(actors),
            state.actor,
            actor_modulator,
            continuing,
            instant,
            self.config.actor_lr * rate,
        )
        critic = self._change(
            self.network.to_critic,
            pre,
            _stack(critics),
            state.critic,
            modulator,
            continuing,
            None,
            self.config.critic_lr * rate,
        )
        return state._replace(actor=actor, critic=critic, stretch=()), metrics

    def _mean_value(self, state: RSTDPState) -> Tensor:
        assert state.decision is not None
        return state.decision.activity.value.mean()

    def _batch_share(self, pre: Tensor | SparseSpikes) -> Tensor:
        """The mean squared length of one Hebbian event's presynaptic activity where rates are per input, else 1."""
        if not self.config.lr_per_input:
            return torch.ones((), device=self.device)
        values = pre.value if isinstance(pre, SparseSpikes) else pre
        windows = pre.row_count if isinstance(pre, SparseSpikes) else pre[..., 0].numel()
        length: Tensor = self.drive((values.square().sum() / windows).sqrt().unsqueeze(0))
        return length**2

    def _change(
        self,
        connection: Connection,
        pre: Tensor | SparseSpikes,
        post: Tensor,
        state: EligibilityState,
        modulator: Tensor,
        continuing: Tensor,
        instant: Tensor | None,
        rate: Tensor,
    ) -> EligibilityState:
        third = ThirdFactor(modulator, continuing, instant)
        connection.apply_(rate * self.rule.gather(connection, pre, post, state.eligibility, third))
        return state

    @torch.no_grad()
    def predict(
        self,
        observation: Any,
        state: Any | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: NDArray[Any] | None = None,
    ) -> tuple[Any, Any]:
        if self.training:
            self.eval()
        arrays, batched = as_batch(self.observation_space, observation)
        seen = self.view(arrays)
        permitted = None if action_masks is None else self._permitted(np.reshape(action_masks, (len(seen), -1)))
        fresh = self.network.init_state(len(seen))
        network: ActorCriticState = fresh if state is None else state
        if episode_start is not None and state is not None and np.any(episode_start):
            rows = torch.as_tensor(np.asarray(episode_start, dtype=bool), device=self.device)
            network = reset_rows(network, fresh, rows)
        activity, network = self.network(torch.as_tensor(seen, device=self.device), network, expected=deterministic)
        policy = self.code.policy(activity.preference, self.config.temperature, permitted)
        if deterministic:
            action = self.code.best(policy)
        else:
            action = self.code.chosen(self.code.explore(policy, self.generator, permitted))
        return (action if batched else first(self.action_space, action)), network


def _stack(parts: tuple[Tensor, ...]) -> Tensor:
    """:func:`torch.stack`, without a copy where there is one part."""
    return parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)


def _surprise(choice: Tensor, policy: Tensor) -> Tensor:
    """``-log p(choice) - entropy``, summed over action dimensions, ``[batch]``."""
    log_policy = torch.log(policy.clamp_min(1e-8))
    taken = log_policy.gather(-1, choice.unsqueeze(-1)).squeeze(-1)
    entropy = -(policy * log_policy).sum(-1)
    return (-taken - entropy).sum(-1)
