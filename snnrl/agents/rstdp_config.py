"""Settings of the R-STDP agent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from snnrl.agents.rstdp_network import NetworkConfig
from snnrl.envs.checked import LARGEST
from snnrl.errors import require
from snnrl.settings import is_number
from snnrl.types import Settings


@dataclass(frozen=True)
class RSTDPConfig:
    """Recipe of :class:`~snnrl.agents.rstdp.RSTDP`; times in ms, learning rates of changes summed over environments."""

    sim_steps: int = 20
    """Simulation steps in one environment step."""
    dt: float = 1.0
    """Length of a simulation step."""
    tau: float = 10.0
    """Time constant of membranes, synaptic currents and presynaptic traces."""
    encoder: Settings | str | None = field(default_factory=dict)
    """From observations to spikes: a name, or ``name`` and settings; see
    :func:`~snnrl.agents.encoder_factory.make_encoder`."""
    warmup_steps: int = 4096
    """Decisions of random play from which an encoder of frames learns what the screen shows."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Its populations: hidden layers, actor and critic."""
    action_bins: int = 9
    """Populations for each dimension of a continuous action."""
    value_range: tuple[float, float] = (-2.0, 2.0)
    """Values of a silent and of a fully active critic."""
    temperature: float = 0.5
    """Of the softmax over the populations' spikes per neuron."""
    gamma: float = 0.98
    """Discount."""
    trace_lambda: float = 0.9
    """Decay of eligibility beyond the discount."""
    actor_lr: float = 3e-3
    """Learning rate of the actor."""
    critic_lr: float = 1e-3
    """Learning rate of the critic."""
    lr_end_factor: float = 0.1
    """What the learning rates are multiplied by at the end; they fall linearly."""
    lr_per_input: bool = False
    """Divide the learning rates by the mean squared length of the presynaptic activity."""
    normalise_td: bool = False
    """Divide the actor's modulator by the running root mean square of the TD error."""
    entropy_coef: float = 0.0
    """Modulator for choosing what is unlikely; keeps the policy from freezing."""
    exploration_bonus: float = 0.0
    """Spikes per neuron by which one action is preferred for a while, so that exploration persists; 0 for none."""
    exploration_steps: int = 50
    """Mean length of that while."""
    postsynaptic_floor: float = 0.0
    """Added to postsynaptic spikes in the Hebbian product; keeps silent neurons plastic."""
    weight_mean: float = 0.15
    """Mean of the initial weights."""
    weight_std: float = 0.02
    """Standard deviation of the initial weights."""
    weight_bound: float = 2.0
    """Largest absolute weight."""
    update_every: int = 1
    """Environment steps after which weight changes are applied."""
    plasticity: bool = True
    """Control: whether weights change at all."""
    modulator: str = "td"
    """``td``, or as a control ``shuffled``: TD errors of other times and environments."""

    def __post_init__(self) -> None:
        for name in (
            "sim_steps",
            "update_every",
            "warmup_steps",
            "exploration_steps",
        ):
            value = getattr(self, name)
            require(isinstance(value, int) and value >= 1, f"agent.{name}", value, "an integer of at least 1")
        for name in ("temperature", "weight_bound"):
            require(getattr(self, name) > 0, f"agent.{name}", getattr(self, name), "above 0")
        for name in ("gamma", "trace_lambda", "lr_end_factor"):
            require(0 <= getattr(self, name) <= 1, f"agent.{name}", getattr(self, name), "in [0, 1]")
        for name in ("actor_lr", "critic_lr", "entropy_coef", "exploration_bonus", "postsynaptic_floor", "weight_std"):
            require(getattr(self, name) >= 0, f"agent.{name}", getattr(self, name), "at least 0")
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, float):
                require(math.isfinite(value), f"agent.{each.name}", value, "finite")
        limits = self.value_range
        numbers = len(limits) == 2 and all(is_number(limit) and abs(limit) <= LARGEST for limit in limits)
        expected = f"[lowest, highest] with lowest below highest, at most {LARGEST:g} in size"
        require(numbers and limits[0] < limits[1], "agent.value_range", list(limits), expected)
        require(self.modulator in ("td", "shuffled"), "agent.modulator", self.modulator, "td or shuffled")
