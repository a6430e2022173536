"""The loop between an agent and its environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, NamedTuple

from numpy.typing import NDArray

from snnrl.agents.base import Agent, Metrics
from snnrl.envs import EnvConfig, Episode, EpisodeStats, Feedback, FeedbackBuilder, Lane


class Stepped(NamedTuple):
    """What the turn of one lane brought."""

    decisions: int
    """Environment steps taken; a row that only began an episode took none."""
    episodes: list[Episode]
    """Episodes that ended."""
    metrics: Metrics
    """What the agent says of its learning, often nothing."""


@dataclass
class _Turn:
    """A lane, and what the agent knows of its environments."""

    lane: Lane
    observation: NDArray[Any]
    feedback: Feedback
    builder: FeedbackBuilder
    stats: EpisodeStats
    state: Any


class Rollout:
    """Fresh episodes of all lanes, with the agent learning as they go.

    The lanes take turns: fetch the outcome, decide, send the actions, and learn while they are carried out. The order
    of turns is fixed and every turn waits for its own environments, so nothing depends on which of them is faster.

    Args:
        agent: who acts and learns.
        lanes: the environments.
        env: their recipe.
        seeds: one for each environment, in the lanes' order.
    """

    def __init__(self, agent: Agent[Any], lanes: Sequence[Lane], env: EnvConfig, seeds: Sequence[int]) -> None:
        self._agent = agent
        left = list(seeds)
        turns = []
        for lane in lanes:
            own, left = left[: lane.num_envs], left[lane.num_envs :]
            observation, info = lane.reset(own)
            builder = FeedbackBuilder(env.reward, lane.num_envs)
            feedback, state = builder.start(info), agent.begin(lane.num_envs)
            turns.append(_Turn(lane, observation, feedback, builder, EpisodeStats(lane.num_envs), state))
        self._turns = cycle(turns)

    def step(self) -> Stepped:
        """The turn of the next lane; its first one fetches nothing."""
        turn = next(self._turns)
        decisions, episodes = self._fetch(turn) if turn.lane.pending else (0, [])
        action, state = self._agent.act(turn.observation, turn.feedback, turn.state)
        turn.lane.send(action)
        turn.state, metrics = self._agent.learn(state)
        return Stepped(decisions, episodes, metrics)

    @staticmethod
    def _fetch(turn: _Turn) -> tuple[int, list[Episode]]:
        turn.observation, reward, terminated, truncated, info = turn.lane.receive()
        turn.feedback = turn.builder(reward, terminated, truncated, info)
        episodes = turn.stats.update(reward, terminated, truncated, turn.feedback.reset)
        return int((~turn.feedback.reset).sum()), episodes
