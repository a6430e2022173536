"""The unit of reward and the critic's range, from the returns that are seen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.plasticity import ReturnScale, RewardLimit


def told(scale: ReturnScale, rewards: Sequence[Sequence[float]], ends: Sequence[int] = ()) -> list[Tensor]:
    """Rewards ``[time][batch]`` as they come out; all episodes end with the steps of ``ends``."""
    sums, found, batch = scale.init_state(len(rewards[0])), [], len(rewards[0])
    began = torch.ones(batch, dtype=torch.bool)
    for step, reward in enumerate(rewards):
        ended = torch.full((batch,), step in ends)
        scaled, sums = scale(torch.tensor(reward), began & (step == 0), ended, sums)
        found.append(scaled)
    return found


def test_a_reward_is_measured_in_units_of_the_largest_return() -> None:
    scale = ReturnScale(0.5, horizon=10**9)
    found = told(scale, [[0.0, 0.0], [2.0, -4.0], [2.0, 0.0]])
    assert scale.unit.item() == pytest.approx(4.0)
    assert found[-1].tolist() == pytest.approx([0.5, 0.0])
    low, high = scale.value_range()
    assert low.item() == pytest.approx(-1.0 - 0.1 * 1.75)
    assert high.item() == pytest.approx(0.75 + 0.1 * 1.75)


@pytest.mark.parametrize("factor", [1000.0, 0.001, -1.0])
def test_another_unit_of_reward_comes_to_the_same(factor: float) -> None:
    rewards = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    one, other = ReturnScale(0.9, horizon=50), ReturnScale(0.9, horizon=50)
    ends = range(20, 200, 20)
    scaled = told(one, rewards.tolist(), ends), told(other, (factor * rewards).tolist(), ends)
    sign = 1.0 if factor > 0 else -1.0
    torch.testing.assert_close(torch.stack(scaled[0]), sign * torch.stack(scaled[1]))


def test_sums_begin_anew_with_an_episode() -> None:
    scale = ReturnScale(1.0, horizon=10**9)
    told(scale, [[0.0], [1.0], [1.0], [1.0], [1.0]], ends=[2])
    assert scale.unit.item() == pytest.approx(2.0)


def test_what_is_not_reached_any_more_is_forgotten() -> None:
    scale = ReturnScale(0.0, horizon=100)
    told(scale, [[0.0], [-500.0], *([[-1.0], [0.0]] * 500)])
    assert scale.unit.item() == pytest.approx(1.0, rel=0.1)


def test_before_there_was_any_reward_the_range_is_wide() -> None:
    scale = ReturnScale(0.9)
    (reward,) = told(scale, [[0.0, 0.0]])
    assert reward.tolist() == [0.0, 0.0]
    assert [end.item() for end in scale.value_range()] == [-1.0, 1.0]


@pytest.mark.parametrize(("name", "settings"), [("gamma", {"gamma": 1.5}), ("horizon", {"gamma": 0.9, "horizon": 0})])
def test_settings_out_of_range_are_errors(name: str, settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"^{name}="):
        ReturnScale(**settings)  # type: ignore[arg-type]


def test_a_rare_large_reward_counts_as_a_few_usual_ones() -> None:
    limit = RewardLimit(3.0)
    for _ in range(20):
        limit(torch.tensor([10.0, 0.0, -10.0, 0.0]))
    found = limit(torch.tensor([10.0, 500.0, -500.0, 0.0]))
    assert limit.usual.item() == pytest.approx((40 * 10.0 + 10.0 + 500.0 + 500.0) / 43)
    assert found.tolist() == pytest.approx([10.0, 3 * limit.usual.item(), -3 * limit.usual.item(), 0.0])


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_the_limit_of_rewards_does_not_depend_on_their_unit(factor: float) -> None:
    rewards = torch.randn(50, 4, generator=torch.Generator().manual_seed(1)) ** 3
    one, other = RewardLimit(2.0, horizon=20), RewardLimit(2.0, horizon=20)
    found = torch.stack([one(reward) for reward in rewards])
    torch.testing.assert_close(torch.stack([other(factor * reward) for reward in rewards]), factor * found)
    assert bool((found.abs() < rewards.abs()).any())


def test_without_rewards_the_limit_is_never_missed() -> None:
    limit = RewardLimit(3.0)
    assert limit(torch.zeros(4)).tolist() == [0.0] * 4
    assert limit(torch.tensor([0.0, 7.0])).tolist() == [0.0, 7.0]


@pytest.mark.parametrize("rewards", [[0.0], [3.0, -0.7], [-0.3, -1.1, 0.2], [1e-300, 2e-300], [7.1, 7.3, 0.1]])
def test_ends_as_numbers_are_those_of_the_range_bit_for_bit(rewards: list[float]) -> None:
    scale = ReturnScale(0.9)
    for reward in rewards:
        told(scale, [[0.0], [reward]])
        assert scale.numbers() == tuple(end.item() for end in scale.value_range())
