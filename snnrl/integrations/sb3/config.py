"""What the recipes of all algorithms of stable-baselines3 can set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

from gymnasium import spaces
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from snnrl.errors import ConfigError
from snnrl.networks.layered import LayerSettings
from snnrl.settings import Settings, setting
from snnrl.types import Setting

NETWORKS = ("spiking", "ann")
ACTIVATIONS: Mapping[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU}

CONVERTED: Mapping[str, object] = {
    "network": "spiking",
    "neuron": "if",
    "neuron_kwargs": {},
    "reset": "soft",
    "learnable": [],
    "initial_potential": 0.5,
    "tonic": 0.0,
    "coding": "direct",
    "norm": "none",
    "readout": "potential",
    "critic": "ann",
    "action_cells": 0,
}
"""What the recipe of a converted agent says, of the settings that its algorithm has."""


class Stored(NamedTuple):
    """Observations that an algorithm keeps in memory."""

    setting: str
    """That decides how many."""
    value: int
    observations: int
    purpose: str
    """What they are kept for, as an error says it."""


@dataclass(frozen=True)
class AlgorithmConfig(Settings, LayerSettings, section="agent"):
    """What the recipes of all algorithms can set; names and meanings are those of stable-baselines3 where it has them.

    The settings of the spiking layers are those of :class:`~snnrl.networks.layered.LayerSettings`; ``network: ann`` is
    the ANN baseline, SB3's own policy of the same shapes, for which they mean nothing.

    Attributes:
        ACTIVATION: SB3's choice of ``activation``.
    """

    network: str = setting("spiking", "spiking, or ann: SB3's own, of the same shapes", choices=NETWORKS)
    net_arch: tuple[int, ...] | None = setting(
        None,
        "sizes of the hidden layers; null is SB3's choice",
        at_least=1,
        expected="a list of sizes such as [64, 64]",
    )
    activation: str | None = setting(None, "of layers that do not spike; null is SB3's choice", choices=(*ACTIVATIONS,))
    learnable: tuple[str, ...] = setting((), "settings of the neurons that are trained too: tau_mem, v_threshold")

    learning_rate: float = setting(3e-4, "step size of the optimiser at the start of the run", at_least=0)
    lr_end_factor: float = setting(
        1.0, "what the learning rate is multiplied by at the end of the run; it falls linearly", at_least=0
    )
    gamma: float = setting(0.99, "discount of rewards, for each environment step", at_least=0, at_most=1)
    normalise_observation: bool = setting(
        False, "observations by their running mean and standard deviation (VecNormalize)"
    )
    normalise_reward: bool = setting(
        False, "rewards by the running standard deviation of the discounted return (VecNormalize)"
    )
    frame_stack: int = setting(4, "frames of an Atari game that are seen together", at_least=1)

    ACTIVATION: ClassVar[str] = "relu"

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        try:
            self.layers()
        except ConfigError as error:
            raise ConfigError(f"agent.{error}") from error

    def layers(self) -> LayerSettings:
        """How the spiking layers spike."""
        return LayerSettings(**{each.name: getattr(self, each.name) for each in fields(LayerSettings)})

    def policy_kwargs(self) -> dict[str, Setting]:
        """Keyword arguments of the policy."""
        chosen: dict[str, Setting] = {} if self.net_arch is None else {"net_arch": list(self.net_arch)}
        if self.activation is not None:
            chosen["activation_fn"] = ACTIVATIONS[self.activation]
        return {**chosen, **self.layers().as_dict()} if self.network == "spiking" else chosen

    def arguments(self, env: VecEnv) -> dict[str, object]:
        """Arguments of the algorithm that take more than the value of the setting by the same name."""
        return {"learning_rate": falling(self.learning_rate, self.lr_end_factor)}

    def check(self, env: VecEnv) -> None:
        """Raise a ConfigError where a setting does not go with the environments."""
        if getattr(self, "use_sde", False):
            continuous = isinstance(env.action_space, spaces.Box)
            self.require(continuous, "use_sde", f"false, as the actions are {env.action_space}, not continuous")

    def stored(self, env_steps: int, num_envs: int) -> Stored | None:
        """What a run of ``env_steps`` in ``num_envs`` environments keeps in memory at least."""
        return None

    def remarks(self, env_steps: int, num_envs: int) -> Iterator[str]:
        """What a user may not expect of a run of ``env_steps`` in ``num_envs`` environments."""
        yield from ()

    def converted(self) -> dict[str, object]:
        """What changes in the recipe of an agent without spikes when its weights are given to a spiking one.

        Raises:
            ConfigError: it spikes already, or its activation is no ReLU.
        """
        if self.network != "ann":
            raise ConfigError(f"run={self.network}: must be of a network that does not spike (ann)")
        if (activation := self.activation or self.ACTIVATION) != "relu":
            expected = "relu to be converted; train with agent.activation=relu"
            raise ConfigError(f"agent.activation={activation}: must be {expected}")
        own = {each.name for each in fields(self)}
        return {name: value for name, value in CONVERTED.items() if name in own}


@dataclass(frozen=True)
class ActorCriticConfig(AlgorithmConfig):
    """What algorithms with an actor and a critic share."""

    action_cells: int = setting(
        0, "neurons of a pool for each continuous action dimension, which alone is read from it; 0 for none", at_least=0
    )
    critic: str = setting("ann", "ann, which is not needed to act, or spiking", choices=("spiking", "ann"))

    def policy_kwargs(self) -> dict[str, Setting]:
        own = {"action_cells": self.action_cells, "critic": self.critic}
        return {**super().policy_kwargs(), **(own if self.network == "spiking" else {})}


def falling(start: float, end_factor: float) -> Schedule:
    """A schedule of SB3's, from ``start`` linearly to ``end_factor`` times it, where it stays.

    SB3 gathers whole rollouts, so a run may pass its end, and what it says is left then is below 0.
    """
    return lambda left: start * (end_factor + (1 - end_factor) * max(left, 0.0))
