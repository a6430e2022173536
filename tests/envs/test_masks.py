from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from snnrl.envs import EnvConfig, action_mask, make_env, make_envs
from tests.envs.odd_environments import MASKED


@pytest.mark.parametrize("name", MASKED)
def test_what_is_permitted_is_told_in_the_info_however_an_environment_says_it(name: str) -> None:
    env = make_env(EnvConfig(f"odd/Masked{name}-v0"))
    envs = make_envs(EnvConfig(f"odd/Masked{name}-v0"), 2)
    _, one = env.reset(seed=0)
    _, many = envs.reset(seed=[0, 1])
    mask = action_mask(many)
    assert mask is not None
    assert mask.dtype == np.bool_
    alone = np.hstack(one["action_mask"])
    assert mask.shape == (2, len(alone))
    assert (mask == alone).all()
    assert not mask.all()
    envs.close()


def test_rows_that_say_nothing_of_actions_permit_all() -> None:
    info = {"action_mask": np.array([[0, 1], [0, 0]], dtype=np.int8), "_action_mask": np.array([True, False])}
    mask = action_mask(info)
    assert mask is not None
    assert mask.tolist() == [[False, True], [True, True]]


def test_most_environments_say_nothing_of_actions() -> None:
    envs = make_envs("FrozenLake-v1", 2)
    assert action_mask(envs.reset()[1]) is None
    envs.close()


def test_gymnasiums_taxi_is_told_where_it_cannot_drive() -> None:
    (taxi,) = [name for name in sorted(gymnasium.registry) if name.startswith("Taxi")][-1:]
    envs = make_envs(taxi, 3)
    mask = action_mask(envs.reset(seed=[0, 1, 2])[1])
    assert mask is not None
    assert mask.shape == (3, 6)
    assert not mask.all()
    envs.close()
