"""Algorithms that learn from what they remember: what DQN, SAC and TD3 share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFreq
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy

from snnrl.integrations.sb3.agent import SB3Agent
from snnrl.integrations.sb3.config import AlgorithmConfig, Stored
from snnrl.integrations.sb3.proxy import ProxyTargetPolicy
from snnrl.networks.normalisation import recalibration
from snnrl.settings import setting
from snnrl.types import Array, Saved, Setting, Settings

RECALIBRATION = 100
"""Remembered batches from which statistics are taken, as CaRe-BN does (Xu et al. 2025)."""


@dataclass(frozen=True)
class OffPolicyConfig(AlgorithmConfig):
    """What the recipes of DQN, SAC and TD3 share."""

    buffer_size: int = setting(100_000, "steps that are remembered", at_least=1)
    learning_starts: int = setting(100, "steps before the first gradient", at_least=0)
    batch_size: int = setting(256, "remembered steps of a gradient", at_least=1)
    tau: float = setting(0.005, "by how much target networks follow at each update", at_least=0, at_most=1)
    train_freq: int = setting(1, "steps of each environment between two rounds of training", at_least=1)
    gradient_steps: int = setting(
        1,
        "gradients of a round; -1 for as many as there were steps",
        check=lambda steps: steps >= 1 or steps == -1,
        expected="an integer of at least 1, or -1",
    )
    proxy_target: bool = setting(
        False, "whether networks without spikes, fitted to the spiking ones, stand in for their slow copies"
    )
    proxy_lr: float = setting(1e-3, "learning rate by which they follow", above=0)
    recalibrate_every: int = setting(
        5000,
        "steps of all environments between two times when norm=batch takes its statistics from many remembered batches",
        at_least=1,
    )
    n_steps: int = setting(
        1, "steps whose rewards are summed before the value of what follows is taken (n-step returns)", at_least=1
    )
    save_replay: bool = setting(
        True, "whether checkpoints hold what is remembered; else a run that goes on begins with an empty memory"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(self.n_steps <= self.buffer_size, "n_steps", f"at most agent.buffer_size ({self.buffer_size})")

    def check(self, env: VecEnv) -> None:
        super().check(env)
        single = self.n_steps == 1 or not isinstance(env.observation_space, spaces.Dict)
        self.require(single, "n_steps", "1, as observations have several parts")

    def policy_kwargs(self) -> dict[str, Setting]:
        proxies = self.proxy_target and self.network == "spiking"
        own = {"proxy_target": True, "proxy_lr": self.proxy_lr} if proxies else {}
        return {**super().policy_kwargs(), **own}

    def stored(self, env_steps: int, num_envs: int) -> Stored:
        kept = min(self.buffer_size, env_steps)
        return Stored("buffer_size", self.buffer_size, 2 * kept, f"{kept:,} remembered steps")


A = TypeVar("A", bound=OffPolicyAlgorithm)
C = TypeVar("C", bound=OffPolicyConfig)


class OffPolicyAgent(SB3Agent[A, C], Generic[A, C]):
    """An agent that learns from what it remembers."""

    def gather(self, envs: VecEnv, callback: BaseCallback) -> int:
        algorithm = self.model
        assert isinstance(algorithm.train_freq, TrainFreq)
        gathered = algorithm.collect_rollouts(
            envs,
            train_freq=algorithm.train_freq,
            action_noise=algorithm.action_noise,
            callback=callback,
            learning_starts=algorithm.learning_starts,
            replay_buffer=self._replay_buffer(),
            log_interval=None,
        )
        return gathered.episode_timesteps

    def optimise(self, gathered: int, env_steps: int) -> None:
        algorithm = self.model
        if algorithm.num_timesteps > algorithm.learning_starts:
            steps = algorithm.gradient_steps if algorithm.gradient_steps >= 0 else gathered
            if steps > 0:
                algorithm.train(batch_size=algorithm.batch_size, gradient_steps=steps)
                self._fit_proxies(steps)
            every, done = self.config.recalibrate_every, algorithm.num_timesteps
            normed = self.config.norm == "batch" and self.config.network == "spiking"
            if normed and done // every > (done - gathered) // every:
                self._recalibrate()

    def _fit_proxies(self, steps: int) -> None:
        """As many steps of the networks that compute targets, where they are proxies."""
        algorithm, policy = self.model, self.policy
        if not isinstance(policy, ProxyTargetPolicy) or policy.proxies is None:
            return
        policy.set_training_mode(False)
        for _ in range(steps):
            batch = self._replay_buffer().sample(algorithm.batch_size, env=algorithm._vec_normalize_env)
            policy.proxies.fit(batch.observations, batch.actions)

    def learning_state(self) -> Saved:
        state = super().learning_state()
        policy = self.policy
        if isinstance(policy, ProxyTargetPolicy) and policy.proxies is not None:
            state["modules"]["policy.proxies.optimizer"] = policy.proxies.optimizer.state_dict()
        return state

    def _recalibrate(self) -> None:
        """Take running statistics of currents from remembered batches, which were met under all policies since."""
        algorithm, policy = self.model, self.policy
        policy.set_training_mode(False)
        with recalibration(policy):
            for _ in range(RECALIBRATION):
                batch = self._replay_buffer().sample(algorithm.batch_size, env=algorithm._vec_normalize_env)
                if isinstance(policy, DQNPolicy):
                    policy.q_net(batch.observations)
                    continue
                assert isinstance(policy, SACPolicy | TD3Policy)
                policy.actor._predict(batch.observations, deterministic=True)
                policy.critic(batch.observations, batch.actions)

    def memory(self) -> Saved:
        return _remembered(self._replay_buffer()) if self.config.save_replay else {}

    def take_memory(self, saved: Settings) -> None:
        _remember(self._replay_buffer(), saved)

    def _replay_buffer(self) -> ReplayBuffer:
        buffer = self.model.replay_buffer
        assert buffer is not None
        return buffer


_REPLAYED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def _memories(buffer: ReplayBuffer) -> Iterator[tuple[str, Array]]:
    """The arrays of a replay buffer by name; observations of several arrays have one for each."""
    for name in _REPLAYED:
        array = getattr(buffer, name, None)
        if isinstance(array, dict):
            yield from ((f"{name}.{key}", part) for key, part in array.items())
        elif array is not None:
            yield name, array


def _remembered(buffer: ReplayBuffer) -> Saved:
    """What a replay buffer holds, as tensors."""
    size = buffer.buffer_size if buffer.full else buffer.pos
    held = {name: torch.from_numpy(array[:size].copy()) for name, array in _memories(buffer)}
    return {**held, "pos": buffer.pos, "full": buffer.full}


def _remember(buffer: ReplayBuffer, saved: Settings) -> None:
    """Take over what :func:`_remembered` gave."""
    for name, array in _memories(buffer):
        if name in saved:
            known = saved[name].cpu().numpy()
            array[: len(known)] = known
    buffer.pos, buffer.full = saved["pos"], saved["full"]
