from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnrl.envs import Episode, EpisodeStats, FeedbackBuilder, RewardConfig
from snnrl.errors import ConfigError


def bools(*values: int) -> Any:
    return np.array(values, dtype=np.bool_)


def test_start_begins_an_episode_in_every_row() -> None:
    told = FeedbackBuilder(RewardConfig(failure=-1.0), 3).start({})
    assert told.reset.tolist() == [True] * 3
    assert told.reward.tolist() == [0.0] * 3
    assert not told.terminated.any()
    assert not told.truncated.any()
    assert told.reward.dtype == np.float32


def test_a_row_is_reset_in_the_step_after_its_end() -> None:
    build = FeedbackBuilder(RewardConfig(), 3)
    build.start({})
    ends = build(np.array([1.0, 2.0, 3.0]), bools(1, 0, 0), bools(0, 1, 0), {})
    assert ends.reward.tolist() == [1.0, 2.0, 3.0]
    assert ends.terminated.tolist() == [True, False, False]
    assert ends.truncated.tolist() == [False, True, False]
    assert ends.reset.tolist() == [False, False, False]
    begins = build(np.array([9.0, 9.0, 4.0]), bools(0, 0, 1), bools(0, 0, 0), {})
    assert begins.reset.tolist() == [True, True, False]
    assert begins.reward.tolist() == [0.0, 0.0, 4.0]
    after = build(np.ones(3), bools(0, 0, 0), bools(0, 0, 0), {})
    assert after.reset.tolist() == [False, False, True]
    assert after.reward.tolist() == [1.0, 1.0, 0.0]


def test_start_forgets_an_end_before_it() -> None:
    build = FeedbackBuilder(RewardConfig(), 1)
    build.start({})
    build(np.ones(1), bools(1), bools(0), {})
    build.start({})
    assert not build(np.ones(1), bools(0), bools(0), {}).reset.any()


def test_what_terminates_is_not_bootstrapped_from() -> None:
    build = FeedbackBuilder(RewardConfig(), 1)
    build.start({})
    told = build(np.ones(1), bools(1), bools(1), {})
    assert (told.terminated.item(), told.truncated.item()) == (True, False)


def test_failure_replaces_the_reward_where_the_environment_terminates() -> None:
    build = FeedbackBuilder(RewardConfig(scale=2.0, high=1.5, failure=-7.0), 3)
    build.start({})
    told = build(np.ones(3), bools(1, 0, 0), bools(0, 1, 0), {})
    assert told.reward.tolist() == [-7.0, 1.5, 1.5]


def test_a_lost_life_ends_the_learners_episode_but_not_the_game() -> None:
    build = FeedbackBuilder(RewardConfig(life_loss_ends=True, failure=-7.0), 2)
    build.start({"lives": np.array([3, 3])})
    no = bools(0, 0)
    lives = np.array([2, 3])
    lost = build(np.ones(2), no, no, {"lives": lives})
    lives[:] = 9
    assert lost.terminated.tolist() == [True, False]
    assert lost.reward.tolist() == [1.0, 1.0], "failure is for the environment's own termination"
    kept = build(np.ones(2), no, no, {"lives": np.array([2, 4])})
    assert not kept.reset.any()
    assert not kept.terminated.any(), "a gained life, or an unchanged count in a reused array, is no loss"
    over = build(np.ones(2), bools(1, 0), no, {"lives": np.array([0, 4])})
    assert over.terminated.tolist() == [True, False]
    again = build(np.ones(2), no, no, {"lives": np.array([3, 3])})
    assert again.reset.tolist() == [True, False]
    assert again.terminated.tolist() == [False, True]


def test_fewer_lives_in_a_new_episode_are_no_loss() -> None:
    build = FeedbackBuilder(RewardConfig(life_loss_ends=True), 1)
    build.start({"lives": np.array([5])})
    build(np.ones(1), bools(0), bools(1), {"lives": np.array([5])})
    assert not build(np.ones(1), bools(0), bools(0), {"lives": np.array([3])}).terminated.any()
    assert not build(np.ones(1), bools(0), bools(0), {"lives": np.array([3])}).terminated.any()


def test_lives_count_only_where_the_recipe_says_so() -> None:
    build = FeedbackBuilder(RewardConfig(), 1)
    build.start({"lives": np.array([3])})
    assert not build(np.ones(1), bools(0), bools(0), {"lives": np.array([2])}).terminated.any()


def test_counting_lives_where_there_are_none_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"env.reward.life_loss_ends=true: must be false"):
        FeedbackBuilder(RewardConfig(life_loss_ends=True), 1).start({})


numbers = st.floats(-1e6, 1e6)


@given(
    rewards=st.lists(numbers, min_size=1, max_size=8),
    scale=st.floats(1e-3, 1e3),
    limits=st.tuples(st.none() | numbers, st.none() | numbers).filter(
        lambda limits: None in limits or limits[0] < limits[1]
    ),
)
def test_learning_reward_is_scaled_then_clipped(
    rewards: list[float], scale: float, limits: tuple[float | None, float | None]
) -> None:
    low, high = limits
    build = FeedbackBuilder(RewardConfig(scale=scale, low=low, high=high), len(rewards))
    build.start({})
    no = np.zeros(len(rewards), dtype=np.bool_)
    told = build(np.array(rewards), no, no, {})
    floor, ceiling = (-math.inf if low is None else low), (math.inf if high is None else high)
    assert told.reward.tolist() == [np.float32(min(max(scale * reward, floor), ceiling)) for reward in rewards]


@given(steps=st.lists(st.tuples(numbers, st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_episode_statistics_are_sums_over_what_lies_between_ends(steps: list[tuple[float, bool, bool]]) -> None:
    """Against a plain loop, in row 1 of two; row 0 never ends."""
    stats = EpisodeStats(2)
    running: list[float] = []
    reset = False
    for reward, terminated, truncated in steps:
        terminated, truncated = terminated and not reset, truncated and not reset
        told = stats.update(np.array([0.0, reward]), bools(0, terminated), bools(0, truncated), bools(0, reset))
        running = [] if reset else [*running, reward]
        reset = terminated or truncated
        if reset:
            total = 0.0
            for part in running:
                total += part
            assert told == [Episode(1, total, len(running))]
        else:
            assert told == []


def test_a_reset_in_mid_episode_drops_what_was_counted() -> None:
    stats = EpisodeStats(1)
    stats.update(np.ones(1), bools(0), bools(0), bools(0))
    stats.update(np.zeros(1), bools(0), bools(0), bools(1))
    assert stats.update(np.ones(1), bools(1), bools(0), bools(0)) == [Episode(0, 1.0, 1)]
