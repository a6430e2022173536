"""Spiking policies for stable-baselines3: swap one line of ``PPO("MlpPolicy", env)``.

>>> from stable_baselines3 import PPO
>>> from snnrl.integrations.sb3 import SpikingActorCriticPolicy
>>> model = PPO(SpikingActorCriticPolicy, "CartPole-v1", policy_kwargs={"sim_steps": 4, "neuron": "lif"}, device="cpu")

Importing this package also makes ``"SpikingMlpPolicy"``, ``"SpikingCnnPolicy"`` and ``"SpikingMultiInputPolicy"`` known
to PPO, A2C, DQN, SAC and TD3.
"""

from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

from snnrl.integrations.sb3.actor_critic import (
    SpikingActorCriticCnnPolicy,
    SpikingActorCriticMultiInputPolicy,
    SpikingActorCriticPolicy,
)
from snnrl.integrations.sb3.continuous import (
    SpikingSACCnnPolicy,
    SpikingSACMultiInputPolicy,
    SpikingSACPolicy,
    SpikingTD3CnnPolicy,
    SpikingTD3MultiInputPolicy,
    SpikingTD3Policy,
)
from snnrl.integrations.sb3.dqn import SpikingDQNCnnPolicy, SpikingDQNMultiInputPolicy, SpikingDQNPolicy
from snnrl.integrations.sb3.vision import SpikingCombinedExtractor, SpikingNatureCNN

__all__ = [
    "SpikingActorCriticCnnPolicy",
    "SpikingActorCriticMultiInputPolicy",
    "SpikingActorCriticPolicy",
    "SpikingCombinedExtractor",
    "SpikingDQNCnnPolicy",
    "SpikingDQNMultiInputPolicy",
    "SpikingDQNPolicy",
    "SpikingNatureCNN",
    "SpikingSACCnnPolicy",
    "SpikingSACMultiInputPolicy",
    "SpikingSACPolicy",
    "SpikingTD3CnnPolicy",
    "SpikingTD3MultiInputPolicy",
    "SpikingTD3Policy",
]

for _algorithm, _mlp, _cnn, _multi in (
    (PPO, SpikingActorCriticPolicy, SpikingActorCriticCnnPolicy, SpikingActorCriticMultiInputPolicy),
    (A2C, SpikingActorCriticPolicy, SpikingActorCriticCnnPolicy, SpikingActorCriticMultiInputPolicy),
    (DQN, SpikingDQNPolicy, SpikingDQNCnnPolicy, SpikingDQNMultiInputPolicy),
    (SAC, SpikingSACPolicy, SpikingSACCnnPolicy, SpikingSACMultiInputPolicy),
    (TD3, SpikingTD3Policy, SpikingTD3CnnPolicy, SpikingTD3MultiInputPolicy),
):
    _algorithm.policy_aliases |= {
        "SpikingMlpPolicy": _mlp,
        "SpikingCnnPolicy": _cnn,
        "SpikingMultiInputPolicy": _multi,
    }
