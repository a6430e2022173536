"""SAC (Haarnoja et al. 2018, ICML): settings, spiking policies, agent."""

from __future__ import annotations

from dataclasses import dataclass

from stable_baselines3 import SAC
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.sac.policies import Actor, SACPolicy
from torch import nn

from snnrl.errors import require
from snnrl.integrations.sb3.actor_and_critics import SpikingContinuousActor, SpikingContinuousPolicy
from snnrl.integrations.sb3.agent import Policies
from snnrl.integrations.sb3.config import ActorCriticConfig
from snnrl.integrations.sb3.off_policy import OffPolicyAgent, OffPolicyConfig
from snnrl.integrations.sb3.policies import (
    ActingPath,
    ConversionPath,
    hidden_layers,
    linear_of,
    readout_of,
    spiking_parts,
    stacks,
    vision_stacks,
)
from snnrl.integrations.sb3.vision import SpikingCombinedExtractor, SpikingNatureCNN
from snnrl.networks.coding import PopulationReadout
from snnrl.networks.layered import LayerSettings
from snnrl.settings import register, setting
from snnrl.types import Setting


class SpikingSACActor(SpikingContinuousActor, Actor):
    """SB3's actor of SAC with spiking hidden layers; arguments are those of :class:`SpikingContinuousActor`."""

    def __init__(self, spiking: LayerSettings, action_cells: int, **kwargs: Setting) -> None:
        super().__init__(spiking, action_cells, **kwargs)
        dims = get_action_dim(self.action_space)
        if not action_cells:
            self.latent_pi = nn.Sequential(hidden_layers(self.features_dim, self.net_arch, spiking))
            return
        require(not self.use_sde, "action_cells", action_cells, "0 with use_sde=True")
        sizes = [*self.net_arch, dims * action_cells]
        self.latent_pi = nn.Sequential(hidden_layers(self.features_dim, sizes, spiking))
        self.mu = PopulationReadout(dims, action_cells)
        self.log_std = nn.Linear(sizes[-1], dims)  # type: ignore[assignment]


class SpikingSACPolicy(SpikingContinuousPolicy, SACPolicy):
    """SB3's ``MlpPolicy`` of SAC with a spiking actor, and spiking critics if wanted.

    Arguments are those of :class:`~snnrl.integrations.sb3.policies.SpikingActorPolicy`.
    """

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Actor:
        arguments = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return SpikingSACActor(self.spiking, self.action_cells, **arguments).to(self.device)

    def acting_path(self) -> ActingPath:
        actor = self.actor
        return ActingPath(spiking_parts(actor.features_extractor, actor.latent_pi), readout_of(actor.mu))

    def conversion_path(self, ann: BasePolicy) -> ConversionPath:
        assert isinstance(ann, SACPolicy)
        old, new = ann.actor, self.actor
        vision = vision_stacks(old.features_extractor, new.features_extractor)
        readouts, values = [(linear_of(old.mu), linear_of(new.mu))], []
        if isinstance(old.log_std, nn.Module):
            readouts.append((linear_of(old.log_std), linear_of(new.log_std)))
        else:
            values.append((old.log_std, new.log_std))
        critics: list[tuple[nn.Module, nn.Module]] = [
            (ann.critic, self.critic),
            (ann.critic_target, self.critic_target),
        ]
        return ConversionPath([*vision, *stacks(old.latent_pi, new.latent_pi)], readouts, critics, values)


class SpikingSACCnnPolicy(SpikingSACPolicy):
    """SB3's ``CnnPolicy`` of SAC with spiking convolutions."""

    EXTRACTOR = SpikingNatureCNN


class SpikingSACMultiInputPolicy(SpikingSACPolicy):
    """SB3's ``MultiInputPolicy`` of SAC with spiking layers; settings are those of the policy for vectors."""

    EXTRACTOR = SpikingCombinedExtractor


@dataclass(frozen=True)
class SACConfig(OffPolicyConfig, ActorCriticConfig):
    """Recipe of SAC."""

    ent_coef: float | None = setting(
        None, "weight of the policy's entropy; null learns it", at_least=0, expected="a number of at least 0"
    )
    use_sde: bool = setting(False, "state-dependent exploration")

    def arguments(self, env: VecEnv) -> dict[str, object]:
        return {**super().arguments(env), "ent_coef": "auto" if self.ent_coef is None else self.ent_coef}


@register("sac")
class SACAgent(OffPolicyAgent[SAC, SACConfig]):
    """An agent that SAC trains."""

    Config = SACConfig
    ALGORITHM = SAC
    POLICIES = Policies(SpikingSACPolicy, SpikingSACCnnPolicy, SpikingSACMultiInputPolicy)
    ACTIONS = "continuous"
