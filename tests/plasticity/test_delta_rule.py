"""The delta rule: worked by hand, and against the three-factor rule that it is a case of."""

from __future__ import annotations

import pytest
import torch

from snnrl.connections import Dense
from snnrl.errors import ConfigError
from snnrl.plasticity import DeltaRule, ThirdFactor, ThreeFactor


def batches(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    return [(torch.rand(1, 6, 4, generator=draw), torch.randn(1, 6, 3, generator=draw)) for _ in range(count)]


def test_a_batch_adds_the_mean_of_its_products_to_what_is_left_of_those_before() -> None:
    connection, rule = Dense(4, 3), DeltaRule(learning_rate=0.5, momentum=0.8)
    state, eligibility = rule.init_state(connection, (4,), (3,), 6), torch.zeros(3, 4)
    for pre, post in batches(3):
        eligibility = 0.8 * eligibility + post[0].t() @ pre[0] / 6
        change, state = rule(connection, pre, post, state)
        torch.testing.assert_close(change, 0.5 * eligibility)
        torch.testing.assert_close(state.eligibility[0], eligibility)


def test_it_is_the_three_factor_rule_with_one_eligibility_for_all_rows() -> None:
    connection, rule, general = Dense(4, 3), DeltaRule(learning_rate=0.5, momentum=0.8), ThreeFactor(0.8)
    state, eligibility = rule.init_state(connection, (4,), (3,), 6), connection.new_eligibility(1)
    for pre, post in batches(3):
        change, state = rule(connection, pre, post, state)
        third = ThirdFactor(modulator=torch.full((1, 1), 0.5))
        events = pre.transpose(0, 1).unsqueeze(0), post.transpose(0, 1).unsqueeze(0) / 6
        torch.testing.assert_close(general.gather(connection, *events, eligibility, third), change)


def test_a_gate_multiplies_the_activity_of_each_neuron_and_row() -> None:
    connection, rule = Dense(4, 3), DeltaRule()
    (pre, post), (_, gate) = batches(2)
    gated, _ = rule(connection, pre, post, rule.init_state(connection, (4,), (3,), 6), ThirdFactor(gate=gate))
    multiplied, _ = rule(connection, pre, post * gate, rule.init_state(connection, (4,), (3,), 6))
    assert torch.equal(gated, multiplied)


def test_a_momentum_of_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^momentum=1.0: must be in \[0, 1\)$"):
        DeltaRule(momentum=1.0)
