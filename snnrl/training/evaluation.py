"""Full episodes of a policy that does not learn, on environments of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from snnrl.agents.base import permitted
from snnrl.envs import LONGEST, EnvConfig, EpisodeStats, env_seeds, for_evaluation, has_limit, make_envs
from snnrl.envs.seeding import AFTERWARDS
from snnrl.envs.types import start
from snnrl.types import Action, Observation, PolicyState


class Stopped(Exception):  # noqa: N818
    """Somebody asked for the end."""


class Evaluation(NamedTuple):
    """What an evaluation found."""

    returns: NDArray[np.float64]
    """``[episodes]``, raw and unclipped."""
    lengths: NDArray[np.int64]
    """``[episodes]``, in environment steps."""
    cut: int = 0
    """Episodes that were cut after :data:`~snnrl.envs.LONGEST` steps, as nothing else limits them."""

    def __repr__(self) -> str:
        """Mean and spread; :attr:`returns` and :attr:`lengths` hold every episode."""
        return f"Evaluation({self.score}, length {self.lengths.mean():.1f})"

    @property
    def score(self) -> str:
        """``return 21.5 ± 3.0 over 100 episodes``."""
        return f"return {self.returns.mean():.1f} ± {self.returns.std():.1f} over {len(self.returns)} episodes"

    @property
    def remark(self) -> str:
        """A line on episodes that were cut, or nothing."""
        if not self.cut:
            return ""
        return (
            f"{self.cut} of {len(self.lengths)} evaluation episodes did not end within {LONGEST:,} steps and were cut "
            "there, as the environment has no time limit; env.max_episode_steps sets one"
        )


class Policy(Protocol):
    """What can play: agents, and algorithms of stable-baselines3."""

    def predict(
        self,
        observation: Observation,
        state: PolicyState = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Action, PolicyState]:
        """Actions for a batch of observations, and the state for the next call."""


def evaluate(
    agent: Policy,
    env: EnvConfig,
    *,
    episodes: int,
    seed: int,
    epoch: int = AFTERWARDS,
    deterministic: bool = True,
    num_envs: int = 16,
    between_steps: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Play full episodes.

    How many episodes each environment plays is decided beforehand, so that short episodes are not counted more often
    than long ones. An episode that neither the environment nor its recipe limits is cut after
    :data:`~snnrl.envs.LONGEST` steps.

    Args:
        agent: who plays; it does not learn.
        env: the environment's recipe.
        episodes: number of episodes.
        seed: of the environments.
        epoch: which of the seed stream's epochs.
        deterministic: best actions rather than random ones.
        num_envs: environments played side by side.
        between_steps: told before each step how many of the episodes are over; may raise to end the evaluation.
    """
    num_envs = min(num_envs, episodes)
    quota = np.full(num_envs, episodes // num_envs) + (np.arange(num_envs) < episodes % num_envs)
    envs = make_envs(for_evaluation(env), num_envs)
    try:
        observation, info = start(envs, env_seeds(seed, "eval", epoch, num_envs))
        stats = EpisodeStats(num_envs)
        state: PolicyState = None
        begins, resets = np.ones(num_envs, dtype=bool), np.zeros(num_envs, dtype=bool)
        found: list[list[tuple[float, int]]] = [[] for _ in range(num_envs)]
        over = 0
        while over < episodes:
            between_steps(over)
            action, state = agent.predict(observation, state, begins, deterministic, **permitted(agent, info))
            observation, reward, terminated, truncated, info = envs.step(action)
            for episode in stats.update(reward, terminated, truncated, resets):
                over += len(found[episode.env]) < quota[episode.env]
                found[episode.env].append((episode.return_, episode.length))
            begins, resets = resets, (terminated | truncated) & ~resets
    finally:
        envs.close()
    kept = [result for done, wanted in zip(found, quota, strict=True) for result in done[:wanted]]
    returns, lengths = zip(*kept, strict=True)
    cut = 0 if has_limit(env) else sum(length >= LONGEST for length in lengths)
    return Evaluation(np.array(returns, dtype=np.float64), np.array(lengths, dtype=np.int64), cut)
