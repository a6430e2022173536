"""Environments that several processes step: each its own rows, of which all are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from gymnasium.vector.utils import batch_space

from snnrl.envs import EnvConfig, VectorAtari, action_mask, make_envs
from snnrl.envs.masks import mask_length
from snnrl.envs.types import VectorEnv, start
from snnrl.errors import require
from snnrl.ranks import Ranks
from snnrl.spaces import assemble, split
from snnrl.types import Action, Array, Info, Observation, Setting

Results = tuple[Observation, Array, Array, Array, Info]


class SharedEnvs(VectorEnv):
    """A vector of environments of which this process steps a block of rows; results are those of all rows.

    Each step is one message: rewards, ends, lives and permitted actions, and observations where they are wanted. Where
    they are not, since what is made of them is sent instead, rows of others hold nothing. Of ``info`` there are
    ``lives`` and ``action_mask`` alone, by which agents learn.

    Args:
        own: this process's environments.
        ranks: the processes, each with as many.
        wants_all: whether the next observations of all rows are wanted.
    """

    def __init__(self, own: VectorEnv, ranks: Ranks, wants_all: Callable[[], bool]) -> None:
        self.own, self.num_envs = own, own.num_envs * ranks.size
        self.metadata, self.spec = own.metadata, own.spec
        self.single_observation_space, self.single_action_space = own.single_observation_space, own.single_action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._ranks, self._wants_all = ranks, wants_all
        self._rows = ranks.own(self.num_envs)
        self._action: Action = None
        self._wholes: list[list[Array]] = [[], []]

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Setting] | None = None
    ) -> tuple[Observation, Info]:
        """Start all episodes over, from a seed for each of all environments."""
        assert isinstance(seed, Sequence), "a seed for each environment"
        observation, info = start(self.own, seed[self._rows])
        nothing = np.zeros(self.own.num_envs, np.float64)
        whole, _, _, _, infos = self._of_all((observation, nothing, nothing > 0, nothing > 0, info))
        return whole, infos

    def step(self, actions: Action) -> Results:
        """Act in the own rows of ``actions``, which are those of all."""
        return self._of_all(self.own.step(self._own(actions)))

    def send(self, actions: Action) -> None:
        """The first half of :meth:`step`: games compute while what follows is done."""
        if isinstance(self.own, VectorAtari):
            self.own.send(self._own(actions))
        else:
            self._action = actions

    def recv(self) -> Results:
        """The second half."""
        return self._of_all(self.own.recv()) if isinstance(self.own, VectorAtari) else self.step(self._action)

    def close_extras(self, **settings: Setting) -> None:
        """Close the own environments."""
        self.own.close()

    def _own(self, actions: Action) -> Action:
        space = self.single_action_space
        return assemble(space, [part[self._rows] for part in split(space, actions)])

    def _of_all(self, result: Results) -> Results:
        observation, reward, terminated, truncated, info = result
        space = self.single_observation_space
        seen, mask = split(space, observation), action_mask(info)
        wanted = seen if self._wants_all() else []
        numbers, lives = np.empty((len(reward), 5)), info.get("lives")
        columns = reward, terminated, truncated, mask is not None, 0 if lives is None else lives
        for column, values in enumerate(columns):
            numbers[:, column] = values
        whole, *rest = self._ranks.gathered(f"outcomes {len(wanted)}", numbers, *wanted)
        terminated, truncated, masked = whole.T[1:4] != 0
        infos: Info = {} if lives is None else {"lives": whole[:, 4].astype(np.asarray(lives).dtype)}
        if masked.any():
            told = np.ones((len(reward), self._mask_length()), np.bool_) if mask is None else mask
            (infos["action_mask"],) = self._ranks.gathered("masks", told)
        arrays = rest if wanted else self._among_all(seen)
        return assemble(space, arrays), whole[:, 0].copy(), terminated, truncated, infos

    def _mask_length(self) -> int:
        """Values of a mask, where environments of other ranks have one and those of this one have none."""
        length = mask_length(self.single_action_space)
        require(length is not None, "env.id", "it", "one whose every step has info['action_mask'], or none has")
        return int(length or 0)

    def _among_all(self, seen: list[Array]) -> list[Array]:
        """Own rows where they belong among all, in memory that is used anew at every second step."""
        wholes = self._wholes[0] or [np.empty((self.num_envs, *part.shape[1:]), part.dtype) for part in seen]
        for whole, part in zip(wholes, seen, strict=True):
            whole[self._rows] = part
        self._wholes = [self._wholes[1], wholes]
        return wholes


def make_shared_envs(
    config: EnvConfig, num_envs: int, device: str, ranks: Ranks, wants_all: Callable[[], bool]
) -> VectorEnv:
    """The environments of a run: all of them, or those of this process as :class:`SharedEnvs`.

    Args:
        config: the environment's recipe.
        num_envs: how many there are in all, a multiple of the number of processes.
        device: where environments are that are computed in torch.
        ranks: the processes of the run.
        wants_all: see :class:`SharedEnvs`.

    Raises:
        ConfigError: an environment that cannot be made.
    """
    if ranks.size == 1:
        return make_envs(config, num_envs, device=device)
    threads = max(1, len(os.sched_getaffinity(0)) // ranks.local_size) if hasattr(os, "sched_getaffinity") else 1
    own = make_envs(config, num_envs // ranks.size, max_threads=threads, device=device)
    return SharedEnvs(own, ranks, wants_all)


def require_even(setting: str, number: int, ranks: Ranks) -> None:
    """Raise a ConfigError for a number of things that ranks cannot have equally many of."""
    require(number % ranks.size == 0, setting, number, f"a multiple of {ranks.size}, the number of processes")
