"""Spiking policies of DQN."""

from __future__ import annotations

from typing import Any

from stable_baselines3.dqn.policies import DQNPolicy, QNetwork

from snnrl.integrations.sb3.settings import readout, split_settings
from snnrl.integrations.sb3.vision import cnn_arguments, combined_arguments
from snnrl.networks.layered import LayerSettings


class SpikingQNetwork(QNetwork):
    """SB3's ``QNetwork`` with spiking hidden layers.

    Args:
        spiking: how they spike.
        **kwargs: as in SB3.
    """

    def __init__(self, spiking: LayerSettings, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.spiking = spiking
        self.q_net = readout(self.features_dim, self.net_arch, int(self.action_space.n), spiking)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "spiking": self.spiking}


class SpikingDQNPolicy(DQNPolicy):
    """SB3's ``MlpPolicy`` of DQN with spiking hidden layers; action values are read by a linear layer.

    Args:
        *args: as in SB3.
        **kwargs: settings of :class:`~snnrl.networks.layered.LayerSettings`, and those of SB3's policy.

    Raises:
        ConfigError: a setting out of range.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.spiking, kwargs = split_settings(kwargs)
        super().__init__(*args, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), **self.spiking.as_dict()}

    def make_q_net(self) -> QNetwork:
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return SpikingQNetwork(self.spiking, **arguments).to(self.device)


class SpikingDQNCnnPolicy(SpikingDQNPolicy):
    """SB3's ``CnnPolicy`` of DQN with spiking convolutions; settings are those of the policy above."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **cnn_arguments(kwargs, net_arch=[]))


class SpikingDQNMultiInputPolicy(SpikingDQNPolicy):
    """SB3's ``MultiInputPolicy`` of DQN with spiking layers; settings are those of the policy for vectors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **combined_arguments(kwargs))
