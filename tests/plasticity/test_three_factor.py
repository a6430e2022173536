from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Connection, Conv2d, Dense
from snnrl.errors import ConfigError
from snnrl.plasticity import EligibilityState, ThirdFactor, ThreeFactor
from snnrl.spikes import SparseSpikes
from snnrl.state import reset_rows

quick = settings(deadline=None, max_examples=25)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def ones(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.float64)


def assert_equal(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-11)


KINDS: dict[str, Callable[[], tuple[Connection, tuple[int, ...], tuple[int, ...]]]] = {
    "dense": lambda: (Dense(4, 3).double(), (4,), (3,)),
    "convolution": lambda: (Conv2d(2, 3, 2).double(), (2, 3, 4), (3, 2, 3)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


class Steps:
    """Random activity, modulators and episode ends of ``steps`` steps, and an eligibility before them."""

    def __init__(self, kind: str, steps: int, events: int, batch: int, *, seed: int = 0, ends: float = 0.3) -> None:
        self.connection, pre_shape, post_shape = KINDS[kind]()
        self.pre = normal(steps, events, batch, *pre_shape, seed=seed)
        self.post = normal(steps, events, batch, *post_shape, seed=seed + 1)
        self.modulator = normal(steps, batch, seed=seed + 2)
        self.instant = normal(steps, batch, seed=seed + 3)
        self.continuing = (torch.rand(steps, batch, generator=seeded(seed)) >= ends).double()
        self.eligibility = normal(batch, *self.connection.weight.shape, seed=seed + 4)

    def state(self) -> EligibilityState:
        """A copy, as the rule updates in place."""
        return EligibilityState((), self.eligibility.clone())

    def run(self, rule: ThreeFactor, *, instant: bool = False, steps: slice = slice(None)) -> tuple[Tensor, Tensor]:
        return self.go_on(rule, self.state(), instant=instant, steps=steps)

    def go_on(
        self,
        rule: ThreeFactor,
        state: EligibilityState,
        *,
        instant: bool = False,
        steps: slice = slice(None),
        rows: slice = slice(None),
    ) -> tuple[Tensor, Tensor]:
        instantly = self.instant[steps, rows] if instant else None
        third = ThirdFactor(self.modulator[steps, rows], self.continuing[steps, rows], instantly)
        pre, post = self.pre[steps, :, rows], self.post[steps, :, rows]
        return rule.gather(self.connection, pre, post, state.eligibility, third), state.eligibility


def test_eligibility_of_two_coincidences_is_the_sum_of_their_exponentials() -> None:
    tau, coincidences, steps = 6.0, {1: 2.0, 4: -0.5}, 9
    rule, connection = ThreeFactor(math.exp(-1 / tau)), Dense(1, 1).double()
    pre = torch.zeros(steps, 1, 1, 1, dtype=torch.float64)
    for step, strength in coincidences.items():
        pre[step] = strength
    post = ones(steps, 1, 1, 1)
    for now in range(1, steps + 1):
        eligibility = connection.new_eligibility(1)
        silent = ThirdFactor(torch.zeros(now, 1, dtype=torch.float64))
        delta = rule.gather(connection, pre[:now], post[:now], eligibility, silent)
        expected = sum(
            strength * math.exp(-(now - step) / tau) for step, strength in coincidences.items() if step < now
        )
        assert eligibility.item() == pytest.approx(expected, rel=1e-12)
        assert delta.item() == 0.0


def test_a_late_modulator_reaches_an_early_coincidence_through_the_decayed_trace() -> None:
    decay, delay, modulator = 0.8, 5, 3.0
    rule, connection = ThreeFactor(decay), Dense(1, 1).double()
    active = torch.zeros(delay + 1, 1, 1, 1, dtype=torch.float64)
    active[0] = 1.0
    told = torch.zeros(delay + 1, 1, dtype=torch.float64)
    told[delay] = modulator
    delta = rule.gather(connection, active, active, connection.new_eligibility(1), ThirdFactor(told))
    assert delta.item() == pytest.approx(modulator * decay**delay, rel=1e-12)


def test_a_modulator_does_not_reach_what_comes_after_it() -> None:
    rule, connection = ThreeFactor(0.8), Dense(1, 1).double()
    active = torch.tensor([0.0, 1.0], dtype=torch.float64).view(2, 1, 1, 1)
    told = torch.tensor([[5.0], [0.0]], dtype=torch.float64)
    delta = rule.gather(connection, active, active, connection.new_eligibility(1), ThirdFactor(told))
    assert delta.item() == 0.0


@every_kind
@pytest.mark.parametrize("instant", [False, True])
@given(steps=st.integers(1, 5), events=st.integers(1, 3), batch=st.integers(1, 3), seed=st.integers(0, 500))
@quick
def test_a_window_equals_a_plain_loop_over_steps_rows_and_events(
    kind: str, instant: bool, steps: int, events: int, batch: int, seed: int
) -> None:
    """``e = decay * continuing * e + H`` and ``dw = sum of modulator * e + instant * H``, ``H`` from autograd."""
    window, decay = Steps(kind, steps, events, batch, seed=seed), 0.9
    weight = window.connection.weight
    expected = torch.zeros_like(weight)
    rows = list(window.eligibility.clone())
    weight.requires_grad_()
    for step in range(steps):
        for row in range(batch):
            current = window.connection(window.pre[step, :, row])
            (product,) = torch.autograd.grad(current, weight, window.post[step, :, row])
            rows[row] = rows[row] + product
            expected = expected + window.modulator[step, row] * rows[row]
            if instant:
                expected = expected + window.instant[step, row] * product
            rows[row] = decay * window.continuing[step, row] * rows[row]
    weight.requires_grad_(False)
    delta, eligibility = window.run(ThreeFactor(decay), instant=instant)
    assert_equal(delta, expected)
    assert_equal(eligibility, torch.stack(rows))


@every_kind
@pytest.mark.parametrize("instant", [False, True])
@given(steps=st.integers(2, 6), cut=st.integers(1, 5), seed=st.integers(0, 500))
@quick
def test_a_window_equals_the_shorter_windows_it_is_cut_into_while_weights_stand_still(
    kind: str, instant: bool, steps: int, cut: int, seed: int
) -> None:
    window, rule = Steps(kind, steps, 2, 3, seed=seed), ThreeFactor(0.85)
    whole, end = window.run(rule, instant=instant)
    for parts in ([(0, min(cut, steps - 1)), (min(cut, steps - 1), steps)], [(k, k + 1) for k in range(steps)]):
        total, state = torch.zeros_like(whole), window.state()
        for first, past in parts:
            delta, eligibility = window.go_on(rule, state, instant=instant, steps=slice(first, past))
            total, state = total + delta, EligibilityState((), eligibility)
        assert_equal(total, whole)
        assert_equal(state.eligibility, end)


@pytest.mark.parametrize("instant", [False, True])
@given(
    steps=st.integers(1, 4),
    events=st.integers(1, 3),
    batch=st.integers(1, 4),
    density=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 500),
)
@quick
def test_sparse_spikes_give_the_change_of_dense_ones(
    instant: bool, steps: int, events: int, batch: int, density: float, seed: int
) -> None:
    window, rule = Steps("dense", steps, events, batch, seed=seed), ThreeFactor(0.9)
    window.pre *= torch.rand(window.pre.shape, generator=seeded(seed)) < density
    dense = window.run(rule, instant=instant)
    third = ThirdFactor(window.modulator, window.continuing, window.instant if instant else None)
    pre, eligibility = SparseSpikes.from_dense(window.pre), window.eligibility.clone()
    assert_equal(rule.gather(window.connection, pre, window.post, eligibility, third), dense[0])
    assert_equal(eligibility, dense[1])


@every_kind
@given(batch=st.integers(1, 4), seed=st.integers(0, 500))
@quick
def test_the_change_of_a_batch_is_the_sum_of_its_rows_changes(kind: str, batch: int, seed: int) -> None:
    window, rule = Steps(kind, 4, 2, batch, seed=seed), ThreeFactor(0.9)
    together, end = window.run(rule, instant=True)
    total = torch.zeros_like(together)
    for row in range(batch):
        alone = slice(row, row + 1)
        delta, eligibility = window.go_on(
            rule, EligibilityState((), window.eligibility[alone].clone()), instant=True, rows=alone
        )
        total += delta
        assert_equal(eligibility, end[alone])
    assert_equal(total, together)


@every_kind
@given(seed=st.integers(0, 500))
@quick
def test_a_zero_modulator_changes_no_weight_and_yet_gathers_eligibility(kind: str, seed: int) -> None:
    window = Steps(kind, 4, 2, 3, seed=seed, ends=0.0)
    window.modulator.zero_()
    delta, eligibility = window.run(ThreeFactor(0.9))
    assert not delta.any()
    before = window.connection.weight.clone()
    window.connection.apply_(delta)
    assert torch.equal(window.connection.weight, before)
    assert not torch.equal(eligibility, window.eligibility)


@every_kind
@given(scale=st.floats(-4.0, 4.0), seed=st.integers(0, 500))
@quick
def test_the_change_is_linear_in_the_modulator_and_eligibility_does_not_know_it(
    kind: str, scale: float, seed: int
) -> None:
    window, rule = Steps(kind, 3, 2, 2, seed=seed), ThreeFactor(0.9)
    once, end = window.run(rule)
    window.modulator *= scale
    scaled, same = window.run(rule)
    assert_equal(scaled, scale * once)
    assert torch.equal(same, end)


@every_kind
@given(row=st.integers(0, 2), seed=st.integers(0, 500))
@quick
def test_the_end_of_an_episode_cuts_its_trace_exactly(kind: str, row: int, seed: int) -> None:
    window, rule = Steps(kind, 4, 2, 3, seed=seed, ends=0.0), ThreeFactor(0.9)
    _, through = window.run(rule)
    window.continuing[-1, row] = 0.0
    _, cut = window.run(rule)
    assert not cut[row].any(), "exactly 0, not nearly"
    others = [other for other in range(3) if other != row]
    assert torch.equal(cut[others], through[others])


@given(seed=st.integers(0, 500))
@quick
def test_nothing_is_learned_across_the_end_of_an_episode(seed: int) -> None:
    """After an end at step 1, the modulators of steps 2 and 3 reach only what happened in steps 2 and 3."""
    window, rule = Steps("dense", 4, 1, 1, seed=seed, ends=0.0), ThreeFactor(0.9)
    window.continuing[1] = 0.0
    window.modulator[:2] = 0.0
    delta, end = window.run(rule)
    fresh = EligibilityState((), window.connection.new_eligibility(1))
    later, later_end = window.go_on(rule, fresh, steps=slice(2, 4))
    assert_equal(delta, later)
    assert_equal(end, later_end)


@every_kind
def test_without_decay_memory_only_coincidences_of_the_same_step_count(kind: str) -> None:
    window = Steps(kind, 3, 2, 2, ends=0.0)
    window.eligibility.zero_()
    delta, eligibility = window.run(ThreeFactor(0.0))
    expected = sum(
        torch.einsum("b,b...->...", window.modulator[k], window.connection.hebbian(window.post[k], window.pre[k]))
        for k in range(3)
    )
    assert isinstance(expected, Tensor)
    assert_equal(delta, expected)
    assert not eligibility.any()


def test_an_instant_modulator_leaves_the_eligibility_and_its_past_alone() -> None:
    window, rule = Steps("dense", 3, 2, 2), ThreeFactor(0.9)
    _, without = window.run(rule)
    window.modulator.zero_()
    delta, end = window.run(rule, instant=True)
    assert torch.equal(end, without)
    expected = sum(
        torch.einsum("b,bij->ij", window.instant[k], window.connection.hebbian(window.post[k], window.pre[k]))
        for k in range(3)
    )
    assert isinstance(expected, Tensor)
    assert_equal(delta, expected)


def test_with_a_temporal_difference_error_it_is_td_lambda_with_accumulating_traces() -> None:
    """A linear critic by the textbook's loop: ``z = gamma * lambda * z + x``, ``dw = delta * z``, weights frozen."""
    gamma, lam, steps = 0.9, 0.7, 8
    features, reward, weight = normal(steps + 1, 3), normal(steps, seed=1), normal(3, seed=2)
    td = reward + gamma * features[1:] @ weight - features[:-1] @ weight
    z, expected = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for step in range(steps):
        z = gamma * lam * z + features[step]
        expected = expected + td[step] * z
    rule, connection = ThreeFactor(gamma * lam), Dense(3, 1).double()
    third = ThirdFactor(td.unsqueeze(1), ones(steps, 1))
    pre, post = features[:-1].view(steps, 1, 1, 3), ones(steps, 1, 1, 1)
    delta = rule.gather(connection, pre, post, connection.new_eligibility(1), third)
    assert_equal(delta[0], expected)


@every_kind
def test_eligibility_is_updated_in_place_and_nothing_else_is(kind: str) -> None:
    window = Steps(kind, 3, 2, 2)
    inputs = (window.pre, window.post, window.modulator, window.continuing, window.connection.weight)
    before = [tensor.clone() for tensor in inputs]
    state = window.state()
    address = state.eligibility.data_ptr()
    _, eligibility = window.go_on(ThreeFactor(0.9), state)
    assert eligibility.data_ptr() == address
    assert all(torch.equal(tensor, was) for tensor, was in zip(inputs, before, strict=True))


@every_kind
def test_a_reset_row_has_no_eligibility_and_the_others_keep_theirs(kind: str) -> None:
    window = Steps(kind, 2, 2, 3)
    fresh = EligibilityState((), window.connection.new_eligibility(3))
    after = reset_rows(window.state(), fresh, torch.tensor([False, True, False]))
    assert not after.eligibility[1].any()
    assert torch.equal(after.eligibility[[0, 2]], window.eligibility[[0, 2]])


@every_kind
def test_no_tensor_asks_for_a_gradient_after_a_learning_step(kind: str) -> None:
    window, rule = Steps(kind, 3, 2, 2), ThreeFactor(0.9)
    window.post = window.connection(window.pre.flatten(0, 1)).unflatten(0, (3, 2))
    delta, eligibility = window.run(rule, instant=True)
    window.connection.apply_(delta)
    assert not any(tensor.requires_grad for tensor in (delta, eligibility, window.connection.weight))


@every_kind
def test_changes_applied_to_weights_leave_them_in_bounds(kind: str) -> None:
    window, rule = Steps(kind, 3, 2, 2), ThreeFactor(0.9)
    window.connection.bounds = (-0.1, 0.2)
    delta, _ = window.run(rule)
    window.connection.apply_(100 * delta)
    assert window.connection.weight.min() == -0.1
    assert window.connection.weight.max() == 0.2


def test_the_rule_itself_has_nothing_to_save() -> None:
    assert ThreeFactor(0.5).state_dict() == {}


@pytest.mark.parametrize("decay", [-0.1, 1.1, math.nan])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(ConfigError, match=rf"^decay={decay}: must be in \[0, 1\]$"):
        ThreeFactor(decay)
