from __future__ import annotations

import pytest

from snnrl.envs import env_seeds
from snnrl.errors import ConfigError


def test_seeds_stay_what_they_were() -> None:
    assert env_seeds(0, "train", 0, 3) == [775342745, 1461899528, 1425358459]
    assert env_seeds(0, "eval", 0, 3) == [1952163700, 704797181, 430632543]


def test_runs_streams_epochs_and_environments_share_no_seed() -> None:
    seeds = [
        drawn
        for seed in range(5)
        for stream in ("train", "eval")
        for epoch in range(5)
        for drawn in env_seeds(seed, stream, epoch, 20)
    ]
    assert len(set(seeds)) == len(seeds) == 1000
    assert min(seeds) >= 0
    assert 2**30 < max(seeds) < 2**31


def test_more_environments_leave_the_seeds_of_the_first() -> None:
    assert env_seeds(3, "train", 1, 8)[:5] == env_seeds(3, "train", 1, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, "train", 0, 1), "seed=-1: must be"),
        ((0, "test", 0, 1), "stream=test: must be train or eval"),
        ((0, "train", -1, 1), "epoch=-1: must be"),
        ((0, "train", 0, 0), "num_envs=0: must be"),
    ],
)
def test_arguments_out_of_range(arguments: tuple[int, str, int, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        env_seeds(*arguments)
