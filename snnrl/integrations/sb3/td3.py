"""TD3 (Fujimoto, van Hoof & Meger 2018, ICML): settings, spiking policies, agent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from stable_baselines3 import TD3
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import nn

from snnrl.integrations.sb3.actor_and_critics import SpikingContinuousActor, SpikingContinuousPolicy
from snnrl.integrations.sb3.agent import Policies
from snnrl.integrations.sb3.config import ActorCriticConfig
from snnrl.integrations.sb3.off_policy import OffPolicyAgent, OffPolicyConfig
from snnrl.integrations.sb3.policies import (
    ActingPath,
    ConversionPath,
    hidden_and_readout,
    hidden_layers,
    readout,
    readout_of,
    spiking_parts,
    vision_stacks,
)
from snnrl.integrations.sb3.proxy import Substitutable, Target
from snnrl.integrations.sb3.vision import SpikingCombinedExtractor, SpikingNatureCNN
from snnrl.networks.coding import PopulationReadout
from snnrl.networks.layered import LayerSettings
from snnrl.settings import register, setting
from snnrl.types import Setting


class SpikingTD3Actor(Substitutable, SpikingContinuousActor, Actor):
    """SB3's actor of TD3 with spiking hidden layers; arguments are those of :class:`SpikingContinuousActor`."""

    def __init__(self, spiking: LayerSettings, action_cells: int, **kwargs: Setting) -> None:
        super().__init__(spiking, action_cells, **kwargs)
        dims = get_action_dim(self.action_space)
        if action_cells:
            layers = hidden_layers(self.features_dim, [*self.net_arch, dims * action_cells], spiking)
            self.mu = nn.Sequential(layers, PopulationReadout(dims, action_cells), nn.Tanh())
        else:
            self.mu = readout(self.features_dim, self.net_arch, dims, spiking, nn.Tanh())


class SpikingTD3Policy(SpikingContinuousPolicy, TD3Policy):
    """SB3's ``MlpPolicy`` of TD3 with a spiking actor, and spiking critics if wanted.

    Arguments are those of :class:`~snnrl.integrations.sb3.policies.SpikingActorPolicy`.
    """

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        arguments = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return SpikingTD3Actor(self.spiking, self.action_cells, **arguments).to(self.device)

    def targets(self) -> list[Target]:
        assert isinstance(self.actor_target, SpikingTD3Actor)
        return [Target(self.actor, self.actor_target, TD3Policy.make_actor(self)), *super().targets()]

    def acting_path(self) -> ActingPath:
        return ActingPath(spiking_parts(self.actor.features_extractor, self.actor.mu), readout_of(self.actor.mu[1]))

    def conversion_path(self, ann: BasePolicy) -> ConversionPath:
        assert isinstance(ann, TD3Policy)
        hidden, read = hidden_and_readout(ann.actor.mu, self.actor.mu)
        return ConversionPath(
            hidden=[*vision_stacks(ann.actor.features_extractor, self.actor.features_extractor), *hidden],
            readouts=[read],
            kept=[(ann.critic, self.critic), (ann.critic_target, self.critic_target)],
            targets=[(self.actor, self.actor_target)],
        )


class SpikingTD3CnnPolicy(SpikingTD3Policy):
    """SB3's ``CnnPolicy`` of TD3 with spiking convolutions."""

    EXTRACTOR = SpikingNatureCNN


class SpikingTD3MultiInputPolicy(SpikingTD3Policy):
    """SB3's ``MultiInputPolicy`` of TD3 with spiking layers; settings are those of the policy for vectors."""

    EXTRACTOR = SpikingCombinedExtractor


@dataclass(frozen=True)
class TD3Config(OffPolicyConfig, ActorCriticConfig):
    """Recipe of TD3."""

    learning_rate: float = 1e-3
    action_noise: float = setting(
        0.1, "standard deviation of the noise on actions while learning, in units of half their range", at_least=0
    )
    policy_delay: int = setting(2, "updates of the critics for each of the actor", at_least=1)

    def arguments(self, env: VecEnv) -> dict[str, object]:
        size = env.action_space.shape or ()
        noise = NormalActionNoise(np.zeros(size), np.full(size, self.action_noise))
        return {**super().arguments(env), "action_noise": noise}


@register("td3")
class TD3Agent(OffPolicyAgent[TD3, TD3Config]):
    """An agent that TD3 trains."""

    Config = TD3Config
    ALGORITHM = TD3
    POLICIES = Policies(SpikingTD3Policy, SpikingTD3CnnPolicy, SpikingTD3MultiInputPolicy)
    ACTIONS = "continuous"
