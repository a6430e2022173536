from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.traces import decay_factor, decay_kernel, decay_trace, scan_nearest_trace, scan_trace

quick = settings(deadline=None, max_examples=30)
time_constants = st.floats(1.0, 100.0)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(tau=time_constants, share=st.floats(1e-3, 1.0))
@quick
def test_a_trace_shrinks_to_one_part_in_e_within_its_time_constant(tau: float, share: float) -> None:
    dt = share * tau
    assert decay_factor(tau, dt) ** (tau / dt) == pytest.approx(math.exp(-1), rel=1e-9)


def test_a_step_as_long_as_the_time_constant_is_allowed() -> None:
    assert decay_factor(3.0, 3.0) == math.exp(-1)


@pytest.mark.parametrize("tau", [0.99, 0.0, -5.0, math.nan, math.inf])
def test_a_time_constant_below_the_step_or_not_finite_is_refused_by_the_name_of_its_setting(tau: float) -> None:
    with pytest.raises(ConfigError, match=rf"^tau_mem={tau}: must be a number of ms that is at least dt \(1.0\)$"):
        decay_factor(tau, 1.0, "tau_mem")


@pytest.mark.parametrize("dt", [0.0, -1.0, math.nan, math.inf])
def test_a_step_that_is_no_positive_number_is_refused(dt: float) -> None:
    with pytest.raises(ConfigError, match=rf"^dt={dt}: must be a positive number of ms$"):
        decay_factor(10.0, dt)


def test_the_kernel_is_the_exponential_of_elapsed_time() -> None:
    tau, dt = 7.0, 0.5
    kernel = decay_kernel(40, decay_factor(tau, dt), torch.zeros(3, dtype=torch.float64))
    assert kernel.tolist() == pytest.approx([math.exp(-dt * step / tau) for step in range(40)], rel=1e-12)


def test_the_kernel_takes_the_precision_of_what_it_is_for() -> None:
    assert decay_kernel(2, 0.5, torch.zeros(1)).dtype == torch.float32
    assert decay_kernel(2, 0.5, torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_a_trace_is_a_sum_of_exponentials_since_the_spikes() -> None:
    tau, spike_times, steps = 5.0, [0, 3, 4, 11], 15
    train = torch.zeros(steps, 1, 1, dtype=torch.float64)
    train[spike_times] = 1.0
    traced = scan_trace(train, torch.zeros(1, 1, dtype=torch.float64), decay_factor(tau))
    expected = [sum(math.exp(-(now - spike) / tau) for spike in spike_times if spike <= now) for now in range(steps)]
    assert traced.flatten().tolist() == pytest.approx(expected, rel=1e-12)


def test_what_a_trace_held_before_the_window_decays_within_it() -> None:
    silent = torch.zeros(4, 1, 1, dtype=torch.float64)
    carried = scan_trace(silent, torch.tensor([[8.0]], dtype=torch.float64), 0.5)
    assert carried.flatten().tolist() == [4.0, 2.0, 1.0, 0.5]


@given(
    steps=st.integers(1, 12),
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    decay=st.floats(0.0, 1.0),
    seed=st.integers(0, 1000),
)
@quick
def test_a_scanned_window_equals_the_loop_of_single_steps(
    steps: int, shape: list[int], decay: float, seed: int
) -> None:
    values, trace = normal(steps, *shape, seed=seed), normal(*shape, seed=seed + 1)
    scanned = scan_trace(values, trace, decay)
    for step in range(steps):
        trace = decay_trace(trace, values[step], decay)
        torch.testing.assert_close(scanned[step], trace, rtol=1e-12, atol=1e-12)


def test_two_windows_with_the_trace_carried_over_equal_one() -> None:
    values, trace, decay = normal(9, 2, 3), normal(2, 3, seed=1), 0.8
    first = scan_trace(values[:4], trace, decay)
    second = scan_trace(values[4:], first[-1], decay)
    torch.testing.assert_close(torch.cat([first, second]), scan_trace(values, trace, decay), rtol=1e-12, atol=1e-12)


@given(changed=st.integers(0, 2))
@quick
def test_rows_of_a_batch_do_not_reach_each_others_traces(changed: int) -> None:
    values, trace = normal(6, 3, 2), normal(3, 2, seed=1)
    before = scan_trace(values, trace, 0.7)
    values[:, changed] += 1.0
    after = scan_trace(values, trace, 0.7)
    others = [row for row in range(3) if row != changed]
    assert torch.equal(before[:, others], after[:, others])
    assert (before[:, changed] < after[:, changed]).all()


def test_of_a_nearest_trace_the_last_event_alone_is_left() -> None:
    spikes = torch.zeros(6, 1, 30)
    spikes[1, 0, 4] = spikes[4, 0, 4] = 1.0
    decay = math.exp(-1 / 42)
    expected = torch.tensor([0.0, 1.0, decay, decay**2, 1.0, decay])
    torch.testing.assert_close(scan_nearest_trace(spikes, torch.zeros(1, 30), decay)[:, 0, 4], expected)
    before = torch.full((1, 30), 0.5)
    torch.testing.assert_close(scan_nearest_trace(spikes, before, decay)[0], 0.5 * decay * torch.ones(1, 30))
