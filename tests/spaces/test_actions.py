from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, iterate

from snnrl.errors import ConfigError
from snnrl.spaces import Actions, as_batch, first
from tests.envs.odd_environments import ACTIONS, OBSERVATIONS

every_space = pytest.mark.parametrize("space", ACTIONS.values(), ids=ACTIONS)


@every_space
def test_numbers_between_the_bounds_are_actions_of_the_space(space: spaces.Space[Any]) -> None:
    actions = Actions(space)
    share = np.random.default_rng(0).random((40, actions.dims))
    values = np.where(actions.continuous, actions.low + share * (actions.high - actions.low), 0)
    values = np.where(actions.continuous, values, actions.low + np.floor(share * actions.choices(9)))
    batch = actions.assemble(values)
    assert batch_space(space, 40).contains(batch)
    assert space.contains(first(space, batch))


@every_space
def test_every_choice_can_be_taken(space: spaces.Space[Any]) -> None:
    actions = Actions(space)
    taken = {
        str(one) for one in iterate(batch_space(space, 2), actions.assemble(np.stack([actions.low, actions.high])))
    }
    assert len(taken) == 2
    assert min(actions.choices(5)) >= 2


def test_integers_of_a_box_are_rounded_and_have_no_more_choices_than_values() -> None:
    actions = Actions(spaces.Box(0, np.array([2, 20]), (2,), np.int64))
    assert actions.choices(9) == [3, 9]
    assert actions.assemble(np.array([[0.6, 19.7], [1.4, 30.0]])).tolist() == [[1, 20], [1, 20]]


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(2_000_000),
        spaces.Discrete(10**18, start=-5),
        spaces.MultiDiscrete([9_000, 1_001]),
        spaces.Tuple([spaces.Discrete(9_000), spaces.Dict(a=spaces.Discrete(1_001))]),
        spaces.MultiBinary(5_001),
    ],
    ids=str,
)
def test_more_named_actions_than_a_network_can_have_are_refused(space: spaces.Space[Any]) -> None:
    with pytest.raises(ConfigError, match=r"^action space .*: has [\d,]+ named actions; must be at most 10,000"):
        Actions(space)


def test_integers_of_a_wide_box_and_ten_thousand_names_are_taken() -> None:
    assert Actions(spaces.Box(0, 10**6, (1,), np.int64)).choices(9) == [9]
    assert Actions(spaces.Discrete(10_000)).choices(9) == [10_000]


def test_where_an_environment_permits_nothing_everything_is_permitted() -> None:
    actions = Actions(spaces.MultiDiscrete([2, 3]))
    mask = np.array([[0, 1, 1, 0, 0], [0, 0, 0, 1, 0]], dtype=np.int8)
    assert actions.permitted(mask).astype(int).tolist() == [[0, 1, 1, 0, 0], [1, 1, 0, 1, 0]]


@pytest.mark.parametrize(("space", "values"), [(spaces.Discrete(3), 4), (ACTIONS["Box"], 2), (ACTIONS["Mixed"], 3)])
def test_masks_that_do_not_fit_the_actions_are_errors(space: spaces.Space[Any], values: int) -> None:
    with pytest.raises(ConfigError, match=rf"info\['action_mask'\] of {values} values: must be"):
        Actions(space).permitted(np.ones((2, values), bool))


@pytest.mark.parametrize("space", OBSERVATIONS.values(), ids=OBSERVATIONS)
def test_one_element_of_a_space_is_told_from_a_batch(space: spaces.Space[Any]) -> None:
    arrays, batched = as_batch(space, space.sample())
    assert not batched
    again, many = as_batch(space, batch_space(space, 3).sample())
    assert many
    assert [array.shape[1:] for array in arrays] == [array.shape[1:] for array in again]
    assert {len(array) for array in again} == {3}


@pytest.mark.parametrize(
    "observation", [{"place": np.zeros(3)}, np.zeros(3), {"place": 1, "key": 1, "lamps": 1}], ids=str
)
def test_what_is_not_of_the_space_is_an_error_that_says_so(observation: Any) -> None:
    with pytest.raises(ValueError, match=r"observation .*must be"):
        as_batch(OBSERVATIONS["Dict"], observation)
