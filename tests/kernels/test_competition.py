from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.kernels.competition import (
    InputSpikes,
    WinnerTakeAll,
    add_wins,
    compete,
    compete_spikes,
    compete_stepwise,
    gather_spike_wins,
    gather_wins,
)
from snnrl.traces import scan_nearest_trace

DECAY = math.exp(-1 / 7.5)


def competition(steps: int = 15, winner: float = 0.0, losers: float = -48.0) -> WinnerTakeAll:
    return WinnerTakeAll(steps, DECAY, 10.0, winner, losers)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    batch=st.integers(1, 40),
    neurons=st.integers(1, 70),
    constant=st.booleans(),
    winner=st.sampled_from([0.0, -200.0]),
    losers=st.sampled_from([0.0, -48.0]),
)
def test_the_compiled_competition_is_its_reference_implementation(
    seed: int, batch: int, neurons: int, constant: bool, winner: float, losers: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    current = 60 * torch.rand(1 if constant else 15, batch, neurons, generator=generator)
    threshold = 120 * torch.rand(neurons, generator=generator)
    rules = competition(15, winner, losers)
    fast, plain = compete(current, threshold, rules), compete_stepwise(current, threshold, rules)
    assert fast.shape == plain.shape == (15, batch)
    assert (fast != plain).float().mean() <= 0.02, "rounding alone may make a difference, and seldom"


def test_both_find_the_winners_of_a_case_worked_by_hand() -> None:
    """Neuron 0 is first driven harder, neuron 1 fires when the threshold of 0 is out of reach."""
    current = torch.tensor([[[20.0, 15.0]], [[20.0, 40.0]], [[0.0, 0.0]], [[90.0, 0.0]]])
    threshold = torch.tensor([5.0, 0.0])
    rules = WinnerTakeAll(4, 0.5, 10.0, 0.0, -48.0)
    # step 0: u = 20, 15; u - theta = 15, 15: the first of equals fires; then u = 0, -48
    # step 1: u = 20, 16; u - theta = 15, 16: neuron 1 fires; then u = -48, 0
    # step 2: u = -24, 0: nobody
    # step 3: u = 78, 0: neuron 0
    for function in (compete, compete_stepwise):
        assert function(current, threshold, rules).squeeze(1).tolist() == [0, 1, -1, 0]


def test_rows_of_a_batch_do_not_know_of_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    current, threshold = 60 * torch.rand(1, 33, 50, generator=generator), torch.rand(50, generator=generator)
    together = compete(current, threshold, competition())
    for row in range(33):
        assert torch.equal(compete(current[:, row : row + 1], threshold, competition())[:, 0], together[:, row])


def test_several_threads_find_what_one_does() -> None:
    generator = torch.Generator().manual_seed(1)
    current, threshold = 60 * torch.rand(15, 100, 50, generator=generator), torch.rand(50, generator=generator)
    threads = torch.get_num_threads()
    alone = compete(current, threshold, competition())
    try:
        torch.set_num_threads(3)
        assert torch.equal(compete(current, threshold, competition()), alone)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("constant", [True, False])
def test_what_winners_saw_is_the_mean_of_the_traces_at_their_spikes(constant: bool) -> None:
    generator = torch.Generator().manual_seed(2)
    winners = torch.randint(-1, 6, (5, 9), generator=generator)
    trace = torch.rand(1 if constant else 5, 9, 12, generator=generator)
    fired, spikes, seen = gather_wins(winners, trace, 8)
    assert fired.tolist() == sorted(set(winners[winners >= 0].tolist()))
    for neuron, count, mean in zip(fired.tolist(), spikes.tolist(), seen, strict=True):
        at = [(step, image) for step in range(5) for image in range(9) if winners[step, image] == neuron]
        assert count == len(at)
        expected = torch.stack([trace[0 if constant else step, image] for step, image in at]).mean(0)
        torch.testing.assert_close(mean, expected)
    row = torch.zeros(8, dtype=torch.int64)
    row[fired] = torch.arange(len(fired))
    total = torch.zeros(len(fired), 12)
    add_wins(winners, trace, row, total)
    torch.testing.assert_close(total / spikes[:, None], seen)


def test_where_nobody_fires_there_is_nothing_to_see() -> None:
    fired, spikes, seen = gather_wins(torch.full((3, 4), -1), torch.rand(1, 4, 5), 6)
    assert (len(fired), len(spikes), seen.shape) == (0, 0, (0, 5))


def input_spikes(seed: int, batch: int, inputs: int, steps: int) -> InputSpikes:
    """Random spikes of a random part of the inputs, of none in the first image."""
    generator = torch.Generator().manual_seed(seed)
    listed = torch.rand(batch, inputs, generator=generator) < 0.4
    listed[0] = False
    image, source = listed.nonzero(as_tuple=True)
    offsets = torch.zeros(batch + 1, dtype=torch.int64)
    offsets[1:] = torch.bincount(image, minlength=batch).cumsum(0)
    return InputSpikes(torch.rand(steps, len(source), generator=generator) < 0.3, source, offsets)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), batch=st.integers(1, 20), inputs=st.integers(1, 40), neurons=st.integers(1, 30))
def test_competition_under_listed_spikes_is_that_under_their_currents(
    seed: int, batch: int, inputs: int, neurons: int
) -> None:
    spikes = input_spikes(seed, batch, inputs, 15)
    weight = 9 * torch.rand(neurons, inputs, generator=torch.Generator().manual_seed(seed))
    threshold = torch.linspace(0, 20, neurons)
    current = spikes.dense(inputs) @ weight.t()
    found = compete_spikes(spikes, weight, threshold, competition())
    assert (found != compete_stepwise(current, threshold, competition())).float().mean() <= 0.02


def test_what_winners_saw_of_listed_spikes_is_the_mean_of_their_traces() -> None:
    spikes = input_spikes(3, 9, 20, 12)
    winners = torch.randint(-1, 5, (12, 9), generator=torch.Generator().manual_seed(4))
    expected = gather_wins(winners, scan_nearest_trace(spikes.dense(20), torch.zeros(9, 20), 0.9), 6)
    for value, other in zip(gather_spike_wins(winners, spikes, 0.9, 20, 6), expected, strict=True):
        torch.testing.assert_close(value, other)
