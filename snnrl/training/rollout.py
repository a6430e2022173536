"""The loop between an agent and its environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from snnrl.agents.base import AnyAgent, Metrics
from snnrl.envs import EnvConfig, Episode, EpisodeStats, FeedbackBuilder, VectorAtari
from snnrl.envs.types import VectorEnv, start
from snnrl.training.shared_envs import SharedEnvs
from snnrl.types import Action, Array, Info, Observation

Transition: TypeAlias = tuple[Observation, Array, Array, Array, Info]
"""Observations, or actions, with rewards, what terminated, what was truncated, and infos."""


class Stepped(NamedTuple):
    """What one step of all environments brought."""

    decisions: int
    """Environment steps taken; a row that only began an episode took none."""
    episodes: list[Episode]
    """Episodes that ended."""
    metrics: Metrics
    """What the agent says of its learning, often nothing."""


def one_info(info: Info, row: int) -> Info:
    """What ``info`` of a vector of environments says of one of them; ``_key`` says whose ``key`` is."""
    said = {key: (value, info[f"_{key}"]) for key, value in info.items() if f"_{key}" in info}
    return {
        key: one_info(value, row) if isinstance(value, dict) else value[row]
        for key, (value, whose) in said.items()
        if whose[row]
    }


class Rollout:
    """Fresh episodes of a vector of environments, with the agent learning as they go.

    Atari's games run on threads of their own, so the agent learns from the last step while they compute the next.

    Args:
        agent: who acts and learns.
        envs: a vector environment with ``NEXT_STEP`` autoreset.
        env: its recipe.
        seeds: one for each environment.
    """

    def __init__(self, agent: AnyAgent, envs: VectorEnv, env: EnvConfig, seeds: Sequence[int]) -> None:
        self._agent, self._envs = agent, envs
        self._observation, info = start(envs, seeds)
        self._builder = FeedbackBuilder(env.reward, envs.num_envs)
        self._stats = EpisodeStats(envs.num_envs)
        self._feedback = self._builder.start(info)
        self._state = agent.begin(envs.num_envs)
        self._last: Transition | None = None

    def step(self) -> Stepped:
        """Act once in all environments, and learn."""
        action, state = self._agent.act(self._observation, self._feedback, self._state)
        result, metrics = self._learn_and_step(action, state)
        self._observation, reward, terminated, truncated, info = result
        self._last = action, reward, terminated, truncated, info
        self._feedback = self._builder(reward, terminated, truncated, info)
        episodes = self._stats.update(reward, terminated, truncated, self._feedback.reset)
        return Stepped(int((~self._feedback.reset).sum()), episodes, metrics)

    @property
    def state(self) -> object:
        """The agent's training state."""
        return self._state

    def variables(self, stepped: Stepped) -> Info:
        """The last step as stable-baselines3's callbacks see one, in ``locals``.

        Args:
            stepped: what the last :meth:`step` returned.
        """
        assert self._last is not None
        actions, rewards, terminated, truncated, info = self._last
        infos: list[Info] = [one_info(info, row) for row in range(self._envs.num_envs)]
        for episode in stepped.episodes:
            infos[episode.env]["episode"] = {"r": episode.return_, "l": episode.length}
        return {
            "actions": actions,
            "new_obs": self._observation,
            "rewards": rewards,
            "dones": terminated | truncated,
            "infos": infos,
        }

    def _learn_and_step(self, action: Action, state: object) -> tuple[Transition, Metrics]:
        if isinstance(self._envs, VectorAtari | SharedEnvs):
            self._envs.send(action)
            self._state, metrics = self._agent.update(state)
            return self._envs.recv(), metrics
        self._state, metrics = self._agent.update(state)
        return self._envs.step(action), metrics
