"""PPO (Schulman et al. 2017, arXiv:1707.06347): settings and agent."""

from __future__ import annotations

from dataclasses import dataclass

from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from snnrl.integrations.sb3.config import falling
from snnrl.integrations.sb3.on_policy import OnPolicyAgent, OnPolicyConfig
from snnrl.settings import register, setting


@dataclass(frozen=True)
class PPOConfig(OnPolicyConfig):
    """Recipe of PPO."""

    batch_size: int = setting(
        64,
        "steps of a gradient",
        at_least=2,
        expected="an integer of at least 2, as advantages are normalised in each batch",
    )
    n_epochs: int = setting(10, "passes over a rollout", at_least=1)
    clip_range: float = setting(0.2, "largest change of an action's probability, as a ratio", above=0)
    clip_range_end_factor: float = setting(
        1.0, "what the clip range is multiplied by at the end of the run; it falls linearly", at_least=0
    )

    def check(self, env: VecEnv) -> None:
        super().check(env)
        several = self.n_steps * env.num_envs > 1
        self.require(several, "n_steps", "at least 2 with num_envs=1, as advantages are normalised")

    def arguments(self, env: VecEnv) -> dict[str, object]:
        clip_range = falling(self.clip_range, self.clip_range_end_factor)
        return {**super().arguments(env), "clip_range": clip_range}


@register("ppo")
class PPOAgent(OnPolicyAgent[PPOConfig]):
    """An agent that PPO trains."""

    Config = PPOConfig
    ALGORITHM = PPO
