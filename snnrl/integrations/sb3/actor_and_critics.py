"""What the spiking policies of SAC and TD3 share: an actor of continuous actions, and critics of state and action."""

from __future__ import annotations

from stable_baselines3.common.policies import BasePolicy, ContinuousCritic
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from snnrl.integrations.sb3.policies import SpikingActorPolicy, readout
from snnrl.integrations.sb3.proxy import ProxyTargetPolicy, Substitutable, Target
from snnrl.networks.layered import LayerSettings
from snnrl.types import Saved, Setting


class SpikingContinuousCritic(Substitutable, ContinuousCritic):
    """SB3's critics of SAC and TD3 with spiking hidden layers.

    Args:
        spiking: how they spike.
        **kwargs: as in SB3.
    """

    def __init__(self, spiking: LayerSettings, **kwargs: Setting) -> None:
        super().__init__(**kwargs)
        inputs = kwargs["features_dim"] + get_action_dim(self.action_space)
        self.q_networks = [readout(inputs, kwargs["net_arch"], 1, spiking) for _ in self.q_networks]
        for number, network in enumerate(self.q_networks):
            self.add_module(f"qf{number}", network)


class SpikingContinuousActor(BasePolicy):
    """Base of the spiking actors of SAC and TD3, to stand before SB3's own among the bases of a class.

    Args:
        spiking: how the hidden layers spike.
        action_cells: neurons of the pool of each action dimension, 0 for none.
        **kwargs: as in SB3.
    """

    def __init__(self, spiking: LayerSettings, action_cells: int, **kwargs: Setting) -> None:
        super().__init__(**kwargs)
        self.spiking, self.action_cells = spiking, action_cells

    def _get_constructor_parameters(self) -> Saved:
        own = {"spiking": self.spiking, "action_cells": self.action_cells}
        return {**super()._get_constructor_parameters(), **own}


class SpikingContinuousPolicy(ProxyTargetPolicy, SpikingActorPolicy):
    """Base of the spiking policies of continuous actions, whose critics see state and action."""

    critic_kwargs: dict[str, Setting]
    critic: ContinuousCritic
    critic_target: ContinuousCritic

    def targets(self) -> list[Target]:
        if not isinstance(self.critic_target, SpikingContinuousCritic):
            return []
        arguments = self._update_features_extractor(self.critic_kwargs, None)
        return [Target(self.critic, self.critic_target, ContinuousCritic(**arguments))]

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        arguments = self._update_features_extractor(self.critic_kwargs, features_extractor)
        if self.critic_kind == "ann":
            return ContinuousCritic(**arguments).to(self.device)
        return SpikingContinuousCritic(self.spiking, **arguments).to(self.device)
