"""Recipes of stable-baselines3's algorithms: what ``agents/ppo.yaml`` and its relatives can set."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from snnrl.errors import ConfigError, did_you_mean, require
from snnrl.integrations import sb3 as policies
from snnrl.networks.layered import LayerSettings
from snnrl.settings import read

NETWORKS = ("spiking", "ann")
ACTIVATIONS: Mapping[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU}


_AT_LEAST_0 = (0.0, sys.float_info.max, "a finite number of at least 0")
_ABOVE_0 = (sys.float_info.min, sys.float_info.max, "a finite number above 0")
_SHARE = (0.0, 1.0, "in [0, 1]")
_RANGES: Mapping[str, tuple[float, float, str]] = {
    **dict.fromkeys(("learning_rate", "learning_rate_end", "clip_range_end", "vf_coef", "action_noise"), _AT_LEAST_0),
    **dict.fromkeys(("gamma", "gae_lambda", "tau", "exploration_final_eps"), _SHARE),
    "clip_range": _ABOVE_0,
    "max_grad_norm": (sys.float_info.min, math.inf, "a number above 0"),
    "exploration_fraction": (sys.float_info.min, 1.0, "above 0 and at most 1"),
}
"""Lowest and highest value of settings that are numbers, and their words."""
_WHOLE: Mapping[str, int] = {
    **dict.fromkeys(("frame_stack", "batch_size", "n_steps", "n_epochs", "buffer_size", "train_freq"), 1),
    **dict.fromkeys(("target_update_interval", "policy_delay"), 1),
    **dict.fromkeys(("learning_starts", "action_cells"), 0),
    "sde_sample_freq": -1,
}
"""Lowest value of settings that are integers."""


@dataclass(frozen=True)
class AlgorithmConfig:
    """What the recipes of all algorithms can set; names and meanings are those of stable-baselines3 where it has them.

    ``network: ann`` is the twin: SB3's own policy of the same shapes, for which the settings of spiking layers (those
    of :class:`~snnrl.networks.layered.LayerSettings`) mean nothing.
    """

    network: str = "spiking"
    """``spiking``, or ``ann``."""
    net_arch: Any = None
    """Sizes of the hidden layers; ``None`` is SB3's choice."""
    activation: Any = None
    """Of layers that do not spike: ``tanh``, ``relu`` or ``elu``; ``None`` is SB3's choice."""

    sim_steps: int = 4
    neuron: str = "if"
    neuron_kwargs: Any = None
    tau_mem: float = 2.0
    reset: str = "soft"
    surrogate: str = "atan"
    learnable: Any = None
    initial_potential: float = 0.0
    tonic: float = 0.5
    coding: str = "direct"
    cells: int = 10
    readout: str = "rate"
    tau_readout: float = 4.0

    learning_rate: float = 3e-4
    learning_rate_end: float = 1.0
    """Share of the learning rate that is left at the end of the run; it falls linearly."""
    gamma: float = 0.99
    normalise_observation: bool = False
    """By running mean and standard deviation (SB3's ``VecNormalize``)."""
    normalise_reward: bool = False
    """By the running standard deviation of the discounted return (SB3's ``VecNormalize``)."""
    frame_stack: int = 4
    """Frames of an Atari game that are seen together."""

    ALGORITHM: ClassVar[type[BaseAlgorithm]]
    POLICIES: ClassVar[tuple[type, type, type]]
    """For vectors, for images, and for Dicts with images among their parts."""
    ACTIONS: ClassVar[str] = "any"
    """Those that it takes: ``discrete``, ``continuous`` or ``any``."""
    OWN: ClassVar[tuple[str, ...]] = ()
    """Settings that are handed to the algorithm as they are."""

    def __post_init__(self) -> None:
        require(self.network in NETWORKS, "agent.network", self.network, " or ".join(NETWORKS))
        arch = self.net_arch
        sizes = arch is None or (isinstance(arch, (list, tuple)) and all(_whole(size, 1) for size in arch))
        require(sizes, "agent.net_arch", arch, "a list of sizes such as [64, 64], or null")
        if self.activation is not None and str(self.activation) not in ACTIVATIONS:
            raise ConfigError(f"agent.activation={self.activation}: {did_you_mean(self.activation, ACTIVATIONS)}")
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.name in _WHOLE:
                least = _WHOLE[setting.name]
                require(_whole(value, least), f"agent.{setting.name}", value, f"an integer of at least {least}")
            elif setting.name in _RANGES:
                low, high, name = _RANGES[setting.name]
                require(_number(value) and low <= value <= high, f"agent.{setting.name}", value, name)
        require(isinstance(self.neuron_kwargs, Mapping | None), "agent.neuron_kwargs", self.neuron_kwargs, "a mapping")
        names = self.learnable is None or isinstance(self.learnable, (list, tuple))
        require(names, "agent.learnable", self.learnable, "a list of names")
        try:
            self.layers()
        except ConfigError as error:
            raise ConfigError(f"agent.{error}") from error

    def layers(self) -> LayerSettings:
        """How the spiking layers spike."""
        chosen = {setting.name: getattr(self, setting.name) for setting in fields(LayerSettings)}
        chosen["neuron_kwargs"] = dict(self.neuron_kwargs or {})
        chosen["learnable"] = tuple(self.learnable or ())
        return LayerSettings(**chosen)

    def build(self, env: VecEnv, seed: int, device: Any) -> BaseAlgorithm:
        """The algorithm, untrained.

        Args:
            env: what it will learn in, its actions being what :attr:`ACTIONS` says.
            seed: of its first weights and, through torch's and NumPy's global generators, of all its draws.
            device: to compute on.
        """
        self.check(env)
        kind: Any = self.ALGORITHM
        settings: dict[str, Any] = {name: getattr(self, name) for name in self.OWN}
        settings |= {"learning_rate": falling(self.learning_rate, self.learning_rate_end), "gamma": self.gamma}
        settings |= self.further(env)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="You have specified a mini-batch size")
            algorithm: BaseAlgorithm = kind(
                self.policy(env), env, policy_kwargs=self.policy_kwargs(), seed=seed, device=device, **settings
            )
        return algorithm

    def check(self, env: VecEnv) -> None:
        """Raise a ConfigError where a setting does not go with the environments."""
        if getattr(self, "use_sde", False):
            continuous = isinstance(env.action_space, spaces.Box)
            require(continuous, "agent.use_sde", True, f"false, as the actions are {env.action_space}, not continuous")

    def policy(self, env: VecEnv) -> Any:
        """The policy's class, or SB3's name for it."""
        space = env.observation_space
        kind = 2 if isinstance(space, spaces.Dict) else int(isinstance(space, spaces.Box) and len(space.shape) == 3)
        return ("MlpPolicy", "CnnPolicy", "MultiInputPolicy")[kind] if self.network == "ann" else self.POLICIES[kind]

    def policy_kwargs(self) -> dict[str, Any]:
        """Keyword arguments of the policy."""
        chosen: dict[str, Any] = {}
        if self.net_arch is not None:
            chosen["net_arch"] = list(self.net_arch)
        if self.activation is not None:
            chosen["activation_fn"] = ACTIVATIONS[self.activation]
        if self.network == "spiking":
            chosen |= self.layers().as_dict()
        return chosen

    def further(self, env: VecEnv) -> dict[str, Any]:
        """Arguments of the algorithm that take more than a number."""
        return {}


@dataclass(frozen=True)
class ActorCriticConfig(AlgorithmConfig):
    """What algorithms with an actor and a critic share."""

    action_cells: int = 0
    """Neurons of a pool for each continuous action dimension, 0 for none."""
    critic: str = "ann"
    """``ann``, which is not needed to act, or ``spiking``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.critic in ("spiking", "ann"), "agent.critic", self.critic, "spiking or ann")

    def policy_kwargs(self) -> dict[str, Any]:
        own = {"action_cells": self.action_cells, "critic": self.critic}
        return {**super().policy_kwargs(), **(own if self.network == "spiking" else {})}


@dataclass(frozen=True)
class OnPolicyConfig(ActorCriticConfig):
    """What PPO and A2C share."""

    n_steps: int = 2048
    gae_lambda: float = 0.95
    ent_coef: float = 0.0
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    use_sde: bool = False
    sde_sample_freq: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        require(math.isfinite(self.ent_coef), "agent.ent_coef", self.ent_coef, "a finite number")

    POLICIES = (
        policies.SpikingActorCriticPolicy,
        policies.SpikingActorCriticCnnPolicy,
        policies.SpikingActorCriticMultiInputPolicy,
    )
    OWN: ClassVar[tuple[str, ...]] = (
        "n_steps",
        "gae_lambda",
        "ent_coef",
        "vf_coef",
        "max_grad_norm",
        "use_sde",
        "sde_sample_freq",
    )


@dataclass(frozen=True)
class PPOConfig(OnPolicyConfig):
    """Recipe of PPO (Schulman et al. 2017)."""

    batch_size: int = 64
    n_epochs: int = 10
    clip_range: float = 0.2
    clip_range_end: float = 1.0
    """Share of the clip range that is left at the end of the run."""

    ALGORITHM = PPO
    OWN: ClassVar[tuple[str, ...]] = (*OnPolicyConfig.OWN, "batch_size", "n_epochs")

    def __post_init__(self) -> None:
        super().__post_init__()
        least = "an integer of at least 2, as advantages are normalised in each batch"
        require(_whole(self.batch_size, 2), "agent.batch_size", self.batch_size, least)

    def check(self, env: VecEnv) -> None:
        super().check(env)
        several = self.n_steps * env.num_envs > 1
        expected = "at least 2 with num_envs=1, as advantages are normalised"
        require(several, "agent.n_steps", self.n_steps, expected)

    def further(self, env: VecEnv) -> dict[str, Any]:
        return {"clip_range": falling(self.clip_range, self.clip_range_end)}


@dataclass(frozen=True)
class A2CConfig(OnPolicyConfig):
    """Recipe of A2C (Mnih et al. 2016)."""

    learning_rate: float = 7e-4
    n_steps: int = 5
    gae_lambda: float = 1.0
    use_rms_prop: bool = True

    ALGORITHM = A2C
    OWN: ClassVar[tuple[str, ...]] = (*OnPolicyConfig.OWN, "use_rms_prop")


@dataclass(frozen=True)
class OffPolicyConfig(AlgorithmConfig):
    """What DQN, SAC and TD3 share."""

    buffer_size: int = 100_000
    learning_starts: int = 100
    batch_size: int = 256
    tau: float = 0.005
    train_freq: int = 1
    gradient_steps: int = 1
    save_replay: bool = True
    """Whether checkpoints hold what is replayed; without it a run that is resumed begins with an empty memory."""

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = self.gradient_steps
        require(_whole(steps, 1) or steps == -1, "agent.gradient_steps", steps, "an integer of at least 1, or -1")

    OWN: ClassVar[tuple[str, ...]] = (
        "buffer_size",
        "learning_starts",
        "batch_size",
        "tau",
        "train_freq",
        "gradient_steps",
    )


@dataclass(frozen=True)
class DQNConfig(OffPolicyConfig):
    """Recipe of DQN (Mnih et al. 2015)."""

    learning_rate: float = 1e-4
    batch_size: int = 32
    tau: float = 1.0
    train_freq: int = 4
    target_update_interval: int = 10_000
    exploration_fraction: float = 0.1
    exploration_final_eps: float = 0.05

    ALGORITHM = DQN
    ACTIONS = "discrete"
    POLICIES = (policies.SpikingDQNPolicy, policies.SpikingDQNCnnPolicy, policies.SpikingDQNMultiInputPolicy)
    OWN: ClassVar[tuple[str, ...]] = (
        *OffPolicyConfig.OWN,
        "target_update_interval",
        "exploration_fraction",
        "exploration_final_eps",
    )


@dataclass(frozen=True)
class SACConfig(OffPolicyConfig, ActorCriticConfig):
    """Recipe of SAC (Haarnoja et al. 2018)."""

    ent_coef: Any = None
    """Weight of the entropy; ``None`` learns it."""
    use_sde: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        coefficient = self.ent_coef
        fits = coefficient is None or (_number(coefficient) and 0 <= coefficient < math.inf)
        require(fits, "agent.ent_coef", coefficient, "a number of at least 0, or null to learn it")

    ALGORITHM = SAC
    ACTIONS = "continuous"
    POLICIES = (policies.SpikingSACPolicy, policies.SpikingSACCnnPolicy, policies.SpikingSACMultiInputPolicy)
    OWN: ClassVar[tuple[str, ...]] = (*OffPolicyConfig.OWN, "use_sde")

    def further(self, env: VecEnv) -> dict[str, Any]:
        return {"ent_coef": "auto" if self.ent_coef is None else float(self.ent_coef)}


@dataclass(frozen=True)
class TD3Config(OffPolicyConfig, ActorCriticConfig):
    """Recipe of TD3 (Fujimoto, van Hoof & Meger 2018)."""

    learning_rate: float = 1e-3
    action_noise: float = 0.1
    """Standard deviation of the noise on actions while learning, in units of half their range."""
    policy_delay: int = 2

    ALGORITHM = TD3
    ACTIONS = "continuous"
    POLICIES = (policies.SpikingTD3Policy, policies.SpikingTD3CnnPolicy, policies.SpikingTD3MultiInputPolicy)
    OWN: ClassVar[tuple[str, ...]] = (*OffPolicyConfig.OWN, "policy_delay")

    def further(self, env: VecEnv) -> dict[str, Any]:
        size = env.action_space.shape or ()
        return {"action_noise": NormalActionNoise(np.zeros(size), np.full(size, self.action_noise))}


CONFIGS: Mapping[str, type[AlgorithmConfig]] = {
    "a2c": A2CConfig,
    "dqn": DQNConfig,
    "ppo": PPOConfig,
    "sac": SACConfig,
    "td3": TD3Config,
}


def read_recipe(settings: Mapping[str, Any]) -> AlgorithmConfig:
    """The checked settings of an ``agent`` recipe whose ``name`` is one of :data:`CONFIGS`.

    Raises:
        ConfigError: a setting that is unknown, of the wrong type or out of range.
    """
    kind = CONFIGS[str(settings["name"])]
    return read(kind, {key: value for key, value in settings.items() if key != "name"}, "agent")


def falling(start: float, share: float) -> Callable[[float], float]:
    """A schedule of SB3's, from ``start`` linearly to ``share`` of it, where it stays.

    SB3 gathers whole rollouts, so a run may pass its end, and what it says is left then is below 0.
    """
    return lambda left: start * (share + (1 - share) * max(left, 0.0))


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
