"""The loop between an agent and its environments."""

from __future__ import annotations

from typing import Any, NamedTuple

from gymnasium.vector import VectorEnv

from snnrl.agents.base import Agent, Metrics
from snnrl.envs import EnvConfig, Episode, EpisodeStats, FeedbackBuilder


class Stepped(NamedTuple):
    """What one step of all environments brought."""

    decisions: int
    """Environment steps taken; a row that only began an episode took none."""
    episodes: list[Episode]
    """Episodes that ended."""
    metrics: Metrics
    """What the agent says of its learning, often nothing."""


class Rollout:
    """Fresh episodes of a vector of environments, with the agent learning as they go.

    While the environments compute a step, the agent learns from the one before, where they can be sent actions without
    waiting for the outcome (Atari's can).

    Args:
        agent: who acts and learns.
        envs: a vector environment with ``NEXT_STEP`` autoreset.
        env: its recipe.
        seeds: one for each environment.
    """

    def __init__(self, agent: Agent[Any], envs: VectorEnv[Any, Any, Any], env: EnvConfig, seeds: list[int]) -> None:
        self._agent, self._envs = agent, envs
        self._observation, info = envs.reset(seed=seeds)
        self._signal = FeedbackBuilder(env.reward, envs.num_envs)
        self._stats = EpisodeStats(envs.num_envs)
        self._feedback = self._signal.start(info)
        self._state = agent.begin(envs.num_envs)

    def step(self) -> Stepped:
        """Act once in all environments, and learn."""
        action, state = self._agent.act(self._observation, self._feedback, self._state)
        if hasattr(self._envs, "send"):
            self._envs.send(action)
            self._state, metrics = self._agent.learn(state)
            result = self._envs.recv()
        else:
            self._state, metrics = self._agent.learn(state)
            result = self._envs.step(action)
        self._observation, reward, terminated, truncated, info = result
        self._feedback = self._signal(reward, terminated, truncated, info)
        episodes = self._stats.update(reward, terminated, truncated, self._feedback.reset)
        return Stepped(int((~self._feedback.reset).sum()), episodes, metrics)
