"""Spiking policies of SAC and TD3: an actor and critics that spike."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.sac.policies import Actor as SACActor
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import Actor as TD3Actor
from stable_baselines3.td3.policies import TD3Policy
from torch import nn

from snnrl.errors import require
from snnrl.integrations.sb3.settings import hidden_layers, readout, require_cells, require_critic, split_settings
from snnrl.integrations.sb3.vision import cnn_arguments, combined_arguments
from snnrl.networks.coding import PopulationReadout
from snnrl.networks.layered import LayerSettings


class SpikingSACActor(SACActor):
    """SB3's actor of SAC with spiking hidden layers.

    Args:
        spiking: how they spike.
        action_cells: neurons of the pool of each action dimension, 0 for none.
        **kwargs: as in SB3.
    """

    def __init__(self, spiking: LayerSettings, action_cells: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spiking, self.action_cells = spiking, action_cells
        dims = get_action_dim(self.action_space)
        if not action_cells:
            self.latent_pi = _sequence(hidden_layers(self.features_dim, self.net_arch, spiking))
            return
        require(not self.use_sde, "action_cells", action_cells, "0 with use_sde=True")
        sizes = [*self.net_arch, dims * action_cells]
        self.latent_pi = _sequence(hidden_layers(self.features_dim, sizes, spiking))
        self.mu = PopulationReadout(dims, action_cells)
        self.log_std = nn.Linear(sizes[-1], dims)  # type: ignore[assignment]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"spiking": self.spiking, "action_cells": self.action_cells}
        return {**super()._get_constructor_parameters(), **own}


class SpikingTD3Actor(TD3Actor):
    """SB3's actor of TD3 with spiking hidden layers; arguments as those of :class:`SpikingSACActor`."""

    def __init__(self, spiking: LayerSettings, action_cells: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spiking, self.action_cells = spiking, action_cells
        dims = get_action_dim(self.action_space)
        if action_cells:
            layers = hidden_layers(self.features_dim, [*self.net_arch, dims * action_cells], spiking)
            self.mu = nn.Sequential(layers, PopulationReadout(dims, action_cells), nn.Tanh())
        else:
            self.mu = readout(self.features_dim, self.net_arch, dims, spiking, nn.Tanh())

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"spiking": self.spiking, "action_cells": self.action_cells}
        return {**super()._get_constructor_parameters(), **own}


class SpikingContinuousCritic(ContinuousCritic):
    """SB3's critics of SAC and TD3 with spiking hidden layers.

    Args:
        spiking: how they spike.
        **kwargs: as in SB3.
    """

    def __init__(self, spiking: LayerSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        inputs = kwargs["features_dim"] + get_action_dim(self.action_space)
        self.q_networks = [readout(inputs, kwargs["net_arch"], 1, spiking) for _ in self.q_networks]
        for number, network in enumerate(self.q_networks):
            self.add_module(f"qf{number}", network)


class SpikingSACPolicy(SACPolicy):
    """SB3's ``MlpPolicy`` of SAC with a spiking actor, and spiking critics if wanted.

    Args:
        observation_space: as in SB3, like all that is not named here.
        action_space: as in SB3.
        *args: as in SB3.
        action_cells: neurons of the pool of each action dimension, from which it alone is read (Tang et al. 2020,
            CoRL, "PopSAN"); 0 reads all dimensions from the last hidden layer.
        critic: ``ann`` for SB3's own, which is not needed to act, or ``spiking``.
        **kwargs: settings of :class:`~snnrl.networks.layered.LayerSettings`, and those of SB3's policy.

    Raises:
        ConfigError: a setting out of range.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        *args: Any,
        action_cells: int = 0,
        critic: str = "ann",
        **kwargs: Any,
    ) -> None:
        self.spiking, kwargs = split_settings(kwargs)
        self.action_cells = require_cells(action_cells, action_space)
        self.critic_kind = require_critic(critic)
        super().__init__(observation_space, action_space, *args, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"action_cells": self.action_cells, "critic": self.critic_kind}
        return {**super()._get_constructor_parameters(), **self.spiking.as_dict(), **own}

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> SACActor:
        arguments = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return SpikingSACActor(self.spiking, self.action_cells, **arguments).to(self.device)

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        if self.critic_kind == "ann":
            return super().make_critic(features_extractor)
        arguments = self._update_features_extractor(self.critic_kwargs, features_extractor)
        return SpikingContinuousCritic(self.spiking, **arguments).to(self.device)


class SpikingTD3Policy(TD3Policy):
    """SB3's ``MlpPolicy`` of TD3 with a spiking actor; settings are those of :class:`SpikingSACPolicy`."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box,
        *args: Any,
        action_cells: int = 0,
        critic: str = "ann",
        **kwargs: Any,
    ) -> None:
        self.spiking, kwargs = split_settings(kwargs)
        self.action_cells = require_cells(action_cells, action_space)
        self.critic_kind = require_critic(critic)
        super().__init__(observation_space, action_space, *args, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"action_cells": self.action_cells, "critic": self.critic_kind}
        return {**super()._get_constructor_parameters(), **self.spiking.as_dict(), **own}

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> TD3Actor:
        arguments = self._update_features_extractor(self.actor_kwargs, features_extractor)
        return SpikingTD3Actor(self.spiking, self.action_cells, **arguments).to(self.device)

    def make_critic(self, features_extractor: BaseFeaturesExtractor | None = None) -> ContinuousCritic:
        if self.critic_kind == "ann":
            return super().make_critic(features_extractor)
        arguments = self._update_features_extractor(self.critic_kwargs, features_extractor)
        return SpikingContinuousCritic(self.spiking, **arguments).to(self.device)


class SpikingSACCnnPolicy(SpikingSACPolicy):
    """SB3's ``CnnPolicy`` of SAC with spiking convolutions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **cnn_arguments(kwargs))


class SpikingTD3CnnPolicy(SpikingTD3Policy):
    """SB3's ``CnnPolicy`` of TD3 with spiking convolutions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **cnn_arguments(kwargs))


def _sequence(layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(layers)


class SpikingSACMultiInputPolicy(SpikingSACPolicy):
    """SB3's ``MultiInputPolicy`` of SAC with spiking layers; settings are those of the policy for vectors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **combined_arguments(kwargs))


class SpikingTD3MultiInputPolicy(SpikingTD3Policy):
    """SB3's ``MultiInputPolicy`` of TD3 with spiking layers; settings are those of the policy for vectors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **combined_arguments(kwargs))
