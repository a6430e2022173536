"""Spiking action values, learned by Sarsa(lambda) with a three-factor rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from snnrl import noise
from snnrl.agents.compiled_step import CompiledStep, Parts
from snnrl.agents.compiled_values import compiled_values
from snnrl.agents.rstdp import RSTDP, surprisal
from snnrl.agents.rstdp_config import CENTRES, HabituationConfig, RSTDPConfig
from snnrl.agents.rstdp_network import ActorConfig, CriticConfig, NetworkConfig
from snnrl.agents.rstdp_state import Decision
from snnrl.envs import EnvConfig
from snnrl.kernels.choices import CERTAIN
from snnrl.networks import Activity
from snnrl.settings import Part, register, setting
from snnrl.spaces import Space

HALF_ACTIVE = Part("saturating_if", {"gain": 0.2, "tonic": 0.5, "rate_max": 1.0})
"""Integrate-and-fire neurons whose rate is half the highest at first."""
AVERAGED = Part("truncated_three_factor", {"averaged": True, "cutoff": 0.05})
"""The mean of what a synapse's coincidences earn, so that no step is too long however many environments there are."""


@dataclass(frozen=True)
class SarsaConfig(RSTDPConfig):
    """Recipe of :class:`Sarsa`: that of R-STDP with other defaults, where ``temperature`` has the unit of values."""

    sim_steps: int = setting(10, "simulation steps in one environment step", at_least=1)
    tau: float = setting(10.0, "time constant of synaptic currents and presynaptic traces in ms", above=0)
    update_every: int = setting(1, "environment steps after which weight changes are applied", at_least=1)
    network: NetworkConfig = setting(
        NetworkConfig(
            actor=ActorConfig(neuron=HALF_ACTIVE, rule=AVERAGED, per_action=1),
            critic=CriticConfig(neuron=HALF_ACTIVE, rule=AVERAGED, size=1),
        ),
        "hidden layers, advantages of actions and the value of the state",
    )
    reward_limit: float | None = setting(
        3.0,
        "rewards beyond so many times the mean size of those other than zero count as that; null for no limit",
        above=0,
    )
    value_centre: str = setting(
        "zero", "the middle of the measured range of values: of the returns that were seen, or zero", choices=CENTRES
    )
    temperature: float = setting(0.003, "of the softmax over values", above=0)
    epsilon: float = setting(0.1, "share of decisions that are made at random", at_least=0, at_most=1)
    exploration_steps: int = setting(
        4, "for how many of them one action is kept, on average, in the first of the environments", at_least=1
    )
    longest_exploration: int | None = setting(
        60,
        "for how many in the last of them, between which it grows by equal factors; null: exploration_steps in all",
        at_least=1,
    )
    exploration_bonus: float = setting(0.0, "must be 0: epsilon is the share of exploration", at_least=0, at_most=0)
    exploration_end_factor: float | None = setting(
        0.05, "what epsilon is multiplied by at the end; it falls linearly", at_least=0, at_most=1
    )
    gamma: float = setting(0.99, "discount of an environment step", at_least=0, at_most=1)
    trace_lambda: float = setting(0.9, "decay of eligibility beyond the discount", at_least=0, at_most=1)
    actor_lr: float = setting(7e-2, "learning rate of advantages, and of hidden layers", at_least=0)
    critic_lr: float = setting(3.5e-2, "learning rate of the value of the state", at_least=0)
    lr_per_input: bool = setting(
        True, "divide the learning rates by the mean squared length of the presynaptic activity"
    )
    normalise_td: bool = setting(False, "must be false: value and advantages learn from one error", choices=(False,))
    entropy_coef: float = setting(0.0, "modulator for choosing what is unlikely", at_least=0)
    habituation: HabituationConfig | None = setting(None, "must be null: epsilon is the share of exploration")
    postsynaptic_floor: float = setting(
        1.0, "added to postsynaptic spikes in the Hebbian product; keeps silent neurons plastic", at_least=0
    )
    weight_mean: float | None = setting(0.0, "mean of the initial weights")
    weight_std: float | None = setting(0.0, "standard deviation of the initial weights", at_least=0)
    weight_bound: float = setting(5.0, "largest absolute weight", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.habituation is None, "habituation", "null: epsilon is the share of exploration")


@register("sarsa")
class Sarsa(RSTDP):
    r"""Populations whose rate is the value of an action, ``Q(s, a) = V(s) + A(s, a)``, learned by Sarsa(lambda).

    The network is that of :class:`~snnrl.agents.rstdp.RSTDP`, with deterministic neurons at both ends: the critic's
    rate is the value ``V`` of the state, shared by all actions, and the rate of an action's population, less half the
    highest, its advantage ``A`` (dueling network: Wang et al. 2016, ICML). Rates are those of integrate-and-fire
    neurons with a soft reset, and what their membranes have gained counts as a part of a spike: actions differ by
    hundredths of a value, fewer than the spikes of a window can tell.

    The modulator is the error ``r + gamma Q(s', a') - Q(s, a)`` of Sarsa(lambda) (Rummery & Niranjan 1994; Sutton &
    Barto 2018, Reinforcement Learning, sec. 12.7), broadcast to all synapses; those of the critic learn from every
    decision, those of an action's population from the decisions for it. Actions are drawn from the softmax of
    their values; ``epsilon`` of the time all are alike, and then one is kept for a while, which is longer in some
    environments than in others (temporally extended epsilon-greedy: Dabney, Ostrovski & Barreto 2021, ICLR). Where an
    action is made of several numbers, each has advantages of its own, which add up.

    Args and errors are those of :class:`~snnrl.agents.rstdp.RSTDP`.
    """

    Config = SarsaConfig
    GRADED = True
    config: SarsaConfig

    def __init__(
        self, observation_space: Space, action_space: Space, config: SarsaConfig, env: EnvConfig, seed: int = 0
    ) -> None:
        super().__init__(observation_space, action_space, config, env, seed)
        self._spread: Tensor | None = None
        self._most = self.network.actor_rate_max * config.sim_steps

    def _compiled_step(self, parts: Parts) -> CompiledStep | None:
        return compiled_values(parts) if type(self) is Sarsa else None

    def _advantage(self, activity: Activity) -> Tensor:
        """``[batch, populations]``, in units of the value."""
        return self._span(activity) * (activity.preference / self._most - 0.5)

    def _span(self, activity: Activity) -> Tensor | float:
        """By how much values can differ."""
        low, high = self._value_range(activity.preference.dtype)
        return high - low

    def _decide(
        self, activity: Activity, permitted: Tensor | None, bonus: Tensor | None, untried: Tensor | None
    ) -> tuple[Tensor, Decision, Tensor | None]:
        advantage, temperature = self._advantage(activity), self.config.temperature
        policy = self.code.policy(advantage, temperature, permitted)
        bonus = self._exploration_bonus(bonus, advantage)
        ahead = self._span(activity) + CERTAIN * temperature
        behaviour = self.code.policy(advantage + ahead * bonus, temperature, permitted)
        choice = self.code.explore(behaviour, self.generator, permitted)
        credit = self.code.indicator(choice, advantage.dtype)
        value = self.value(activity.level) + (advantage * credit).sum(-1)
        return choice, Decision(activity, value, self._own_values(activity), credit, surprisal(choice, policy)), bonus

    def _exploration_bonus(self, bonus: Tensor | None, preference: Tensor) -> Tensor:
        """1 for the choices of rows that explore now, else 0; now and then drawn anew."""
        batch = len(preference)
        choice = self.code.at_random(batch, self.device, self.generator)
        chance, anew = noise.uniform((2, batch, 1), preference, self.generator)
        drawn = self.code.indicator(choice, preference.dtype) * (chance < self._exploring * self.config.epsilon)
        return drawn if bonus is None else torch.where(anew * self._lengths(anew) < 1, drawn, bonus)

    def _lengths(self, like: Tensor) -> Tensor | float:
        """For how many decisions exploration keeps an action on average, for rows ``[batch, 1]``."""
        shortest, longest = float(self.config.exploration_steps), self.config.longest_exploration
        if longest is None:
            return shortest
        if self._spread is None or self._spread.shape != like.shape:
            ends = math.log(shortest), math.log(longest)
            self._spread = torch.linspace(*ends, len(like)).exp().unsqueeze(-1).to(like)
        return self._spread

    def _preference(self, activity: Activity) -> Tensor:
        return self._advantage(activity)

    def _value_of(self, activity: Activity, choice: Tensor) -> Tensor:
        advantage = self._advantage(activity)
        return self.value(activity.level) + (advantage * self.code.indicator(choice, advantage.dtype)).sum(-1)
