"""One environment that is stepped as a row of a vector environment is, with its pictures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnrl.envs import EnvConfig, Feedback, FeedbackBuilder, as_one_row, make_env
from snnrl.envs.drawing import CannotDrawError, drawn, picture
from snnrl.envs.types import Env
from snnrl.spaces import assemble, first, split
from snnrl.types import Action, Info, Observation

FRAMES_PER_SECOND = 30.0
"""Of an environment that does not say."""


class Outcome(NamedTuple):
    """What an action brought."""

    reward: float
    terminated: bool
    truncated: bool


class Row:
    """One environment, which starts over at the step after an episode's end (``NEXT_STEP``).

    Args:
        env: its recipe.
        frames: whether pictures are wanted; an environment that has none goes without.

    Attributes:
        observation: a batch of one, with what :attr:`feedback` says of it.
        feedback: what a learner is told along with it.
        info: what the environment says of it, as a vector of one environment would.
        ended: whether an episode has ended with it: the next action starts another.
    """

    observation: Observation
    feedback: Feedback
    info: Info

    def __init__(self, env: EnvConfig, *, frames: bool) -> None:
        self._drawing = frames
        self._env = self._made(env)
        self._builder = FeedbackBuilder(env.reward, 1)
        self.ended = False
        rate = self._env.metadata.get("render_fps")
        self.frames_per_second = float(rate) if rate else FRAMES_PER_SECOND

    def _made(self, env: EnvConfig) -> Env:
        if self._drawing:
            try:
                return drawn(env)
            except CannotDrawError:
                self._drawing = False
        return make_env(env)

    def start(self, seed: int) -> None:
        """Begin the first episode."""
        observation, info = self._env.reset(seed=seed)
        self._see(observation, info)
        self.feedback = self._builder.start(self.info)

    def step(self, action: Action) -> Outcome:
        """Do what a batch of one action says, or begin the next episode."""
        reward, terminated, truncated = 0.0, False, False
        if self.ended:
            observation, info = self._env.reset()
        else:
            single = first(self._env.action_space, action)
            observation, given, terminated, truncated, info = self._env.step(single)
            reward, terminated, truncated = float(given), bool(terminated), bool(truncated)
        self._see(observation, info)
        self.feedback = self._builder(np.array([reward]), np.array([terminated]), np.array([truncated]), self.info)
        self.ended = terminated or truncated
        return Outcome(reward, terminated, truncated)

    def _see(self, observation: Observation, info: Info) -> None:
        space = self._env.observation_space
        self.observation = assemble(space, [part[None] for part in split(space, observation)])
        lives = {"lives": np.array([info["lives"]])} if "lives" in info else {}
        self.info = {**lives, **as_one_row(info)}

    @property
    def single(self) -> Observation:
        """The observation without its batch dimension."""
        return first(self._env.observation_space, self.observation)

    def frame(self) -> NDArray[np.uint8] | None:
        """What is to be seen now."""
        if not self._drawing:
            return None
        try:
            return np.array(picture(self._env))
        except CannotDrawError:
            self._drawing = False
            return None

    def meanings(self) -> list[str]:
        """What the actions are called, where the environment says."""
        said = getattr(self._env.unwrapped, "get_action_meanings", None)
        return [str(name) for name in said()] if callable(said) else []

    def close(self) -> None:
        """Close the environment."""
        self._env.close()
