"""Seeds of environments, so that no two runs, streams, epochs or environments share their luck."""

from __future__ import annotations

import zlib

import numpy as np

from snnrl.errors import require

WHILE_TRAINING, AT_THE_END, AFTERWARDS = range(3)
"""The epochs of the ``eval`` seed stream: no two kinds of evaluation play the same episodes."""


def env_seeds(seed: int, stream: str, epoch: int, num_envs: int) -> list[int]:
    """Seeds for ``envs.reset(seed=...)``, a function of the arguments alone, so that a resumed run gets the same.

    An environment's seed does not depend on how many others there are.

    >>> env_seeds(7, "train", 0, 2) == env_seeds(7, "train", 0, 3)[:2]
    True

    Args:
        seed: of the run, at least 0.
        stream: ``train`` or ``eval``.
        epoch: how often the environments were seeded anew before, at least 0.
        num_envs: how many seeds, at least 1.

    Returns:
        ``num_envs`` integers from 0 to 2**31 - 1.

    Raises:
        ConfigError: an argument outside its range.
    """
    require(seed >= 0, "seed", seed, "an integer of at least 0")
    require(stream in ("train", "eval"), "stream", stream, "train or eval")
    require(epoch >= 0, "epoch", epoch, "an integer of at least 0")
    require(num_envs >= 1, "num_envs", num_envs, "an integer of at least 1")
    key = zlib.crc32(stream.encode())
    sequences = (np.random.SeedSequence((seed, key, epoch, env)) for env in range(num_envs))
    return [int(sequence.generate_state(1)[0]) >> 1 for sequence in sequences]
