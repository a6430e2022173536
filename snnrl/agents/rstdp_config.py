"""Settings of the R-STDP agent, and the encoder that they and the environment's recipe ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from snnrl.encoders import Encoder, FrameEncoder, Normaliser, OneHotEncoder, PopulationEncoder
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, require


@dataclass(frozen=True)
class RSTDPConfig:
    """Recipe of :class:`~snnrl.agents.rstdp.RSTDP`. Times in ms, rates for each weight change summed over environments."""

    sim_steps: int = 20
    """Simulation steps in one environment step."""
    dt: float = 1.0
    """Length of a simulation step."""
    tau: float = 10.0
    """Time constant of membranes, synaptic currents and presynaptic traces."""
    spikes_per_step: float = 1.5
    """Summed rate of a vector observation's place cells."""
    target_rate: float = 0.02
    """Rate per frame up to which a feature of a frame speaks with full amplitude."""
    actor_neurons: int = 10
    """Neurons for each action."""
    actor_threshold: float = 2.0
    """Potential at which an actor neuron fires with half its highest probability."""
    actor_width: float = 0.5
    """Softness of that threshold."""
    action_bins: int = 9
    """Populations for each dimension of a continuous action."""
    critic_neurons: int = 20
    """Neurons of the critic."""
    critic_gain: float = 0.2
    """Drive of a critic neuron for each unit of current."""
    critic_tonic: float = 0.0
    """Drive of a critic neuron without input."""
    value_range: tuple[float, float] = (-1.0, 1.0)
    """Values of a silent and of a fully active critic, where the environment's recipe names none."""
    temperature: float = 0.5
    """Of the softmax over the populations' spikes per neuron."""
    gamma: float = 0.98
    """Discount."""
    trace_lambda: float = 0.9
    """Decay of eligibility beyond the discount."""
    actor_rate: float = 3e-3
    """Learning rate of the actor."""
    critic_rate: float = 3e-3
    """Learning rate of the critic."""
    learning_rate_end: float = 0.1
    """Share of the learning rates that is left at the end; they fall linearly."""
    rate_per_input: bool = False
    """Divide the learning rates by the mean squared length of the presynaptic activity."""
    normalise_td: bool = False
    """Divide the actor's modulator by the running root mean square of the TD error."""
    entropy: float = 0.0
    """Modulator for choosing what is unlikely; keeps the policy from freezing."""
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
        for name in ("sim_steps", "actor_neurons", "critic_neurons", "update_every"):
            value = getattr(self, name)
            require(isinstance(value, int) and value >= 1, f"agent.{name}", value, "an integer of at least 1")
        for name in ("temperature", "actor_width", "critic_gain", "weight_bound", "spikes_per_step"):
            require(getattr(self, name) > 0, f"agent.{name}", getattr(self, name), "above 0")
        for name in ("gamma", "trace_lambda", "learning_rate_end"):
            require(0 <= getattr(self, name) <= 1, f"agent.{name}", getattr(self, name), "in [0, 1]")
        for name in ("actor_rate", "critic_rate", "entropy", "postsynaptic_floor", "weight_std"):
            require(getattr(self, name) >= 0, f"agent.{name}", getattr(self, name), "at least 0")
        low, high = self.value_range
        require(low < high, "agent.value_range", list(self.value_range), "[lowest, highest] with lowest below highest")
        require(self.modulator in ("td", "shuffled"), "agent.modulator", self.modulator, "td or shuffled")


def make_encoder(space: spaces.Space[Any], config: RSTDPConfig, env: EnvConfig) -> Encoder[Any]:
    """The encoder for an observation space.

    Discrete observations are one-hot, grey frames ``(1, height, width)`` of uint8 become volleys, other Boxes are
    flattened to place cells.

    Raises:
        ConfigError: a space of another kind.
    """
    if isinstance(space, spaces.Discrete):
        return OneHotEncoder(int(space.n), start=int(space.start), sim_steps=config.sim_steps)
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[0] == 1:
        _, height, width = space.shape
        return FrameEncoder(height, width, target_rate=config.target_rate, **(env.frames or {}))
    if isinstance(space, spaces.Box) and 0 < int(np.prod(space.shape)) <= 64:
        normaliser = Normaliser(space.low.flatten().tolist(), space.high.flatten().tolist(), **env.observation)
        return PopulationEncoder(
            normaliser,
            sim_steps=config.sim_steps,
            spikes_per_step=config.spikes_per_step,
            **PopulationEncoder.resolution(normaliser.dims),
        )
    raise ConfigError(
        f"observation space {space}: the agent can take Discrete, a Box of up to 64 values, or grey uint8 frames "
        "(1, height, width); wrap the environment (gymnasium.wrappers) to get there"
    )
