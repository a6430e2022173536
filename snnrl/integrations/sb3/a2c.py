"""A2C (Mnih et al. 2016, ICML): settings and agent."""

from __future__ import annotations

from dataclasses import dataclass

from stable_baselines3 import A2C

from snnrl.integrations.sb3.on_policy import OnPolicyAgent, OnPolicyConfig
from snnrl.settings import register, setting


@dataclass(frozen=True)
class A2CConfig(OnPolicyConfig):
    """Recipe of A2C."""

    learning_rate: float = 7e-4
    n_steps: int = 5
    gae_lambda: float = 1.0
    use_rms_prop: bool = setting(True, "RMSprop rather than Adam")


@register("a2c")
class A2CAgent(OnPolicyAgent[A2CConfig]):
    """An agent that A2C trains."""

    Config = A2CConfig
    ALGORITHM = A2C
