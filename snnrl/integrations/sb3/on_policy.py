"""Algorithms that learn from whole rollouts of their present policy: what PPO and A2C share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from snnrl.integrations.sb3.actor_critic import (
    SpikingActorCriticCnnPolicy,
    SpikingActorCriticMultiInputPolicy,
    SpikingActorCriticPolicy,
)
from snnrl.integrations.sb3.agent import Policies, SB3Agent
from snnrl.integrations.sb3.config import ActorCriticConfig, Stored
from snnrl.networks.normalisation import recalibration
from snnrl.settings import setting


@dataclass(frozen=True)
class OnPolicyConfig(ActorCriticConfig):
    """What the recipes of PPO and A2C share."""

    n_steps: int = setting(2048, "steps of each environment in a rollout", at_least=1)
    gae_lambda: float = setting(0.95, "of generalised advantage estimation", at_least=0, at_most=1)
    ent_coef: float = setting(0.0, "weight of the policy's entropy")
    vf_coef: float = setting(0.5, "weight of the critic's loss", at_least=0)
    max_grad_norm: float = setting(0.5, "norm to which gradients are cut", above=0, finite=False)
    use_sde: bool = setting(False, "state-dependent exploration, of continuous actions")
    sde_sample_freq: int = setting(-1, "steps between two draws of its noise; -1 draws once a rollout", at_least=-1)

    ACTIVATION: ClassVar[str] = "tanh"

    def stored(self, env_steps: int, num_envs: int) -> Stored:
        observations = self.n_steps * num_envs
        return Stored("n_steps", self.n_steps, observations, f"a rollout of {observations:,} observations")

    def remarks(self, env_steps: int, num_envs: int) -> Iterator[str]:
        rollout = self.n_steps * num_envs
        whole = -(-env_steps // rollout) * rollout
        if whole > 1.1 * env_steps:
            yield (
                f"env_steps={env_steps}: whole rollouts are trained on, agent.n_steps={self.n_steps} in "
                f"{num_envs} environments, {whole:,} env steps in all"
            )


C = TypeVar("C", bound=OnPolicyConfig)


class OnPolicyAgent(SB3Agent[OnPolicyAlgorithm, C], Generic[C]):
    """An agent that gathers a rollout, learns from it and forgets it."""

    POLICIES = Policies(SpikingActorCriticPolicy, SpikingActorCriticCnnPolicy, SpikingActorCriticMultiInputPolicy)

    def gather(self, envs: VecEnv, callback: BaseCallback) -> int:
        self.model.collect_rollouts(envs, callback, self.model.rollout_buffer, self.model.n_steps)
        return self.model.n_steps * envs.num_envs

    def optimise(self, gathered: int, env_steps: int) -> None:
        self.model._update_current_progress_remaining(self.model.num_timesteps, env_steps)
        self.model.train()
        if self.config.norm == "batch" and self.config.network == "spiking":
            self._recalibrate()

    def _recalibrate(self) -> None:
        """Take running statistics of currents from the rollout, by which the next one is then played."""
        policy, buffer = self.model.policy, self.model.rollout_buffer
        policy.set_training_mode(False)
        with recalibration(policy):
            for batch in buffer.get(256):
                policy.evaluate_actions(batch.observations, batch.actions)
