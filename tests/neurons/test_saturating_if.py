from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import SaturatingIF, SaturatingIFState
from snnrl.state import reset_rows

quick = settings(deadline=None, max_examples=25)


def integrator(shape: int | tuple[int, ...] = 1, **settings: Any) -> SaturatingIF:
    return SaturatingIF(shape, **settings).double()


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def silence(steps: int, batch: int, size: int) -> Tensor:
    return torch.zeros(steps, batch, size, dtype=torch.float64)


def test_a_population_starts_with_potentials_spread_evenly_over_one_spike() -> None:
    state = integrator((2, 2)).init_state(3)
    assert state.v.tolist() == [[[0.125, 0.375], [0.625, 0.875]]] * 3
    assert not state.u.any()


@pytest.mark.parametrize(("tonic", "rate"), [(0.5, 0.25), (0.25, 0.125), (1.0, 0.5), (7.0, 0.5), (-3.0, 0.0)])
def test_the_rate_is_the_drive_clipped_at_silence_and_at_the_highest_rate(tonic: float, rate: float) -> None:
    """``rate = rate_max * clip(tonic, 0, 1)`` with ``rate_max = 1/2``; from ``v = 1/2`` spikes are regular."""
    steps = 32
    neuron = integrator(tonic=tonic, rate_max=0.5)
    spikes, _ = neuron.scan(silence(steps, 1, 1), neuron.init_state(1))
    expected = [math.floor(0.5 + rate * (step + 1)) - math.floor(0.5 + rate * step) for step in range(steps)]
    assert spikes.flatten().tolist() == expected


def test_the_synaptic_current_is_the_exponential_sum_of_its_input() -> None:
    tau, dt, steps = 6.0, 0.5, 25
    current = normal(steps, 1, 1)
    neuron = integrator(tau_syn=tau, dt=dt)
    _, state = neuron.scan(current, neuron.init_state(1))
    arrived = current.flatten().tolist()
    expected = sum(arrived[step] * math.exp(-(steps - 1 - step) * dt / tau) for step in range(steps))
    assert state.u.item() == pytest.approx(expected, rel=1e-10)


@given(seed=st.integers(0, 1000), gain=st.floats(0.05, 2.0), rate_max=st.floats(0.05, 1.0))
@quick
def test_spikes_and_what_is_left_add_up_to_the_integral_of_the_drive(seed: int, gain: float, rate_max: float) -> None:
    """A soft reset loses nothing: ``v_end - v_start + count = sum of drives``, by a plain loop."""
    tau, tonic, start = 5.0, 0.1, 0.5
    current = normal(40, 1, 1, seed=seed)
    neuron = integrator(tau_syn=tau, gain=gain, tonic=tonic, rate_max=rate_max)
    spikes, state = neuron.scan(current, neuron.init_state(1))
    u, integral = 0.0, 0.0
    for arrived in current.flatten().tolist():
        u = u * math.exp(-1 / tau) + arrived
        integral += rate_max * min(max(tonic + gain * u, 0.0), 1.0)
    assert state.v.item() - start + spikes.sum().item() == pytest.approx(integral, abs=1e-9)
    assert abs(spikes.sum().item() - integral) < 1
    assert 0 <= state.v.item() < 1
    assert set(spikes.unique().tolist()) <= {0.0, 1.0}


@given(drive=st.floats(0.0, 1.0), size=st.sampled_from([4, 10, 25]))
@quick
def test_the_summed_count_of_a_population_resolves_a_fraction_of_a_spike(drive: float, size: int) -> None:
    steps = 10
    neuron = integrator(size, tonic=drive, rate_max=0.5)
    spikes, _ = neuron.scan(silence(steps, 1, size), neuron.init_state(1))
    assert abs(spikes.sum().item() / size - 0.5 * drive * steps) <= 0.5 / size + 1e-6


@given(batch=st.integers(1, 3), size=st.integers(1, 6), seed=st.integers(0, 1000))
@quick
def test_a_scanned_window_equals_the_loop_of_single_steps(batch: int, size: int, seed: int) -> None:
    current = normal(30, batch, size, seed=seed) + 0.3
    neuron = integrator(size, tonic=0.05)
    spikes, end = neuron.scan(current, neuron.init_state(batch))
    looped, state = [], neuron.init_state(batch)
    for now in current:
        out, state = neuron(now, state)
        looped.append(out)
    assert torch.equal(spikes, torch.stack(looped))
    torch.testing.assert_close(end.u, state.u, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(end.v, state.v, rtol=1e-12, atol=1e-12)


@given(cut=st.integers(1, 29))
@quick
def test_two_windows_with_the_state_carried_over_equal_one(cut: int) -> None:
    neuron = integrator(3, tonic=0.2)
    current = normal(30, 2, 3)
    whole, _ = neuron.scan(current, neuron.init_state(2))
    first, middle = neuron.scan(current[:cut], neuron.init_state(2))
    second, _ = neuron.scan(current[cut:], middle)
    assert torch.equal(whole, torch.cat([first, second]))


@given(row=st.integers(0, 2), seed=st.integers(0, 1000))
@quick
def test_rows_of_a_batch_are_independent(row: int, seed: int) -> None:
    neuron = integrator(4)
    current = normal(20, 3, 4, seed=seed) * 2
    together, _ = neuron.scan(current, neuron.init_state(3))
    alone, _ = neuron.scan(current[:, row : row + 1], neuron.init_state(1))
    assert torch.equal(together[:, row], alone[:, 0])


def test_a_reset_row_starts_over_with_staggered_potentials_and_the_other_goes_on() -> None:
    neuron = integrator(4)
    fresh = neuron.init_state(2)
    _, after = neuron.scan(normal(7, 2, 4) + 2, fresh)
    reset = reset_rows(after, fresh, torch.tensor([False, True]))
    assert torch.equal(reset.v[1], fresh.v[1])
    assert torch.equal(reset.u[1], fresh.u[1])
    assert torch.equal(reset.v[0], after.v[0])
    assert torch.equal(reset.u[0], after.u[0])
    assert not torch.equal(after.v[1], fresh.v[1])


def test_a_step_leaves_the_state_that_it_was_given() -> None:
    neuron = integrator(2)
    state = SaturatingIFState(silence(1, 1, 2)[0], silence(1, 1, 2)[0])
    neuron(torch.ones(1, 2, dtype=torch.float64), state)
    assert not state.u.any()
    assert not state.v.any()


def test_a_neuron_has_nothing_to_save_or_learn() -> None:
    assert SaturatingIF(3).state_dict() == {}
    assert list(SaturatingIF(3).parameters()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau_syn": 0.5}, r"^tau_syn=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        ({"gain": 0.0}, r"^gain=0.0: must be above 0$"),
        ({"gain": math.nan}, r"^gain=nan: must be above 0$"),
        ({"rate_max": 0.0}, r"^rate_max=0.0: must be in \(0, 1\]$"),
        ({"rate_max": 1.5}, r"^rate_max=1.5: must be in \(0, 1\]$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SaturatingIF(1, **settings)


def test_spikes_and_what_membranes_have_gained_are_the_integral_of_the_drive() -> None:
    neuron = SaturatingIF(5, gain=0.2, tonic=0.5, rate_max=1.0)
    current = torch.randn((8, 3, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    before = neuron.init_state(3)
    spikes, after = neuron.scan(current, before)
    state, integral = before, torch.zeros(3, 5)
    for step in current:
        _, state = neuron(step, state)
        integral += (0.5 + 0.2 * state.u).clamp(0, 1)
    torch.testing.assert_close(spikes.sum(0) + neuron.gained(before, after), integral)
