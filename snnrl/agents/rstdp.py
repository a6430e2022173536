"""The spiking actor-critic that learns by reward-modulated STDP."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from snnrl import noise
from snnrl.agents.actor_critic import ActorCriticAgent
from snnrl.agents.base import Metrics
from snnrl.agents.compiled import compiled_step
from snnrl.agents.compiled_step import CompiledStep, Parts
from snnrl.agents.compiled_vectors import CompiledVectors
from snnrl.agents.encoder_factory import make_encoder
from snnrl.agents.look import Look, critic_range, firing, sampled
from snnrl.agents.rstdp_config import RSTDPConfig
from snnrl.agents.rstdp_network import Common, initial_weights, make_network
from snnrl.agents.rstdp_novelty import novelty
from snnrl.agents.rstdp_state import Decision, Glimpse, Outcome, RSTDPState, Signal
from snnrl.decoders import ActionCode
from snnrl.encoders import Window
from snnrl.envs import EnvConfig, Feedback
from snnrl.errors import RunError
from snnrl.networks import Activity, Seen
from snnrl.networks.actor_critic import highest_rate
from snnrl.plasticity import ReturnScale, RewardLimit, RunningScale, Shuffler, TemporalDifference, ThirdFactor
from snnrl.settings import register
from snnrl.spaces import Space, split
from snnrl.state import State, reset_rows
from snnrl.types import Action, Array, Observation

LATELY = 64
"""Updates that :meth:`RSTDP.look` looks back at."""


@register("rstdp")
class RSTDP(ActorCriticAgent):
    """A spiking actor and a spiking critic, trained by local rules with a third factor, without backpropagation.

    The network is what the recipe says: hidden layers, actor and critic, each with a neuron model and a rule. The
    critic's spike count predicts discounted reward; the temporal-difference error ``r + gamma V' - V`` is broadcast to
    all synapses as the modulator (Frémaux, Sprekeler & Gerstner 2013, PLoS Comput. Biol. 9:e1003024). An actor
    synapse's coincidences are multiplied by ``1[its action was taken] - probability``, a centred efference copy: the
    mean of its trace is zero, and only what follows the choice, not what precedes it, moves the weight. Hidden layers
    learn from the actor's modulator without that copy, or by ``e_prop`` from the errors of actions and value, which
    reach each neuron through feedback weights of its own; one with a critic of its own learns from that critic's error.

    Args:
        observation_space: any made of numbers: vectors, pictures, numbers with a name, Tuples and Dicts of them.
        action_space: the same, with bounds; every number of an action is chosen by itself.
        config: the recipe.
        env: the environment's recipe.
        seed: of all the agent's randomness.

    Raises:
        ConfigError: a space that the agent cannot take, or a setting out of range.
    """

    Config: ClassVar[type[RSTDPConfig]] = RSTDPConfig
    GRADED: ClassVar[bool] = False
    """Whether rates are resolved beyond whole spikes, see :class:`~snnrl.networks.ActorCritic`."""
    takes_masks = True

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        config: RSTDPConfig,
        env: EnvConfig,
        seed: int = 0,
    ) -> None:
        super().__init__(observation_space, action_space, seed)
        self.config = config
        self.code = ActionCode(action_space, bins=config.action_bins)
        window = Window(config.sim_steps, config.dt, self.generator)
        self.view, encoder = make_encoder(observation_space, config.encoder, window)
        self.novelty = novelty(encoder, config, self.code.populations)
        numbers = bool(self.code.actions.continuous.any())
        self.suited = config.suited(habituates=self.novelty is not None, continuous=numbers)
        decay = self.suited.gamma * self.suited.trace_lambda
        common = Common(
            config.dt,
            config.tau,
            decay,
            config.actor_lr,
            config.postsynaptic_floor,
            *initial_weights(config.weight_mean, config.weight_std, encoder),
            config.weight_bound,
            self.generator,
            self.suited.critic_tonic,
        )
        self.network = make_network(
            config.network if config.hidden_plasticity else config.network.with_fixed_hidden(),
            common,
            encoder,
            actions=self.code.populations,
            sim_steps=config.sim_steps,
            graded=self.GRADED,
        )
        self.td_error = TemporalDifference(self.suited.gamma)
        self.returns = ReturnScale(self.suited.gamma) if config.value_range is None else None
        self.reward_limit = None if config.reward_limit is None else RewardLimit(config.reward_limit)
        self.td_scale = RunningScale()
        scaled = sorted(set(self.network.scaled.values()))
        self.input_scales = nn.ModuleDict({name: RunningScale() for name in scaled})
        self.shuffler = Shuffler(generator=self.generator) if config.modulator == "shuffled" else None
        self.register_buffer("learning_rate_scale", torch.ones(()))
        self._lately: deque[tuple[Tensor, Tensor]] = deque(maxlen=LATELY)
        self._exploring = 1.0
        self._step: CompiledStep | None = None
        self.train()

    @property
    def can_checkpoint(self) -> bool:
        return self.network.encoder.calibrated

    def begin(self, num_envs: int) -> RSTDPState:
        self._lately.clear()
        rules = self.network.init_rules(num_envs) if self.config.plasticity else ()
        compiled = self._compiled()
        if compiled is not None:
            rules = compiled.laid_out(rules)
        returns = torch.zeros(0, device=self.device) if self.returns is None else self.returns.init_state(num_envs)
        return RSTDPState(self.network.begin(num_envs), rules, None, (), (), None, returns)

    def decision_bytes(self) -> int:
        """The window's spikes of all neurons, ``[time, batch, neurons]``."""
        neurons: int = sum(self.network.neuron(name).size for name in self.network.neurons)
        return self.config.sim_steps * neurons * self.get_buffer("learning_rate_scale").element_size()

    def train(self, mode: bool = True) -> Self:
        """Neurons that adapt for life do so as the rules learn: not where plasticity is off."""
        super().train(mode)
        if not self.config.plasticity:
            self.network.neurons.eval()
        return self

    def anneal(self, progress: float) -> None:
        left = 1 - progress * (1 - self.config.lr_end_factor)
        self.get_buffer("learning_rate_scale").fill_(left)
        self._exploring = 1 - progress * (1 - self.suited.exploration_end_factor)

    @torch.no_grad()
    def act(self, observation: Observation, feedback: Feedback, state: RSTDPState) -> tuple[Action, RSTDPState]:
        if not self.training:
            self.train()
        seen = self.view(split(self.observation_space, observation))
        permitted = self._permitted(feedback.action_mask)
        if not self.can_checkpoint:
            return self._warm_up(seen, feedback, permitted, state)
        compiled = self._compiled()
        if compiled is not None:
            found = compiled.act(seen, feedback, state, self._exploring)
            if found is not None:
                return self.code.chosen(found[0]), found[1]
        signal = Signal.of(feedback, self.device)
        network = state.network
        if feedback.reset.any():
            network = reset_rows(network, self.network.begin(len(seen)), signal.reset)
        placed = self.network.encoder.placed(seen, self.device)
        activity, network = self.network(placed, network)
        visit = None if self.novelty is None else self.novelty.visit(placed)
        untried = None if visit is None else visit.untried
        choice, decision, bonus = self._decide(activity, permitted, state.exploration_bonus, untried)
        window, returns = state.window, state.returns
        if state.decision is not None:
            signal, returns = self._measured(signal, returns)
            if self.novelty is not None and visit is not None:
                signal = signal._replace(reward=signal.reward + self.novelty.reward(visit))
            window = (*window, self._outcome(state.decision, signal, decision))
        if self.novelty is not None and visit is not None:
            self.novelty.use(visit, signal, self.code.indicator(choice, torch.int64))
        after = state._replace(
            network=network, decision=decision, window=window, exploration_bonus=bonus, returns=returns
        )
        return self.code.chosen(choice), after

    def _measured(self, signal: Signal, returns: Tensor) -> tuple[Signal, Tensor]:
        """Rewards within their limit and in units of return, where these are measured, and the returns so far."""
        if self.reward_limit is not None:
            signal = signal._replace(reward=self.reward_limit(signal.reward))
        if self.returns is None:
            return signal, returns
        reward, returns = self.returns(signal.reward, signal.reset, signal.terminated | signal.truncated, returns)
        return signal._replace(reward=reward), returns

    def _compiled(self) -> CompiledStep | None:
        """What acts and learns in place of what follows here, where there is something that does the same faster."""
        if self._step is None and self.novelty is None:
            rate_scale = partial(self.get_buffer, "learning_rate_scale")
            scales = self.returns, self.reward_limit, self.td_scale, self.input_scales
            made = self.config, self.suited, self.network, self.code
            parts = Parts(*made, *scales, self.generator, rate_scale, self._exploration_bonus)
            self._step = self._compiled_step(parts)
        return self._step if self._step is not None and self._step.serves() else None

    def _compiled_step(self, parts: Parts) -> CompiledStep | None:
        return compiled_step(parts) if type(self) is RSTDP else None

    def _decide(
        self, activity: Activity, permitted: Tensor | None, bonus: Tensor | None, untried: Tensor | None
    ) -> tuple[Tensor, Decision, Tensor | None]:
        """A choice ``[batch, dims]``, what is kept of it until its outcome is known, and the exploration bonus.

        Choices are drawn with the preference for what is ``untried`` ``[batch, populations]``; credit is given relative
        to the policy without it.
        """
        temperature = self.config.temperature
        policy = behaviour = self.code.policy(activity.preference, temperature, permitted)
        drive = activity.preference if untried is None else activity.preference + untried
        if self.suited.exploration_bonus:
            bonus = self._exploration_bonus(bonus, activity.preference)
            drive = drive + self._exploring * bonus
        if drive is not activity.preference:
            behaviour = self.code.policy(drive, temperature, permitted)
        choice = self.code.explore(behaviour, self.generator, permitted)
        value, credit = self.value(activity.level), self.code.credit(choice, policy)
        return choice, Decision(activity, value, self._own_values(activity), credit, surprisal(choice, policy)), bonus

    def _own_values(self, activity: Activity) -> dict[str, Tensor]:
        """What hidden layers that have a critic of their own predict."""
        return {name: self.value(level) for name, level in activity.own_levels.items()}

    def _exploration_bonus(self, bonus: Tensor | None, preference: Tensor) -> Tensor:
        """The bonus of all rows, now and then drawn anew: a preference for a random choice of each dimension.

        Exploration that is extended in time reaches what single random actions do not (Dabney, Ostrovski & Barreto
        2021, ICLR). Credit is given relative to the policy without it, as to any perturbation of a neuron whose effect
        on reward is observed (Fiete & Seung 2006, Phys. Rev. Lett. 97:048104).
        """
        batch = len(preference)
        choice = self.code.at_random(batch, self.device, self.generator)
        drawn = self.suited.exploration_bonus * self.code.indicator(choice, preference.dtype)
        if bonus is None:
            return drawn
        anew = noise.uniform((batch, 1), preference, self.generator) < 1 / self.suited.exploration_steps
        return torch.where(anew, drawn, bonus)

    def _warm_up(
        self, observation: Array, feedback: Feedback, permitted: Tensor | None, state: RSTDPState
    ) -> tuple[Action, RSTDPState]:
        """Act at random; after enough of it the encoder learns what has been seen, and learning begins.

        Returns are measured already: a critic that learned in a unit which then grows expects too much.
        """
        batch = len(observation)
        state = state._replace(returns=self._measured(Signal.of(feedback, self.device), state.returns)[1])
        even = self.code.even(batch, self.device, permitted)
        choice = self.code.explore(even, self.generator, permitted)
        action = self.code.chosen(choice)
        number = (choice.cpu() * self.code.choices ** torch.arange(self.code.dims)).sum(-1)
        glimpses = (*state.glimpses, Glimpse(observation.copy(), number.numpy(), feedback.reset))
        if len(glimpses) < 2 or len(glimpses) * batch < self.config.warmup_steps:
            return action, state._replace(glimpses=glimpses)
        encoder = self.network.encoder
        encoder.calibrate(
            np.stack([glimpse.observation for glimpse in glimpses]),
            np.stack([glimpse.action for glimpse in glimpses[:-1]]),
            np.stack([~glimpse.reset for glimpse in glimpses[1:]]),
        )
        if not encoder.calibrated:
            raise RunError(f"{type(encoder).__name__}.calibrated is still false after calibrate: must be true")
        return action, state._replace(network=self.network.begin(batch), glimpses=())

    def _outcome(self, decision: Decision, signal: Signal, after: Decision) -> Outcome:
        """Close a decision: its temporal-difference error, and traces that end where the episode did."""
        decided = ~signal.reset
        td_error = self.td_error(signal.reward, decision.value, after.value, signal.terminated) * decided
        own_errors = {
            name: self.td_error(signal.reward, before, after.own_values[name], signal.terminated) * decided
            for name, before in decision.own_values.items()
        }
        continuing = (decided & ~signal.terminated & ~signal.truncated).to(after.value.dtype)
        surprisal = decision.surprisal * decided
        return Outcome(decision.activity.seen, decision.credit, td_error, decided, continuing, surprisal, own_errors)

    @torch.no_grad()
    def update(self, state: RSTDPState) -> tuple[RSTDPState, Metrics]:
        if len(state.window) < self.config.update_every:
            return state, {}
        assert state.decision is not None
        self._lately.append((state.window[-1].td_error, state.decision.activity.level))
        if isinstance(self._step, CompiledVectors) and self._step.serving:
            return self._step.update(state, self._exploring)
        seen, credits, td_errors, decided, continuing, surprisals, own_errors = zip(*state.window, strict=True)
        td_error = _stack(td_errors)
        scale = self.td_scale(td_error)
        metrics = {
            "train/td_error_rms": td_error.square().mean().sqrt(),
            "train/value_mean": state.decision.value.mean(),
        }
        modulator = td_error if self.shuffler is None else self.shuffler(td_error) * _stack(decided)
        if not self.config.plasticity:
            return state._replace(window=()), metrics

        entropy_coef = self._exploring * self.suited.entropy_coef
        instant = entropy_coef * _stack(surprisals) if self.suited.entropy_coef else None
        credit = _stack(credits)
        gate = credit.repeat_interleave(self.config.network.actor.per_action, dim=-1)
        policy = ThirdFactor(
            self._for_actor(modulator, scale), _stack(continuing), instant, activity_continuing=_stack(decided)
        )
        value = policy._replace(modulator=modulator, instant=None)
        told = {"actor": policy._replace(gate=gate), "critic": value}
        for name, critic in self.network.own_critics.items():
            own = _stack(tuple(errors[name] for errors in own_errors))
            own = own if self.shuffler is None else self.shuffler(own) * _stack(decided)
            told[name] = policy._replace(modulator=self._for_actor(own, scale))
            told[critic] = value._replace(modulator=own)
        for name, each in self.network.learning_signals(credit).items():
            told[name] = told.get(name, policy)._replace(gate=each)
        third = {edge.key: told.get(edge.post, policy) for edge in self.network.plastic()}
        return state._replace(rules=self._learn(seen, third, state.rules), window=()), metrics

    def _for_actor(self, modulator: Tensor, scale: Tensor) -> Tensor:
        """What the actor and hidden layers are told: in units of the usual error, and within ``td_limit`` of them."""
        if not self.config.normalise_td:
            return modulator
        return (modulator / scale).clamp(-self.suited.td_limit, self.suited.td_limit)

    def _learn(self, windows: Sequence[Mapping[str, Seen]], third: Mapping[str, ThirdFactor], rules: State) -> State:
        """Change all weights; the rules' states after it."""
        seen = self.network.joined(windows)
        rates = self._rates(seen, third, rules)
        changes, rules = self.network.changes(seen, third, rules)
        changes = {key: rates[key] * change for key, change in changes.items()}
        if self.novelty is not None:
            self.novelty.stiffen(self.network, changes)
        for edge in self.network.plastic():
            self.network.connection(edge).apply_(changes[edge.key])
        self.network.change_feedback(changes)
        return rules

    def look(self, state: object = None) -> Look:
        """Of the last decisions: rates of all populations, eligibilities, TD errors, and the critic's range."""
        weights = super().look().values
        if not isinstance(state, RSTDPState) or state.decision is None or not self._lately:
            return Look({}, weights)
        metrics: dict[str, float] = {}
        values = dict(weights)
        fired = state.decision.activity.fired
        for name in (name for name in self.network.neurons if name in fired):
            shares, values[f"rates/{name}"] = firing(name, fired[name], highest_rate(self.network.neuron(name)))
            metrics |= shares
        for edge, rule in zip(self.network.plastic(), state.rules, strict=False):
            kept = (getattr(rule, "eligibility", None), *(rows.eligibility for rows in getattr(rule, "recent", ())))
            parts = [sampled(each) for each in kept if isinstance(each, Tensor) and each.numel()]
            if parts:
                values[f"eligibility/{edge.key}"] = np.concatenate(parts)
        td_errors, levels = zip(*self._lately, strict=True)
        values["td_error"] = sampled(torch.cat([each.flatten() for each in td_errors]))
        ends, warnings = critic_range(torch.cat(levels))
        return Look({**metrics, **ends}, values, warnings)

    def _rates(self, seen: Mapping[str, Seen], third: Mapping[str, ThirdFactor], rules: State) -> dict[str, Tensor]:
        """By what the change of each connection is multiplied.

        Rules of hidden layers have a learning rate, or amplitudes, of their own. Where rates are per input, those of
        rules with eligibility are divided by the running mean squared length of what reaches them.
        """
        left, shared = self.get_buffer("learning_rate_scale"), {}
        if self.config.lr_per_input:
            for name, power in self.network.input_powers(seen, third, rules).items():
                shared[name] = left / self.input_scales[name](power.sqrt().unsqueeze(0)) ** 2
        own = {"actor": self.config.actor_lr, "critic": self.config.critic_lr}
        own |= dict.fromkeys(self.network.own_critics.values(), self.config.critic_lr)
        scaled = self.network.scaled
        return {
            edge.key: own.get(edge.post, 1.0) * shared.get(scaled.get(edge.key, ""), left)
            for edge in self.network.plastic()
        }


def _stack(parts: tuple[Tensor, ...]) -> Tensor:
    """:func:`torch.stack`, without a copy where there is one part."""
    return parts[0].unsqueeze(0) if len(parts) == 1 else torch.stack(parts)


def surprisal(choice: Tensor, policy: Tensor) -> Tensor:
    """``-log p(choice) - entropy``, summed over action dimensions, ``[batch]``."""
    log_policy = torch.log(policy.clamp_min(1e-8))
    taken = log_policy.gather(-1, choice.unsqueeze(-1)).squeeze(-1)
    entropy = -(policy * log_policy).sum(-1)
    return (-taken - entropy).sum(-1)
