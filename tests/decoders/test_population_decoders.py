from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.decoders import first_spike, population_rates, population_vector, sample, softmax_policy


def train(*steps: list[int]) -> torch.Tensor:
    """Spikes ``[time, 1, size]``."""
    return torch.tensor(steps, dtype=torch.float32)[:, None]


def test_population_rates_are_mean_spike_counts_of_neighbouring_neurons() -> None:
    spikes = train([1, 0, 0, 1, 1, 1], [1, 0, 0, 1, 0, 1])
    assert population_rates(spikes, 3).tolist() == [[1.0, 1.0, 1.5]]
    assert population_rates(spikes, 2).tolist() == [pytest.approx([2 / 3, 5 / 3])]
    assert population_rates(spikes, 6).tolist() == [[2.0, 0.0, 0.0, 2.0, 1.0, 2.0]]


@settings(deadline=None)
@given(seed=st.integers(0, 1000), populations=st.integers(1, 4), neurons=st.integers(1, 4), batch=st.integers(1, 3))
def test_population_rates_average_to_the_rate_of_all_neurons(
    seed: int, populations: int, neurons: int, batch: int
) -> None:
    spikes = torch.rand((7, batch, populations * neurons), generator=torch.Generator().manual_seed(seed)).round()
    rates = population_rates(spikes, populations)
    assert rates.shape == (batch, populations)
    torch.testing.assert_close(rates.mean(1), spikes.sum(0).mean(1))
    for row in range(batch):
        assert torch.equal(rates[row : row + 1], population_rates(spikes[:, row : row + 1], populations))


def test_the_first_to_spike_wins_however_many_follow() -> None:
    assert first_spike(train([0, 0, 0, 0], [0, 0, 1, 0], [1, 1, 1, 1]), 2).tolist() == [1]


def test_of_those_that_spike_together_the_one_with_more_spikes_wins() -> None:
    assert first_spike(train([0, 0, 0, 0, 0, 0], [1, 0, 1, 1, 0, 1], [1, 1, 0, 0, 1, 1]), 3).tolist() == [1]


def test_of_those_that_spike_together_equally_the_lowest_wins() -> None:
    assert first_spike(train([0, 0, 1, 0, 0, 1]), 3).tolist() == [1]


def test_more_spikes_later_do_not_break_a_tie() -> None:
    assert first_spike(train([1, 0, 0, 1], [0, 0, 1, 1]), 2).tolist() == [0]


def test_where_nothing_spikes_the_first_population_is_chosen() -> None:
    spikes = torch.zeros(5, 2, 6)
    spikes[4, 1, 5] = 1
    assert first_spike(spikes, 3).tolist() == [0, 2]


@settings(deadline=None)
@given(
    spikes=st.lists(st.lists(st.integers(0, 1), min_size=12, max_size=12), min_size=1, max_size=8),
    populations=st.sampled_from([2, 3, 4, 6]),
)
def test_first_spike_is_what_a_search_through_time_finds(spikes: list[list[int]], populations: int) -> None:
    """Two rows of six or more neurons: the second runs backwards, so that rows cannot be mistaken."""
    expected = []
    for row in (spikes, spikes[::-1]):
        counts = [[sum(step[at : at + 12 // populations]) for at in range(0, 12, 12 // populations)] for step in row]
        first = next((step for step in counts if any(step)), [0] * populations)
        expected.append(first.index(max(first)))
    both = torch.tensor([spikes, spikes[::-1]], dtype=torch.float32).transpose(0, 1)
    assert first_spike(both, populations).tolist() == expected


def test_softmax_policy_follows_the_boltzmann_ratio() -> None:
    policy = softmax_policy(torch.tensor([[1.0, 2.0, 4.0]], dtype=torch.float64), 0.5)[0]
    assert policy.sum().item() == pytest.approx(1)
    assert (policy[1] / policy[0]).item() == pytest.approx(math.exp(2))
    assert (policy[2] / policy[0]).item() == pytest.approx(math.exp(6))


def test_temperature_goes_from_greedy_to_uniform() -> None:
    preference = torch.tensor([1.0, 2.0, 3.0])
    torch.testing.assert_close(softmax_policy(preference, 1e-3), torch.tensor([0.0, 0.0, 1.0]))
    torch.testing.assert_close(softmax_policy(preference, 1e6), torch.full((3,), 1 / 3), atol=1e-5, rtol=0)


@settings(deadline=None)
@given(preference=st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=5), shift=st.integers(-5, 5))
def test_a_common_shift_of_preferences_changes_nothing(preference: list[float], shift: int) -> None:
    x = torch.tensor(preference, dtype=torch.float64)
    torch.testing.assert_close(softmax_policy(x + shift, 0.7), softmax_policy(x, 0.7))


def test_samples_come_with_their_probabilities() -> None:
    draws = 40_000
    probability = torch.tensor([0.1, 0.0, 0.6, 0.3])
    drawn = sample(probability.expand(draws, -1), torch.Generator().manual_seed(1))
    shares = torch.bincount(drawn, minlength=4) / draws
    assert shares[1] == 0
    for share, p in zip(shares.tolist(), probability.tolist(), strict=True):
        assert abs(share - p) <= 5 * math.sqrt(p * (1 - p) / draws)


def test_rows_are_sampled_independently() -> None:
    drawn = sample(torch.full((20_000, 2, 2), 0.5), torch.Generator().manual_seed(2))
    assert drawn.shape == (20_000, 2)
    assert abs(drawn.prod(1).float().mean().item() - 0.25) <= 5 * math.sqrt(0.25 * 0.75 / 20_000)


@settings(deadline=None)
@given(chosen=st.integers(0, 4), seed=st.integers(0, 100))
def test_a_certain_choice_is_always_drawn(chosen: int, seed: int) -> None:
    certain = torch.eye(5)[chosen].expand(50, -1)
    assert (sample(certain, torch.Generator().manual_seed(seed)) == chosen).all()


def test_equal_generators_draw_equal_samples() -> None:
    probability = torch.full((100, 4), 0.25)
    one, two, other = (sample(probability, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_population_vector_is_the_weighted_mean_of_preferred_values() -> None:
    preferred = torch.tensor([-1.0, 0.0, 2.0])
    weight = torch.tensor([[1.0, 1.0, 2.0], [0.0, 5.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(population_vector(weight, preferred), torch.tensor([0.75, 0.0, 1 / 3]))


@settings(deadline=None)
@given(
    weight=st.lists(st.floats(0.0009765625, 100, width=32), min_size=3, max_size=3),
    preferred=st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3),
    factor=st.floats(0.5, 100, width=32),
)
def test_population_vector_lies_among_the_preferred_values_whatever_the_scale_of_activity(
    weight: list[float], preferred: list[float], factor: float
) -> None:
    w, p = torch.tensor(weight, dtype=torch.float64), torch.tensor(preferred, dtype=torch.float64)
    vector = population_vector(w, p)
    assert min(preferred) - 1e-9 <= vector.item() <= max(preferred) + 1e-9
    torch.testing.assert_close(population_vector(w * factor, p), vector)
