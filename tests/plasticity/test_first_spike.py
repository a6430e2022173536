"""STDP of first spikes: worked by hand, and the change by a few winners against the change by all spikes."""

from __future__ import annotations

import pytest
import torch

from snnrl.connections import Conv2d, Dense
from snnrl.errors import ConfigError
from snnrl.plasticity import FirstSpikeSTDP

STEPS = 7


def test_synapses_that_were_active_grow_and_the_others_shrink() -> None:
    weight = torch.tensor([[0.5, 0.8, 0.2]])
    connection, rule = Dense(3, 1, weight=weight, bounds=(0.0, 1.0)), FirstSpikeSTDP(a_plus=0.04, a_minus=0.03)
    pre, post = torch.zeros(4, 1, 3), torch.zeros(4, 1, 1)
    pre[0, 0, 0] = pre[2, 0, 1] = pre[3, 0, 2] = post[2, 0, 0] = 1.0
    change, state = rule(connection, pre, post, rule.init_state(connection, (3,), (1,), 1))
    torch.testing.assert_close(change, torch.tensor([[0.04 * 0.25, 0.04 * 0.16, -0.03 * 0.16]]))
    assert state.fired.tolist() == [[1.0, 1.0, 1.0]]


def test_the_change_by_a_few_winners_is_that_by_their_spikes() -> None:
    draw = torch.Generator().manual_seed(0)
    connection = Conv2d(2, 3, 4, weight=torch.rand(3, 2, 4, 4, generator=draw), bounds=(0.0, 1.0))
    rule = FirstSpikeSTDP(a_plus=0.04, a_minus=0.03)
    latency = torch.randint(0, 2 * STEPS, (5, 2, 8, 7), generator=draw).clamp_max(STEPS).to(torch.uint8)
    winners = torch.tensor([[0, 1, 2, 0, 3], [0, 4, 0, 2, 5], [3, 0, 3, 0, 0], [4, 2, 2, 1, 6]])
    pre = (latency == torch.arange(STEPS).view(-1, 1, 1, 1, 1)).float()
    post = torch.zeros(STEPS, 5, 3, 5, 4)
    image, row, column, chosen, step = winners.unbind(1)
    post[step, image, chosen, row, column] = 1.0
    change, _ = rule(connection, pre, post, rule.init_state(connection, (2, 8, 7), (3, 5, 4), 5))
    torch.testing.assert_close(rule.of_winners(connection, latency, winners), change)
    assert change.any()


def test_a_connection_without_bounds_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^bounds=\(-inf, inf\): must be finite$"):
        FirstSpikeSTDP().init_state(Dense(2, 1), (2,), (1,), 1)
