from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import EscapeNoise, EscapeNoiseState

quick = settings(deadline=None, max_examples=25)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noisy(shape: int | tuple[int, ...] = 1, seed: int = 0, **settings: Any) -> EscapeNoise:
    return EscapeNoise(shape, generator=seeded(seed), **settings).double()


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def test_the_membrane_is_the_exponential_sum_of_its_currents_and_no_spike_resets_it() -> None:
    tau, dt, steps = 4.0, 0.5, 30
    current = normal(steps, 1, 1) + 3
    neuron = noisy(tau_mem=tau, dt=dt, v_threshold=-100.0, rate_max=1.0)
    spikes, state = neuron.scan(current, neuron.init_state(1))
    drive = current.flatten().tolist()
    expected = sum(drive[step] * math.exp(-(steps - 1 - step) * dt / tau) for step in range(steps))
    assert spikes.all()
    assert state.u.item() == pytest.approx(expected, rel=1e-12)


def test_firing_probability_is_the_logistic_function_of_the_distance_to_threshold() -> None:
    neuron = noisy(v_threshold=1.5, width=0.4, rate_max=0.7)
    for u in (-3.0, 1.0, 1.5, 1.9, 6.0):
        formula = 0.7 / (1 + math.exp(-(u - 1.5) / 0.4))
        assert neuron.firing_probability(torch.tensor(u, dtype=torch.float64)).item() == pytest.approx(formula)
    assert neuron.firing_probability(torch.tensor(1.5)).item() == pytest.approx(0.35), "half the highest at threshold"


@pytest.mark.parametrize("u", [-1.0, 1.0, 2.0, 2.5, 30.0])
def test_spikes_come_at_the_rate_of_the_formula(u: float) -> None:
    """Within 5 standard deviations of a binomial count."""
    trials, rate_max, threshold, width = 100_000, 0.6, 2.0, 0.8
    neuron = noisy(trials, rate_max=rate_max, v_threshold=threshold, width=width)
    p = rate_max / (1 + math.exp(-(u - threshold) / width))
    spikes, _ = neuron(torch.full((1, trials), u, dtype=torch.float64), neuron.init_state(1))
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    assert abs(spikes.sum().item() - trials * p) < 5 * math.sqrt(trials * p * (1 - p))


def test_draws_of_neurons_and_steps_are_independent() -> None:
    """The product of two centred draws has the mean 0 and the standard deviation ``p (1 - p)``."""
    steps, size, p = 200, 200, 0.5
    neuron = noisy(size, rate_max=1.0, v_threshold=0.0)
    spikes, _ = neuron.scan(torch.zeros(steps, 1, size, dtype=torch.float64), neuron.init_state(1))
    centred = spikes[:, 0] - p
    for pairs in (centred[1:] * centred[:-1], centred[:, 1:] * centred[:, :-1]):
        assert abs(pairs.mean().item()) < 5 * p * (1 - p) / math.sqrt(pairs.numel())


def test_certain_and_impossible_spikes_are_certain_and_impossible() -> None:
    neuron = noisy(1000, rate_max=1.0, width=1e-3, v_threshold=0.0)
    fire, _ = neuron(torch.full((1, 1000), 1.0, dtype=torch.float64), neuron.init_state(1))
    rest, _ = neuron(torch.full((1, 1000), -1.0, dtype=torch.float64), neuron.init_state(1))
    assert fire.all()
    assert not rest.any()


def test_one_seed_gives_the_same_spikes_and_another_gives_others() -> None:
    current = normal(20, 2, 8) + 1

    def run(seed: int) -> Tensor:
        neuron = noisy(8, seed=seed)
        return neuron.scan(current, neuron.init_state(2))[0]

    assert torch.equal(run(3), run(3))
    assert not torch.equal(run(3), run(4))


def test_draws_leave_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    neuron = noisy(8)
    neuron.scan(normal(5, 1, 8), neuron.init_state(1))
    assert torch.equal(torch.random.get_rng_state(), before)


@given(batch=st.integers(1, 3), size=st.integers(1, 40), seed=st.integers(0, 1000))
@quick
def test_a_scanned_window_equals_the_loop_of_single_steps(batch: int, size: int, seed: int) -> None:
    current = normal(9, batch, size, seed=seed) + 1
    whole, single = noisy(size, seed=seed), noisy(size, seed=seed)
    spikes, end = whole.scan(current, whole.init_state(batch))
    looped, state = [], single.init_state(batch)
    for now in current:
        out, state = single(now, state)
        looped.append(out)
    torch.testing.assert_close(end.u, state.u, rtol=1e-12, atol=1e-12)
    assert torch.equal(spikes, torch.stack(looped))


def test_the_expectation_is_the_firing_probability_along_the_same_membrane() -> None:
    current = normal(12, 2, 3) + 1
    neuron = noisy(3)
    start = EscapeNoiseState(normal(2, 3, seed=1))
    expected, after = neuron.expect(current, start)
    u = start.u
    for now, probability in zip(current, expected, strict=True):
        u = u * neuron.decay + now
        torch.testing.assert_close(probability, neuron.firing_probability(u), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(after.u, u, rtol=1e-12, atol=1e-12)


def test_the_mean_spike_count_approaches_the_expectation() -> None:
    """Within 5 standard deviations: the steps are independent Bernoulli draws."""
    rows = 20_000
    neuron = noisy()
    current = (normal(10, 1, 1) + 0.5).expand(10, rows, 1)
    spikes, _ = neuron.scan(current, neuron.init_state(rows))
    p, _ = neuron.expect(current[:, :1], neuron.init_state(1))
    deviation = math.sqrt((p * (1 - p)).sum().item() / rows)
    assert abs(spikes.sum(0).mean().item() - p.sum().item()) < 5 * deviation


def test_the_expectation_draws_nothing() -> None:
    neuron = noisy(4)
    before = neuron.generator.get_state()
    neuron.expect(normal(5, 1, 4), neuron.init_state(1))
    assert torch.equal(neuron.generator.get_state(), before)


@given(row=st.integers(0, 2), seed=st.integers(0, 1000))
@quick
def test_rows_of_a_batch_are_independent_given_the_noise(row: int, seed: int) -> None:
    neuron = noisy(4)
    current = normal(6, 3, 4, seed=seed)
    together, _ = neuron.expect(current, neuron.init_state(3))
    alone, _ = neuron.expect(current[:, row : row + 1], neuron.init_state(1))
    torch.testing.assert_close(together[:, row], alone[:, 0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau_mem": 0.0}, r"^tau_mem=0.0: must be a number of ms that is at least dt \(1.0\)$"),
        ({"width": 0.0}, r"^width=0.0: must be above 0$"),
        ({"width": math.nan}, r"^width=nan: must be above 0$"),
        ({"rate_max": 0.0}, r"^rate_max=0.0: must be in \(0, 1\]$"),
        ({"rate_max": 1.1}, r"^rate_max=1.1: must be in \(0, 1\]$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EscapeNoise(1, **settings)
