"""Groups of environments that take turns: while one group's games run, the decisions of the other are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy.typing as npt
from gymnasium.vector import VectorEnv

from snnrl.envs.atari import VectorAtari
from snnrl.envs.config import EnvConfig
from snnrl.envs.factory import make_envs

SMALLEST = 4
"""A group of fewer environments costs more in calls than its overlap brings."""


class StepResult(NamedTuple):
    """What ``VectorEnv.step`` returns, every array ``[num_envs, ...]``."""

    observation: npt.NDArray[Any]
    reward: npt.NDArray[Any]
    terminated: npt.NDArray[Any]
    truncated: npt.NDArray[Any]
    info: Mapping[str, Any]


class Lane:
    """A vector environment whose actions are sent and whose results are fetched later.

    Atari's games run on threads of their own in between; Gymnasium's environments run at once.

    Args:
        envs: a vector environment with ``NEXT_STEP`` autoreset.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        self.envs = envs
        self.pending = False
        self._result: StepResult | None = None

    @property
    def num_envs(self) -> int:
        """Environments in this lane."""
        return self.envs.num_envs

    def reset(self, seeds: Sequence[int]) -> tuple[npt.NDArray[Any], Mapping[str, Any]]:
        """Start fresh episodes; a result that was not fetched is dropped."""
        if self.pending:
            self.receive()
        observation, info = self.envs.reset(seed=cast(Any, list(seeds)))
        return observation, info

    def send(self, action: npt.NDArray[Any]) -> None:
        """Act in all environments, ``[num_envs, *action_shape]``."""
        if isinstance(self.envs, VectorAtari):
            self.envs.send(action)
        else:
            self._result = StepResult(*self.envs.step(action))
        self.pending = True

    def receive(self) -> StepResult:
        """The results of what was sent; waits for them."""
        if isinstance(self.envs, VectorAtari):
            result = StepResult(*self.envs.recv())
        else:
            assert self._result is not None, "nothing was sent"
            result, self._result = self._result, None
        self.pending = False
        return result

    def close(self) -> None:
        """Wait for what is pending and close the environments."""
        if self.pending:
            self.receive()
        self.envs.close()


def make_lanes(config: EnvConfig, num_envs: int) -> list[Lane]:
    """``num_envs`` environments in the lanes that keep a machine busiest: two of Atari's, one of any other.

    Raises:
        ConfigError: as :func:`~snnrl.envs.factory.make_envs`.
    """
    if not config.is_atari or num_envs < 2 * SMALLEST:
        return [Lane(make_envs(config, num_envs))]
    half = num_envs // 2
    return [Lane(make_envs(config, size)) for size in (num_envs - half, half)]
