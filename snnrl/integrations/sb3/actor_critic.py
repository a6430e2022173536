"""Spiking policies of PPO and A2C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import MlpExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from snnrl.integrations.sb3.settings import hidden_layers, require_cells, require_critic, split_settings
from snnrl.integrations.sb3.vision import cnn_arguments, combined_arguments
from snnrl.networks.coding import PopulationReadout
from snnrl.networks.layered import LayeredNetwork, LayerSettings


class SpikingExtractor(nn.Module):
    """SB3's ``MlpExtractor``, with spikes: one network for the actor, one for the critic.

    Args:
        features_dim: of the input.
        actor: sizes of the actor's layers.
        critic: sizes of the critic's layers.
        settings: how neurons spike.
        spiking_critic: whether the critic spikes too; otherwise it is SB3's own with ``activation``.
        activation: of a critic that does not spike.
        device: of a critic that does not spike.
    """

    def __init__(
        self,
        features_dim: int,
        actor: Sequence[int],
        critic: Sequence[int],
        settings: LayerSettings,
        spiking_critic: bool,
        activation: type[nn.Module],
        device: Any,
    ) -> None:
        super().__init__()
        self.policy_net: nn.Module = hidden_layers(features_dim, actor, settings)
        if spiking_critic:
            self.value_net: nn.Module = hidden_layers(features_dim, critic, settings)
        else:
            arch = {"pi": [], "vf": list(critic)}
            self.value_net = MlpExtractor(features_dim, arch, activation, device).value_net
        self.latent_dim_pi = actor[-1] if actor else features_dim
        self.latent_dim_vf = critic[-1] if critic else features_dim

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``[batch, features_dim]`` to those of the actor and of the critic."""
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        """Features ``[batch, features_dim]`` to ``[batch, latent_dim_pi]``."""
        latent: Tensor = self.policy_net(features)
        return latent

    def forward_critic(self, features: Tensor) -> Tensor:
        """Features ``[batch, features_dim]`` to ``[batch, latent_dim_vf]``."""
        latent: Tensor = self.value_net(features)
        return latent


class SpikingActorCriticPolicy(ActorCriticPolicy):
    """SB3's ``MlpPolicy`` of PPO and A2C with spiking neurons in its hidden layers.

    ``PPO(SpikingActorCriticPolicy, env, policy_kwargs=dict(sim_steps=4, neuron="lif"))``; everything else, ``net_arch``
    among it, is as for ``MlpPolicy``. Actions and value are read by linear layers that do not spike.

    Args:
        observation_space: as in SB3, like all that is not named here.
        action_space: as in SB3.
        *args: as in SB3.
        action_cells: neurons of a pool for each action dimension, appended to the actor's layers, from which that
            dimension alone is read (Tang et al. 2020, CoRL); 0 for none. For continuous actions.
        critic: ``ann`` for SB3's own, which is not needed to act, or ``spiking``.
        **kwargs: settings of :class:`~snnrl.networks.layered.LayerSettings`, and those of SB3's policy.

    Raises:
        ConfigError: a setting out of range.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
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

    def _build_mlp_extractor(self) -> None:
        arch: Any = self.net_arch
        actor, critic = (arch.get("pi", []), arch.get("vf", [])) if isinstance(arch, dict) else (arch, arch)
        if self.action_cells:
            actor = [*actor, get_action_dim(self.action_space) * self.action_cells]
        extractor: Any = SpikingExtractor(
            self.features_dim,
            actor,
            critic,
            self.spiking,
            self.critic_kind == "spiking",
            self.activation_fn,
            self.device,
        )
        self.mlp_extractor = extractor.to(self.device)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        if self.action_cells:
            self.action_net = PopulationReadout(get_action_dim(self.action_space), self.action_cells)
            optimizer: Any = self.optimizer_class
            self.optimizer = optimizer(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)
        for module in self.modules():
            if isinstance(module, LayeredNetwork):
                module.excite()


class SpikingActorCriticCnnPolicy(SpikingActorCriticPolicy):
    """SB3's ``CnnPolicy`` of PPO and A2C with spiking convolutions; settings are those of the policy above."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **cnn_arguments(kwargs, net_arch=[]))


class SpikingActorCriticMultiInputPolicy(SpikingActorCriticPolicy):
    """SB3's ``MultiInputPolicy`` of PPO and A2C with spiking layers; settings are those of the policy for vectors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **combined_arguments(kwargs))
