from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.encoders import regular_spikes

sixty_fourths = st.integers(0, 63).map(lambda part: part / 64)
"""Exact in binary, so that sums of them are exact too."""
rates = st.integers(0, 64).map(lambda part: part / 64)


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[None]


def test_a_rate_of_a_quarter_spikes_at_every_fourth_step() -> None:
    spikes, phase = regular_spikes(column(0.25), column(0.0), 9)
    assert spikes.flatten().tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert phase.item() == 0.25


def test_a_rate_of_one_spikes_at_every_step_and_a_rate_of_zero_at_none() -> None:
    spikes, phase = regular_spikes(column(1.0, 0.0), column(0.5, 0.5), 7)
    assert spikes[:, 0, 0].tolist() == [1.0] * 7
    assert spikes[:, 0, 1].tolist() == [0.0] * 7
    assert phase.tolist() == [[0.5, 0.5]]


def test_what_is_left_from_before_brings_the_first_spike_forward() -> None:
    spikes, _ = regular_spikes(column(0.25, 0.25), column(0.0, 0.75), 4)
    assert spikes[:, 0].argmax(0).tolist() == [3, 0]


@settings(deadline=None)
@given(rate=st.floats(0, 1), phase=st.floats(0, 1 - 1e-6), windows=st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_spike_count_is_within_one_of_rate_times_time_over_any_windows(
    rate: float, phase: float, windows: list[int]
) -> None:
    left, count = column(phase), 0.0
    for steps in windows:
        spikes, left = regular_spikes(column(rate), left, steps)
        assert spikes.shape == (steps, 1, 1)
        assert set(spikes.flatten().tolist()) <= {0.0, 1.0}
        assert 0 <= left.item() < 1
        count += spikes.sum().item()
    assert abs(count - rate * sum(windows)) <= 1 + 1e-4


@settings(deadline=None)
@given(rate=rates, phase=sixty_fourths, first=st.integers(1, 20), second=st.integers(1, 20))
def test_two_windows_equal_one_of_their_summed_length(rate: float, phase: float, first: int, second: int) -> None:
    whole, at_end = regular_spikes(column(rate), column(phase), first + second)
    early, between = regular_spikes(column(rate), column(phase), first)
    late, after = regular_spikes(column(rate), between, second)
    assert torch.equal(whole, torch.cat([early, late]))
    assert torch.equal(at_end, after)
    assert at_end.item() == (phase + rate * (first + second)) % 1


@settings(deadline=None)
@given(cells=st.lists(st.tuples(rates, sixty_fourths), min_size=2, max_size=6), steps=st.integers(1, 20))
def test_every_neuron_of_every_row_spikes_as_if_alone(cells: list[tuple[float, float]], steps: int) -> None:
    rate, phase = (torch.tensor(part, dtype=torch.float64) for part in zip(*cells, strict=True))
    spikes, left = regular_spikes(torch.stack([rate, rate.flip(0)]), torch.stack([phase, phase.flip(0)]), steps)
    for position, (one_rate, one_phase) in enumerate(cells):
        alone, after = regular_spikes(column(one_rate), column(one_phase), steps)
        assert torch.equal(spikes[:, 0, position], alone[:, 0, 0])
        assert torch.equal(spikes[:, 1, -1 - position], alone[:, 0, 0])
        assert left[0, position] == left[1, -1 - position] == after.item()


def test_the_arguments_are_left_as_they_are() -> None:
    rate, phase = column(0.3), column(0.9)
    regular_spikes(rate, phase, 5)
    assert (rate.item(), phase.item()) == (0.3, 0.9)
