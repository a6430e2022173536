"""DQN (Mnih et al. 2015, Nature 518:529): settings, spiking policies, agent."""

from __future__ import annotations

from dataclasses import dataclass

from stable_baselines3 import DQN
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork

from snnrl.integrations.sb3.agent import Policies
from snnrl.integrations.sb3.double_dqn import DoubleDQN
from snnrl.integrations.sb3.off_policy import OffPolicyAgent, OffPolicyConfig
from snnrl.integrations.sb3.policies import (
    ActingPath,
    ConversionPath,
    hidden_and_readout,
    readout,
    readout_of,
    spiking_parts,
    vision_stacks,
)
from snnrl.integrations.sb3.proxy import ProxyTargetPolicy, Substitutable, Target
from snnrl.integrations.sb3.vision import SpikingCombinedExtractor, SpikingNatureCNN
from snnrl.networks.layered import LayerSettings
from snnrl.settings import register, setting
from snnrl.types import Saved, Setting


class SpikingQNetwork(Substitutable, QNetwork):
    """SB3's ``QNetwork`` with spiking hidden layers.

    Args:
        spiking: how they spike.
        **kwargs: as in SB3.
    """

    def __init__(self, spiking: LayerSettings, **kwargs: Setting) -> None:
        super().__init__(**kwargs)
        self.spiking = spiking
        self.q_net = readout(self.features_dim, self.net_arch, int(self.action_space.n), spiking)

    def _get_constructor_parameters(self) -> Saved:
        return {**super()._get_constructor_parameters(), "spiking": self.spiking}


class SpikingDQNPolicy(ProxyTargetPolicy, DQNPolicy):
    """SB3's ``MlpPolicy`` of DQN with spiking hidden layers; action values are read by a linear layer.

    Arguments are those of :class:`~snnrl.integrations.sb3.proxy.ProxyTargetPolicy`.
    """

    def make_q_net(self) -> QNetwork:
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return SpikingQNetwork(self.spiking, **arguments).to(self.device)

    def targets(self) -> list[Target]:
        assert isinstance(self.q_net_target, SpikingQNetwork)
        return [Target(self.q_net, self.q_net_target, DQNPolicy.make_q_net(self))]

    def acting_path(self) -> ActingPath:
        network = self.q_net
        return ActingPath(spiking_parts(network.features_extractor, network.q_net), readout_of(network.q_net[-1]))

    def conversion_path(self, ann: BasePolicy) -> ConversionPath:
        assert isinstance(ann, DQNPolicy)
        old, new = ann.q_net, self.q_net
        hidden, read = hidden_and_readout(old.q_net, new.q_net)
        vision = vision_stacks(old.features_extractor, new.features_extractor)
        return ConversionPath([*vision, *hidden], [read], kept=[], targets=[(new, self.q_net_target)])


class SpikingDQNCnnPolicy(SpikingDQNPolicy):
    """SB3's ``CnnPolicy`` of DQN with spiking convolutions; settings are those of the policy above."""

    EXTRACTOR = SpikingNatureCNN
    NET_ARCH = ()


class SpikingDQNMultiInputPolicy(SpikingDQNPolicy):
    """SB3's ``MultiInputPolicy`` of DQN with spiking layers; settings are those of the policy for vectors."""

    EXTRACTOR = SpikingCombinedExtractor


@dataclass(frozen=True)
class DQNConfig(OffPolicyConfig):
    """Recipe of DQN."""

    learning_rate: float = 1e-4
    batch_size: int = 32
    tau: float = 1.0
    train_freq: int = 4
    target_update_interval: int = setting(10_000, "steps between two updates of the target network", at_least=1)
    double_q: bool = setting(
        False, "whether the network itself chooses the next action whose value its slow copy gives (double DQN)"
    )
    exploration_fraction: float = setting(
        0.1, "part of the run in which the share of random actions falls from 1", above=0, at_most=1
    )
    exploration_final_eps: float = setting(0.05, "share of random actions after that", at_least=0, at_most=1)


@register("dqn")
class DQNAgent(OffPolicyAgent[DoubleDQN, DQNConfig]):
    """An agent that DQN trains."""

    Config = DQNConfig
    ALGORITHM = DoubleDQN
    POLICIES = Policies(SpikingDQNPolicy, SpikingDQNCnnPolicy, SpikingDQNMultiInputPolicy)
    ACTIONS = "discrete"
    COUNTERS = (*OffPolicyAgent.COUNTERS, "_n_calls", "exploration_rate")


DQN.policy_aliases = DoubleDQN.policy_aliases  # SB3's own knows the spiking policies by their names too
