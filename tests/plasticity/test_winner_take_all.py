"""STDP after a winner-take-all competition, worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from snnrl.connections import Conv2d, Dense
from snnrl.errors import ConfigError
from snnrl.plasticity import WinnerTakeAllSTDP


def rule() -> WinnerTakeAllSTDP:
    return WinnerTakeAllSTDP(learning_rate=0.1, depression=0.2, w_max=2.0, tau_pre=10.0)


def test_one_spike_moves_each_weight_by_the_trace_of_its_input() -> None:
    connection = Dense(2, 2, weight=torch.tensor([[0.5, 1.0], [0.7, 0.7]]))
    pre, post = torch.zeros(4, 1, 2), torch.zeros(4, 1, 2)
    pre[1, 0, 0] = post[3, 0, 0] = 1.0
    change, state = rule()(connection, pre, post, rule().init_state(connection, (2,), (2,), 1))
    trace = math.exp(-2 / 10)
    expected = torch.tensor([[0.1 * (trace - 0.2) * 1.5, 0.1 * -0.2 * 1.0], [0.0, 0.0]])
    torch.testing.assert_close(change, expected)
    torch.testing.assert_close(state.x_pre, torch.tensor([[trace, 0.0]]))


def test_many_spikes_of_a_window_act_as_one_move_towards_what_they_saw_on_average() -> None:
    connection = Dense(1, 1, weight=torch.tensor([[0.5]]))
    pre, post = torch.tensor([1.0, 0.0]).view(2, 1, 1), torch.ones(2, 1, 1)
    change, _ = rule()(connection, pre, post, rule().init_state(connection, (1,), (1,), 1))
    seen = (1 + math.exp(-1 / 10)) / 2
    torch.testing.assert_close(change, torch.tensor([[(1 - 0.9**2) * (seen - 0.2) * 1.5]]))


def test_however_many_spikes_there_are_the_weight_does_not_overshoot() -> None:
    connection = Dense(1, 1, weight=torch.tensor([[0.5]]))
    ones = torch.ones(1000, 8, 1)
    change, _ = rule()(connection, ones, ones, rule().init_state(connection, (1,), (1,), 8))
    torch.testing.assert_close(change, torch.tensor([[0.8 * 1.5]]))


def test_a_kernel_of_a_convolution_counts_its_spikes_at_all_places() -> None:
    connection = Conv2d(1, 1, 1, weight=torch.full((1, 1, 1, 1), 0.5))
    pre, post = torch.tensor([[1.0, 1.0, 0.0]]).view(1, 1, 1, 1, 3), torch.tensor([[1.0, 0.0, 1.0]]).view(1, 1, 1, 1, 3)
    change, _ = rule()(connection, pre, post, rule().init_state(connection, (1, 1, 3), (1, 1, 3), 1))
    torch.testing.assert_close(change.flatten(), torch.tensor([(1 - 0.9**2) * (0.5 - 0.2) * 1.5]))


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_learning_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match=rf"^learning_rate={rate}: must be in \[0, 1\)$"):
        WinnerTakeAllSTDP(learning_rate=rate)
