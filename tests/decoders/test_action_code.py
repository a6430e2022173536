from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.decoders import ActionCode
from snnrl.errors import ConfigError

PLANE = spaces.Box(np.array([-1.0, 0.0], dtype=np.float32), np.array([1.0, 10.0], dtype=np.float32))


def test_a_discrete_space_has_a_population_for_each_action() -> None:
    code = ActionCode(spaces.Discrete(5, start=-2), bins=9)
    assert (code.dims, code.choices, code.populations) == (1, 5, 5)


def test_a_box_has_bins_for_each_dimension() -> None:
    code = ActionCode(PLANE, bins=7)
    assert (code.dims, code.choices, code.populations) == (2, 7, 14)


@pytest.mark.parametrize("start", [-2, 0, 1])
def test_discrete_choices_count_from_the_start_of_the_space(start: int) -> None:
    space = spaces.Discrete(3, start=start)
    code = ActionCode(space)
    explored = code.chosen(torch.tensor([[0], [2], [1]]))
    assert explored.tolist() == [start, start + 2, start + 1]
    assert all(space.contains(action) for action in explored)
    best = code.best(code.policy(torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]]), 1.0))
    assert best.tolist() == [start + 1, start]
    assert all(space.contains(action) for action in best)


def test_box_choices_are_spread_evenly_from_low_to_high() -> None:
    code = ActionCode(PLANE, bins=5)
    values = code.chosen(torch.tensor([[choice, choice] for choice in range(5)]))
    np.testing.assert_allclose(values, [[-1, 0], [-0.5, 2.5], [0, 5], [0.5, 7.5], [1, 10]])


def test_each_dimension_of_a_box_has_its_own_choice() -> None:
    values = ActionCode(PLANE, bins=5).chosen(torch.tensor([[0, 4], [4, 0]]))
    np.testing.assert_allclose(values, [[-1, 10], [1, 0]])


def test_the_best_action_in_a_box_is_the_population_vector() -> None:
    code = ActionCode(PLANE, bins=3)
    policy = torch.tensor([[[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]]])
    np.testing.assert_allclose(code.best(policy), [[-0.25, 7.5]])


@pytest.mark.parametrize("shape", [(), (1,), (2,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_box_actions_have_the_shape_and_type_of_the_space(shape: tuple[int, ...], dtype: Any) -> None:
    space = spaces.Box(-0.1, 0.7, shape, dtype)
    code = ActionCode(space, bins=4)
    policy = code.policy(torch.randn(3, code.populations, generator=torch.Generator().manual_seed(0)), 0.5)
    for actions in (code.chosen(code.explore(policy, torch.Generator().manual_seed(0))), code.best(policy)):
        assert actions.shape == (3, *shape)
        assert actions.dtype == dtype
        assert all(space.contains(np.asarray(action, dtype=dtype)) for action in actions)


preferences = st.lists(st.floats(-5, 5, width=32), min_size=6, max_size=6)


@settings(deadline=None)
@given(preference=st.lists(preferences, min_size=1, max_size=4), row=st.integers(0, 3))
def test_a_policy_sums_to_one_in_each_dimension_and_rows_are_independent(
    preference: list[list[float]], row: int
) -> None:
    code = ActionCode(PLANE, bins=3)
    policy = code.policy(torch.tensor(preference), 0.5)
    assert policy.shape == (len(preference), 2, 3)
    torch.testing.assert_close(policy.sum(-1), torch.ones(len(preference), 2))
    row %= len(preference)
    torch.testing.assert_close(policy[row : row + 1], code.policy(torch.tensor(preference[row : row + 1]), 0.5))
    low, high = torch.as_tensor(PLANE.low), torch.as_tensor(PLANE.high)
    best = torch.as_tensor(code.best(policy))
    assert (low <= best).all()
    assert (best <= high).all()


def test_exploring_draws_from_the_policy_of_each_dimension() -> None:
    code = ActionCode(PLANE, bins=3)
    probability = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.9, 0.1]])
    draws = 20_000
    drawn = code.explore(probability.expand(draws, -1, -1), torch.Generator().manual_seed(0))
    assert drawn.shape == (draws, 2)
    for dim in range(2):
        shares = (torch.bincount(drawn[:, dim], minlength=3) / draws).tolist()
        for share, p in zip(shares, probability[dim].tolist(), strict=True):
            assert abs(share - p) <= 5 * math.sqrt(p * (1 - p) / draws)


def test_credit_is_one_for_what_was_chosen_less_its_probability() -> None:
    code = ActionCode(PLANE, bins=2)
    policy = torch.tensor([[[0.25, 0.75], [0.5, 0.5]]])
    assert code.credit(torch.tensor([[0, 1]]), policy).tolist() == [[0.75, -0.75, -0.5, 0.5]]


@settings(deadline=None)
@given(preference=preferences)
def test_credit_is_zero_in_the_mean_over_choices(preference: list[float]) -> None:
    code = ActionCode(spaces.Discrete(6))
    policy = code.policy(torch.tensor([preference], dtype=torch.float64), 1.0)
    every = torch.cat([code.credit(torch.tensor([[choice]]), policy) for choice in range(6)])
    mean = (policy[0].T * every).sum(0)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(3),
        spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Sequence(spaces.Discrete(2))}),
        spaces.Tuple([]),
        spaces.Box(-np.inf, np.inf, (2,)),
        spaces.Box(0.0, np.inf, (2,)),
        spaces.Box(np.finfo(np.float32).min, np.finfo(np.float32).max, (2,)),
    ],
    ids=lambda space: type(space).__name__,
)
def test_other_spaces_are_errors_that_name_them(space: spaces.Space[Any]) -> None:
    with pytest.raises(ConfigError, match="action space") as error:
        ActionCode(space)
    assert str(space) in str(error.value)


def test_a_box_needs_two_bins_and_a_discrete_space_does_not_care() -> None:
    with pytest.raises(ConfigError, match=r"agent\.action_bins=1"):
        ActionCode(PLANE, bins=1)
    assert ActionCode(spaces.Discrete(3), bins=1).populations == 3


SEVERAL = spaces.MultiDiscrete([2, 5, 3], start=[0, 4, -1])
GEARED = spaces.Dict({"gear": spaces.Discrete(3, start=1), "pedal": spaces.Box(0.0, 4.0, (2,))})


def test_numbers_of_an_action_have_populations_for_their_own_values_alone() -> None:
    code = ActionCode(SEVERAL)
    assert (code.dims, code.choices, code.populations) == (3, 5, 10)
    policy = code.policy(torch.zeros(1, 10), 1.0)
    torch.testing.assert_close(policy[0, :, 0], torch.tensor([1 / 2, 1 / 5, 1 / 3]))
    assert policy[0, 0, 2:].tolist() == [0, 0, 0]
    assert code.best(code.policy(torch.tensor([[0.0, 9, 0, 0, 9, 0, 0, 9, 0, 0]]), 1.0)).tolist() == [[1, 6, -1]]


def test_what_is_chosen_of_several_numbers_lies_in_the_space_and_is_credited() -> None:
    code, generator = ActionCode(SEVERAL), torch.Generator().manual_seed(0)
    policy = code.policy(torch.zeros(200, 10), 1.0)
    choice = code.explore(policy, generator)
    assert all(SEVERAL.contains(action) for action in code.chosen(choice))
    assert {tuple(action) for action in code.chosen(code.at_random(400, choice.device, generator)).tolist()} == {
        (a, b, c) for a in (0, 1) for b in range(4, 9) for c in (-1, 0, 1)
    }
    credit = code.credit(choice, policy)
    assert credit.shape == (200, 10)
    assert (credit > 0).sum(1).tolist() == [3] * 200
    torch.testing.assert_close(credit.sum(1), torch.zeros(200), atol=1e-5, rtol=0)


def test_continuous_numbers_beside_named_ones_are_decided_by_their_population_vector() -> None:
    code = ActionCode(GEARED, bins=3)
    assert code.populations == 9
    preference = torch.tensor([[0.0, 0, 9, 0, 0, 0, -99, -99, 9]])
    best = code.best(code.policy(preference, 1.0))
    assert best["gear"].tolist() == [3]
    np.testing.assert_allclose(best["pedal"], [[2.0, 4.0]])
    assert best["pedal"].dtype == np.float32


@pytest.mark.parametrize("space", [spaces.Discrete(6), SEVERAL], ids=str)
def test_a_choice_that_is_not_permitted_has_no_probability_no_credit_and_is_never_drawn(space: Any) -> None:
    code, generator = ActionCode(space), torch.Generator().manual_seed(0)
    mask = np.random.default_rng(0).random((3000, code.populations)) < 0.5
    permitted = code.permitted(mask, torch.device("cpu"))
    policy = code.policy(torch.randn(3000, code.populations, generator=generator), 0.2, permitted)
    choice = code.explore(policy, generator, permitted)
    assert (code.indicator(choice, torch.float32).bool() & ~permitted).sum() == 0
    assert code.credit(choice, policy)[~permitted].abs().max() == 0
    torch.testing.assert_close(policy.sum(-1), torch.ones(3000, code.dims))


def test_where_probabilities_round_to_less_than_one_the_last_permitted_choice_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = ActionCode(spaces.Discrete(4))
    permitted = torch.tensor([[True, True, False, False]])
    monkeypatch.setattr(
        "snnrl.decoders.population.uniform", lambda shape, like, generator: torch.full(shape, 1 - 2**-24)
    )
    policy = torch.tensor([[[0.5, 0.5 - 2**-23, 0.0, 0.0]]])
    assert code.explore(policy, None, permitted).tolist() == [[1]]
