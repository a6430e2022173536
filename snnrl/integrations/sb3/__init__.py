"""Spiking policies for stable-baselines3: swap one line of ``PPO("MlpPolicy", env)``.

>>> from stable_baselines3 import PPO
>>> from snnrl.integrations.sb3 import SpikingActorCriticPolicy
>>> model = PPO(SpikingActorCriticPolicy, "CartPole-v1", policy_kwargs={"sim_steps": 4, "neuron": "lif"}, device="cpu")

Importing this package also makes ``"SpikingMlpPolicy"`` and ``"SpikingCnnPolicy"`` known to PPO, A2C, DQN, SAC and TD3.
"""

from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

from snnrl.integrations.sb3.actor_critic import SpikingActorCriticCnnPolicy, SpikingActorCriticPolicy
from snnrl.integrations.sb3.continuous import (
    SpikingSACCnnPolicy,
    SpikingSACPolicy,
    SpikingTD3CnnPolicy,
    SpikingTD3Policy,
)
from snnrl.integrations.sb3.dqn import SpikingDQNCnnPolicy, SpikingDQNPolicy
from snnrl.integrations.sb3.vision import SpikingNatureCNN

__all__ = [
    "SpikingActorCriticCnnPolicy",
    "SpikingActorCriticPolicy",
    "SpikingDQNCnnPolicy",
    "SpikingDQNPolicy",
    "SpikingNatureCNN",
    "SpikingSACCnnPolicy",
    "SpikingSACPolicy",
    "SpikingTD3CnnPolicy",
    "SpikingTD3Policy",
]

for _algorithm, _mlp, _cnn in (
    (PPO, SpikingActorCriticPolicy, SpikingActorCriticCnnPolicy),
    (A2C, SpikingActorCriticPolicy, SpikingActorCriticCnnPolicy),
    (DQN, SpikingDQNPolicy, SpikingDQNCnnPolicy),
    (SAC, SpikingSACPolicy, SpikingSACCnnPolicy),
    (TD3, SpikingTD3Policy, SpikingTD3CnnPolicy),
):
    _algorithm.policy_aliases |= {"SpikingMlpPolicy": _mlp, "SpikingCnnPolicy": _cnn}
