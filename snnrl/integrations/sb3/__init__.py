"""Spiking policies for stable-baselines3: swap one line of ``PPO("MlpPolicy", env)``.

>>> from stable_baselines3 import PPO
>>> from snnrl.integrations.sb3 import SpikingActorCriticPolicy
>>> model = PPO(SpikingActorCriticPolicy, "CartPole-v1", policy_kwargs={"sim_steps": 4, "neuron": "lif"}, device="cpu")

Importing this package also makes ``"SpikingMlpPolicy"``, ``"SpikingCnnPolicy"`` and ``"SpikingMultiInputPolicy"`` known
to PPO, A2C, DQN, SAC and TD3.
"""

from snnrl.integrations.sb3.a2c import A2CAgent, A2CConfig
from snnrl.integrations.sb3.actor_critic import (
    SpikingActorCriticCnnPolicy,
    SpikingActorCriticMultiInputPolicy,
    SpikingActorCriticPolicy,
)
from snnrl.integrations.sb3.agent import Policies, SB3Agent
from snnrl.integrations.sb3.dqn import (
    DQNAgent,
    DQNConfig,
    SpikingDQNCnnPolicy,
    SpikingDQNMultiInputPolicy,
    SpikingDQNPolicy,
)
from snnrl.integrations.sb3.off_policy import OffPolicyAgent, OffPolicyConfig
from snnrl.integrations.sb3.on_policy import OnPolicyAgent, OnPolicyConfig
from snnrl.integrations.sb3.policies import ActingPath, ConversionPath, SpikingActorPolicy, SpikingPolicy
from snnrl.integrations.sb3.ppo import PPOAgent, PPOConfig
from snnrl.integrations.sb3.sac import (
    SACAgent,
    SACConfig,
    SpikingSACCnnPolicy,
    SpikingSACMultiInputPolicy,
    SpikingSACPolicy,
)
from snnrl.integrations.sb3.td3 import (
    SpikingTD3CnnPolicy,
    SpikingTD3MultiInputPolicy,
    SpikingTD3Policy,
    TD3Agent,
    TD3Config,
)
from snnrl.integrations.sb3.vision import SpikingCombinedExtractor, SpikingNatureCNN

__all__ = [
    "A2CAgent",
    "A2CConfig",
    "ActingPath",
    "ConversionPath",
    "DQNAgent",
    "DQNConfig",
    "OffPolicyAgent",
    "OffPolicyConfig",
    "OnPolicyAgent",
    "OnPolicyConfig",
    "PPOAgent",
    "PPOConfig",
    "Policies",
    "SACAgent",
    "SACConfig",
    "SB3Agent",
    "SpikingActorCriticCnnPolicy",
    "SpikingActorCriticMultiInputPolicy",
    "SpikingActorCriticPolicy",
    "SpikingActorPolicy",
    "SpikingCombinedExtractor",
    "SpikingDQNCnnPolicy",
    "SpikingDQNMultiInputPolicy",
    "SpikingDQNPolicy",
    "SpikingNatureCNN",
    "SpikingPolicy",
    "SpikingSACCnnPolicy",
    "SpikingSACMultiInputPolicy",
    "SpikingSACPolicy",
    "SpikingTD3CnnPolicy",
    "SpikingTD3MultiInputPolicy",
    "SpikingTD3Policy",
    "TD3Agent",
    "TD3Config",
]
