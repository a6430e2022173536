from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.plasticity import LinearCritic, LinearCriticState, MovingAverage, TemporalDifference
from snnrl.state import reset_rows


def test_the_first_rewards_are_measured_against_nothing_and_then_against_their_plain_mean() -> None:
    average = MovingAverage(horizon=100)
    errors = [average(torch.tensor([reward])).item() for reward in (1.0, 3.0, 5.0)]
    assert errors == pytest.approx([1.0, 2.0, 3.0])
    assert average.mean.item() == pytest.approx(3.0)


def test_beyond_the_horizon_the_mean_forgets_exponentially() -> None:
    average = MovingAverage(horizon=4)
    for _ in range(4):
        average(torch.tensor([0.0]))
    expected = 0.0
    for _ in range(5):
        average(torch.tensor([1.0]))
        expected += (1.0 - expected) / 4
        assert average.mean.item() == pytest.approx(expected)


def test_rewards_of_a_batch_count_as_many() -> None:
    together, one_by_one = MovingAverage(100), MovingAverage(100)
    rewards = torch.tensor([1.0, 2.0, 6.0, 3.0])
    error = together(rewards)
    for reward in rewards:
        one_by_one(reward.view(1))
    assert torch.equal(error, rewards), "all are measured against the mean before them"
    assert together.mean.item() == pytest.approx(one_by_one.mean.item())
    assert together.seen.item() == one_by_one.seen.item() == 4


def test_a_batch_longer_than_the_horizon_replaces_the_mean() -> None:
    average = MovingAverage(2)
    average(torch.tensor([100.0]))
    average(torch.tensor([1.0, 2.0, 6.0]))
    assert average.mean.item() == pytest.approx(3.0)


def test_a_constant_reward_is_no_news() -> None:
    average = MovingAverage(10)
    average(torch.full((3,), 0.7))
    assert average(torch.full((3,), 0.7)).tolist() == pytest.approx([0.0] * 3, abs=1e-6)


@pytest.mark.parametrize(
    ("reward", "value", "following", "ended", "error"),
    [
        (0.0, 0.0, 1.0, False, 0.9),
        (1.0, 0.5, 1.0, False, 1.4),
        (1.0, 0.5, 1.0, True, 0.5),
        (-1.0, 0.5, math.nan, True, -1.5),
    ],
)
def test_the_temporal_difference_by_hand(
    reward: float, value: float, following: float, ended: bool, error: float
) -> None:
    arguments = (torch.tensor([number]) for number in (reward, value, following))
    assert TemporalDifference(0.9)(*arguments, torch.tensor([ended])).item() == pytest.approx(error)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def critic(size: int, **settings: float) -> LinearCritic:
    return LinearCritic(size, **settings).double()


def test_td_lambda_by_hand_for_two_steps() -> None:
    """gamma 0.5, lambda 0.4, rate 0.1: from zero weights, features (1, 0) -> (1, 1) -> the end."""
    learner = critic(2, gamma=0.5, lambda_=0.4, learning_rate=0.1)
    state = learner.init_state(1)
    going_on, over = torch.tensor([False]), torch.tensor([True])
    error, state = learner(row(1, 0), row(2.0)[0], row(1, 1), going_on, state)
    assert error.item() == pytest.approx(2.0)  # 2 + 0.5 * 0 - 0
    assert learner.weight.tolist() == pytest.approx([0.2, 0.0])
    error, state = learner(row(1, 1), row(1.0)[0], row(5, 5), over, state)
    assert error.item() == pytest.approx(0.8)  # 1 + 0 - 0.2
    assert learner.weight.tolist() == pytest.approx([0.2 + 0.1 * 0.8 * 1.2, 0.1 * 0.8 * 1.0])
    assert state.trace.tolist() == [[0.0, 0.0]], "the episode is over"


def test_the_change_is_the_mean_over_the_batch_and_rows_that_ended_alone_forget() -> None:
    learner = critic(2, gamma=0.5, lambda_=1.0, learning_rate=1.0)
    trace = torch.tensor([[2.0, 0.0], [0.0, 4.0]], dtype=torch.float64)
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    reward, ended = row(1.0, -1.0)[0], torch.tensor([True, False])
    error, state = learner(features, reward, features, ended, LinearCriticState(trace))
    assert error.tolist() == [1.0, -1.0]
    assert learner.weight.tolist() == [0.5 * 1.0 * (1 + 1), 0.5 * -1.0 * (2 + 1)]
    assert state.trace.tolist() == [[0.0, 0.0], [0.0, 3.0]]


@pytest.mark.parametrize("lambda_", [0.0, 0.9])
def test_the_values_of_a_chain_are_learned(lambda_: float) -> None:
    """Five states in a row, reward 1 at the end: the value of a state is 0.9 to the power of the steps left."""
    learner, states = critic(5, gamma=0.9, lambda_=lambda_, learning_rate=0.2), torch.eye(5, dtype=torch.float64)
    for _ in range(150):
        state = learner.init_state(1)
        for place in range(5):
            last = place == 4
            following = states[0 if last else place + 1]
            _, state = learner(
                states[place : place + 1], row(float(last))[0], following.unsqueeze(0), torch.tensor([last]), state
            )
    expected = torch.tensor([0.9**left for left in (4, 3, 2, 1, 0)], dtype=torch.float64)
    assert (learner.value(states) - expected).abs().max() < 0.05


def test_a_critic_that_knows_the_values_makes_no_error_and_learns_no_more() -> None:
    learner, states = critic(3, gamma=0.9, learning_rate=0.5), torch.eye(3, dtype=torch.float64)
    known = torch.tensor([0.81, 0.9, 1.0], dtype=torch.float64)
    learner.weight.copy_(known)
    ended = torch.tensor([False, False, True])
    error, _ = learner(states, row(0.0, 0.0, 1.0)[0], states.roll(-1, 0), ended, learner.init_state(3))
    assert error.tolist() == pytest.approx([0.0] * 3, abs=1e-12)
    assert learner.weight.tolist() == pytest.approx(known.tolist())


def test_the_eligibility_of_a_critic_is_episode_state_that_is_reset_by_rows() -> None:
    learner = critic(2)
    going_on = torch.tensor([False, False])
    features = torch.ones(2, 2, dtype=torch.float64)
    _, state = learner(features, row(1.0, 1.0)[0], features, going_on, learner.init_state(2))
    after = reset_rows(state, learner.init_state(2), torch.tensor([True, False]))
    assert after.trace.tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_what_was_learned_is_saved_and_loaded() -> None:
    average, learner = MovingAverage(10), LinearCritic(2)
    average(torch.tensor([3.0, 4.0]))
    ones, start = torch.ones(1, 2), learner.init_state(1)
    learner(ones, torch.ones(1), ones, torch.tensor([False]), start)
    assert set(average.state_dict()) == {"mean", "seen"}
    assert set(learner.state_dict()) == {"weight"}
    same_average, same_learner = MovingAverage(10), LinearCritic(2)
    same_average.load_state_dict(average.state_dict())
    same_learner.load_state_dict(learner.state_dict())
    assert torch.equal(same_average(torch.ones(2)), average(torch.ones(2)))
    assert torch.equal(same_learner.value(ones), learner.value(ones))
    assert learner.value(ones).item() > 0


def test_no_gradient_passes_into_what_is_learned() -> None:
    average, learner = MovingAverage(10), LinearCritic(2)
    reward, features = torch.ones(1, requires_grad=True), torch.ones(1, 2, requires_grad=True)
    assert not average(reward).requires_grad
    error, state = learner(features, reward, features, torch.tensor([False]), learner.init_state(1))
    assert not any(tensor.requires_grad for tensor in (error, state.trace, learner.weight, average.mean))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MovingAverage(0), r"^horizon=0: must be at least 1$"),
        (lambda: TemporalDifference(-0.1), r"^gamma=-0.1: must be in \[0, 1\]$"),
        (lambda: TemporalDifference(math.nan), r"^gamma=nan: must be in \[0, 1\]$"),
        (lambda: LinearCritic(0), r"^size=0: must be a positive number of features$"),
        (lambda: LinearCritic(1, gamma=1.1), r"^gamma=1.1: must be in \[0, 1\]$"),
        (lambda: LinearCritic(1, lambda_=-0.1), r"^lambda_=-0.1: must be in \[0, 1\]$"),
        (lambda: LinearCritic(1, learning_rate=0.0), r"^learning_rate=0.0: must be above 0$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
