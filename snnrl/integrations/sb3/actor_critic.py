"""Spiking policies of PPO and A2C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import MlpExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import nn

from snnrl.integrations.sb3.policies import (
    ActingPath,
    ConversionPath,
    SpikingActorPolicy,
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


class SpikingExtractor(MlpExtractor):
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
        device: torch.device | str,
    ) -> None:
        super().__init__(features_dim, [], activation, device)
        self.policy_net: nn.Module = hidden_layers(features_dim, actor, settings)  # type: ignore[assignment]
        self.value_net: nn.Module  # type: ignore[assignment]
        if spiking_critic:
            self.value_net = hidden_layers(features_dim, critic, settings)
        else:
            arch = {"pi": [], "vf": list(critic)}
            self.value_net = MlpExtractor(features_dim, arch, activation, device).value_net
        self.latent_dim_pi = actor[-1] if actor else features_dim
        self.latent_dim_vf = critic[-1] if critic else features_dim


class SpikingActorCriticPolicy(SpikingActorPolicy, ActorCriticPolicy):
    """SB3's ``MlpPolicy`` of PPO and A2C with spiking neurons in its hidden layers.

    ``PPO(SpikingActorCriticPolicy, env, policy_kwargs=dict(sim_steps=4, neuron="lif"))``; everything else, ``net_arch``
    among it, is as for ``MlpPolicy``. Actions and value are read by linear layers that do not spike. Arguments are
    those of :class:`~snnrl.integrations.sb3.policies.SpikingActorPolicy`.
    """

    def _build_mlp_extractor(self) -> None:
        arch = self.net_arch
        actor, critic = (arch.get("pi", []), arch.get("vf", [])) if isinstance(arch, dict) else (arch, arch)
        if self.action_cells:
            actor = [*actor, get_action_dim(self.action_space) * self.action_cells]
        spiking_critic = self.critic_kind == "spiking"
        self.mlp_extractor = SpikingExtractor(
            self.features_dim, actor, critic, self.spiking, spiking_critic, self.activation_fn, self.device
        ).to(self.device)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        if self.action_cells:
            self.action_net = PopulationReadout(get_action_dim(self.action_space), self.action_cells)
            optimizer: Any = self.optimizer_class
            self.optimizer = optimizer(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)
        for network in spiking_parts(self):
            network.excite()

    def acting_path(self) -> ActingPath:
        return ActingPath(
            spiking_parts(self.features_extractor, self.mlp_extractor.policy_net), readout_of(self.action_net)
        )

    def conversion_path(self, ann: BasePolicy) -> ConversionPath:
        assert isinstance(ann, ActorCriticPolicy)
        old, new = ann.mlp_extractor, self.mlp_extractor
        return ConversionPath(
            hidden=[
                *vision_stacks(ann.features_extractor, self.features_extractor),
                *stacks(old.policy_net, new.policy_net),
            ],
            readouts=[(linear_of(ann.action_net), linear_of(self.action_net))],
            kept=[(old.value_net, new.value_net), (ann.value_net, self.value_net)],
            values=[(ann.log_std, self.log_std)] if hasattr(ann, "log_std") else [],
        )


class SpikingActorCriticCnnPolicy(SpikingActorCriticPolicy):
    """SB3's ``CnnPolicy`` of PPO and A2C with spiking convolutions; settings are those of the policy above."""

    EXTRACTOR = SpikingNatureCNN
    NET_ARCH = ()


class SpikingActorCriticMultiInputPolicy(SpikingActorCriticPolicy):
    """SB3's ``MultiInputPolicy`` of PPO and A2C with spiking layers; settings are those of the policy for vectors."""

    EXTRACTOR = SpikingCombinedExtractor
