"""From step results to what a learner is told, and to the returns that are reported.

The two are kept apart: the learner's reward may be scaled and clipped and a lost life may end its episode, while
reported returns are raw and end when the game does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from snnrl.envs.config import RewardConfig
from snnrl.envs.masks import are_bits, flat_mask
from snnrl.errors import ConfigError, RunError, shown
from snnrl.types import Array, Info

Bools = npt.NDArray[np.bool_]
Numbers = Array


class Feedback(NamedTuple):
    """What a learner is told along with an observation; every field ``[num_envs]``.

    Attributes:
        reward: float32, what is learned from.
        terminated: the value beyond this observation is zero, also at a lost life where the recipe says so.
        truncated: a time limit was reached, and the value beyond is bootstrapped; never together with ``terminated``.
        reset: this observation begins an episode, and the step that led here was no decision.
        action_mask: ``[num_envs, values]``, true for each value of each number of an action that the environment
            permits now; None where it says nothing of that. It is ``info["action_mask"]``, as in Taxi-v3.
    """

    reward: npt.NDArray[np.float32]
    terminated: Bools
    truncated: Bools
    reset: Bools
    action_mask: Bools | None = None


def action_mask(info: Info) -> Bools | None:
    """``info["action_mask"]`` of a vector environment as ``[num_envs, values]``; all true in rows that have none.

    Raises:
        RunError: a mask that is not made of 0 and 1, or masks of different lengths; it names the environment.
    """
    given = info.get("action_mask")
    if given is None:
        return None
    if isinstance(given, Mapping):
        raise RunError(f"info['action_mask']={shown(given, 60)}: must be an array, or a tuple of arrays, of 0 and 1")
    said: Bools = np.broadcast_to(np.asarray(info.get("_action_mask", True), dtype=np.bool_), len(given))
    if np.asarray(given).dtype == np.object_:  # a mask for each number of an action, as Gymnasium's spaces sample by
        rows = {int(row): _bits(given[row], int(row)) for row in np.flatnonzero(said) if given[row] is not None}
        if not rows:
            return None
        length = max(map(len, rows.values()))
        mask = np.ones((len(given), length), dtype=np.bool_)
        for row, values in rows.items():
            if len(values) != length:
                raise RunError(f"info['action_mask'] of environment {row} has {len(values)} values: must be {length}")
            mask[row] = values
        return mask
    mask = np.asarray(given).reshape(len(given), -1)
    if not are_bits(mask):
        for place in np.flatnonzero(said):
            _bits(mask[place], int(place))
    return mask.astype(np.bool_) | ~said[:, None]


def _bits(given: npt.ArrayLike, row: int) -> Bools:
    values = flat_mask(given)
    if values is None:
        raise RunError(f"info['action_mask']={shown(given, 60)} of environment {row}: must be made of 0 and 1")
    return values


def as_one_row(info: Info) -> Info:
    """What one environment says of actions, as a vector of one environment would say it."""
    if "action_mask" not in info:
        return {}
    row = np.empty(1, dtype=np.object_)
    row[0] = info["action_mask"]
    return {"action_mask": row}


class FeedbackBuilder:
    """Turns the step results of a ``NEXT_STEP`` vector environment into :class:`Feedback`.

    The learning reward of a step is ``clip(scale * reward, low, high)``, or ``failure`` where the environment
    terminated and the recipe gives one.

    Args:
        config: the recipe's reward section.
        num_envs: rows of the vector environment.
    """

    def __init__(self, config: RewardConfig, num_envs: int) -> None:
        self._config = config
        self._num_envs = num_envs
        self._low = -np.inf if config.low is None else config.low
        self._high = np.inf if config.high is None else config.high
        self._ended: Bools = np.zeros(num_envs, dtype=np.bool_)
        self._lives: Numbers = np.zeros(num_envs, dtype=np.int64)

    def start(self, info: Info) -> Feedback:
        """What goes with the observation of ``envs.reset``: all rows begin an episode.

        Args:
            info: what ``envs.reset`` returned.

        Raises:
            ConfigError: the recipe counts lives and the environment reports none.
        """
        self._ended = np.zeros(self._num_envs, dtype=np.bool_)
        if self._config.life_loss_ends:
            if "lives" not in info:
                raise ConfigError("env.reward.life_loss_ends=true: must be false for an environment without lives")
            self._lives = np.array(info["lives"])
        no = np.zeros(self._num_envs, dtype=np.bool_)
        return Feedback(np.zeros(self._num_envs, dtype=np.float32), no, no.copy(), ~no, action_mask(info))

    def __call__(self, reward: Numbers, terminated: Bools, truncated: Bools, info: Info) -> Feedback:
        """What goes with the observation of one ``envs.step``; the arguments are its results, ``[num_envs]`` each."""
        reset = self._ended
        terminated = terminated & ~reset
        truncated = truncated & ~reset
        self._ended = terminated | truncated
        learned = np.clip(self._config.scale * reward.astype(np.float64), self._low, self._high)
        if self._config.failure is not None:
            learned = np.where(terminated, self._config.failure, learned)
        if self._config.life_loss_ends:
            lives = np.array(info["lives"])
            terminated = terminated | ((lives < self._lives) & ~reset)
            self._lives = lives
        learned = np.where(reset, 0.0, learned)
        return Feedback(learned.astype(np.float32), terminated, truncated & ~terminated, reset, action_mask(info))


class Episode(NamedTuple):
    """A finished episode: which environment, its raw return, and its length in environment steps."""

    env: int
    return_: float
    length: int


class EpisodeStats:
    """Raw, unclipped return and length of the running episode of each environment.

    Args:
        num_envs: rows of the vector environment.
    """

    def __init__(self, num_envs: int) -> None:
        self._returns = np.zeros(num_envs, dtype=np.float64)
        self._lengths = np.zeros(num_envs, dtype=np.int64)

    def update(self, reward: Numbers, terminated: Bools, truncated: Bools, reset_rows: Bools) -> list[Episode]:
        """Count one step and return the episodes that it finished, by environment.

        Args:
            reward: the environment's own, ``[num_envs]``.
            terminated: the environment's own, ``[num_envs]``: a lost life does not end a reported episode.
            truncated: the environment's own, ``[num_envs]``.
            reset_rows: ``[num_envs]``, rows whose observation begins an episode; their counts start over.
        """
        self._returns = np.where(reset_rows, 0.0, self._returns + reward)
        self._lengths = np.where(reset_rows, 0, self._lengths + 1)
        ended = np.flatnonzero((terminated | truncated) & ~reset_rows)
        return [Episode(int(env), float(self._returns[env]), int(self._lengths[env])) for env in ended]
