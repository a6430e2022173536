"""Settings of the R-STDP agent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from snnrl.agents.rstdp_network import NetworkConfig
from snnrl.envs.checked import LARGEST
from snnrl.settings import Settings, setting
from snnrl.types import Setting

CENTRES = ("returns", "zero")
"""What the middle of a measured range of values can be."""


@dataclass(frozen=True)
class HabituationConfig(Settings, section="agent.habituation"):
    """What is new to an agent that has a neuron for each observation (encoder ``one_hot``) and no hidden layer."""

    novelty_reward: float = setting(
        0.05, "units of return for a neuron's first visit; falls with 1 / sqrt(visits)", at_least=0
    )
    untried_bonus: float = setting(
        2.0,
        "spikes per neuron by which an action is preferred that was never chosen there; falls with 1 / sqrt(1 + uses)",
        at_least=0,
    )
    actor_boost: float = setting(
        4.0, "by what the actor's learning rate is multiplied at first; falls with (1 + visits / 10) ** -0.25", above=0
    )
    critic_boost: float = setting(
        20.0, "by what the critic's learning rate is multiplied at first; falls with (1 + visits / 10) ** -0.5", above=0
    )


class Suited(NamedTuple):
    """Settings that depend on what is chosen, and on whether what is new is told apart (:class:`HabituationConfig`)."""

    gamma: float
    trace_lambda: float
    entropy_coef: float
    exploration_bonus: float
    exploration_steps: int
    exploration_end_factor: float
    td_limit: float
    critic_tonic: float
    """Drive of the critic's neurons without input, where the recipe's own part says nothing."""


VECTORS = Suited(
    gamma=0.99,
    trace_lambda=0.9,
    entropy_coef=0.03,
    exploration_bonus=1.0,
    exploration_steps=20,
    exploration_end_factor=1.0,
    td_limit=5.0,
    critic_tonic=0.0,
)
"""Defaults where cells are shared by observations that are alike."""
CONTINUOUS = VECTORS._replace(exploration_bonus=0.5, exploration_steps=10, td_limit=math.inf)
"""The same where an action is a number of a range, near which others do nearly the same."""
TABLES = Suited(
    gamma=0.98,
    trace_lambda=0.8,
    entropy_coef=0.2,
    exploration_bonus=0.0,
    exploration_steps=10,
    exploration_end_factor=0.0,
    td_limit=math.inf,
    critic_tonic=0.5,
)
"""Defaults where each observation has a neuron of its own, which habituates."""


def usually(name: str) -> str:
    """What is said of a setting whose default is one of the three."""
    general, continuous, tables = (f"{getattr(each, name):g}" for each in (VECTORS, CONTINUOUS, TABLES))
    named = {"for continuous actions": continuous, "with habituation": tables}
    return "; ".join([general, *(f"{value} {where}" for where, value in named.items() if value != general)])


@dataclass(frozen=True)
class RSTDPConfig(Settings, section="agent"):
    """Recipe of :class:`~snnrl.agents.rstdp.RSTDP`; times in ms, learning rates of changes summed over environments."""

    sim_steps: int = setting(20, "simulation steps in one environment step", at_least=1)
    dt: float = setting(1.0, "length of a simulation step in ms", above=0)
    tau: float = setting(5.0, "time constant of membranes, synaptic currents and presynaptic traces in ms", above=0)
    encoder: Mapping[str, Setting] | str | None = setting(
        {}, "from observations to spikes: a name, or name and settings", default_text="the one that suits the space"
    )
    warmup_steps: int = setting(
        4096,
        "decisions of random play from which an encoder learns what there is to see, as that of pictures does",
        at_least=1,
    )
    network: NetworkConfig = setting(NetworkConfig(), "hidden layers, actor and critic")
    action_bins: int = setting(9, "populations for each dimension of a continuous action", at_least=2)
    value_range: tuple[float, float] | None = setting(
        None,
        "values of a silent and of a fully active critic, in units of reward",
        default_text="the range of returns that were seen",
    )
    value_centre: str = setting(
        "returns",
        "the middle of that measured range: of the returns that were seen, or zero, with as much below it as above",
        choices=CENTRES,
    )
    reward_limit: float | None = setting(
        None,
        "rewards beyond so many times the mean size of those other than zero count as that; null for no limit",
        above=0,
    )
    temperature: float = setting(0.5, "of the softmax over the populations' spikes per neuron", above=0)
    gamma: float | None = setting(
        None,
        "discount of an environment step",
        at_least=0,
        at_most=1,
        default_text=usually("gamma"),
    )
    trace_lambda: float | None = setting(
        None,
        "decay of eligibility beyond the discount",
        at_least=0,
        at_most=1,
        default_text=usually("trace_lambda"),
    )
    actor_lr: float = setting(5e-3, "learning rate of the actor, and of hidden layers", at_least=0)
    critic_lr: float = setting(5e-3, "learning rate of the critic", at_least=0)
    lr_end_factor: float = setting(
        0.1, "what the learning rates are multiplied by at the end; they fall linearly", at_least=0, at_most=1
    )
    lr_per_input: bool = setting(
        True, "divide the learning rates by the mean squared length of the presynaptic activity"
    )
    normalise_td: bool = setting(True, "divide the actor's modulator by the running root mean square of the TD error")
    td_limit: float | None = setting(
        None,
        "to the actor, larger divided errors count as so many times that root mean square; inf (.inf in YAML): none",
        above=0,
        finite=False,
        default_text=usually("td_limit"),
    )
    entropy_coef: float | None = setting(
        None,
        "modulator for choosing what is unlikely; keeps the policy from freezing",
        at_least=0,
        default_text=usually("entropy_coef"),
    )
    exploration_bonus: float | None = setting(
        None,
        "spikes per neuron by which one action is preferred for a while; 0 for none",
        at_least=0,
        default_text=usually("exploration_bonus"),
    )
    exploration_steps: int | None = setting(
        None, "mean length of that while in decisions", at_least=1, default_text=usually("exploration_steps")
    )
    exploration_end_factor: float | None = setting(
        None,
        "what exploration_bonus and entropy_coef are multiplied by at the end; they fall linearly",
        at_least=0,
        at_most=1,
        default_text=usually("exploration_end_factor"),
    )
    habituation: HabituationConfig | None = setting(
        HabituationConfig(),
        "what is new, where each observation has a neuron (encoder one_hot) and no layer is hidden; null for none",
    )
    postsynaptic_floor: float = setting(
        0.05, "added to postsynaptic spikes in the Hebbian product; keeps silent neurons plastic", at_least=0
    )
    weight_mean: float | None = setting(
        None, "mean of the initial weights", default_text="such that all input together is a current of 0.225"
    )
    weight_std: float | None = setting(
        None, "standard deviation of the initial weights", at_least=0, default_text="0.13 of weight_mean"
    )
    weight_bound: float = setting(2.0, "largest absolute weight", above=0)
    update_every: int = setting(1, "environment steps after which weight changes are applied", at_least=1)
    plasticity: bool = setting(True, "whether weights change at all; false is a control")
    hidden_plasticity: bool = setting(
        True, "whether hidden layers learn; false is a control, in which they keep their random weights"
    )
    modulator: str = setting(
        "td", "td, or as a control shuffled: TD errors of other times and environments", choices=("td", "shuffled")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        unlimited = self.td_limit in (None, math.inf)
        self.require(unlimited or self.normalise_td, "td_limit", "null or .inf where normalise_td is false")
        if self.value_range is None:
            return
        low, high = self.value_range
        fits = -LARGEST <= low < high <= LARGEST
        self.require(fits, "value_range", f"[lowest, highest] with lowest below highest, at most {LARGEST:g} in size")

    def suited(self, *, habituates: bool, continuous: bool) -> Suited:
        """The settings that were given, and the usual ones in place of those that were not."""
        usual = TABLES if habituates else CONTINUOUS if continuous else VECTORS
        given = {name: getattr(self, name) for name in Suited._fields if name != "critic_tonic"}
        return usual._replace(**{name: value for name, value in given.items() if value is not None})
