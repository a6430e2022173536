from __future__ import annotations

import pytest
import torch

from snnrl.kernels.first_spikes import earliest_winners, first_spikes, plain_first_spikes

STEPS = 9


def case(seed: int, maps: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latencies, weights and thresholds whose sums are exact, so that their order does not matter."""
    generator = torch.Generator().manual_seed(seed)
    latency = torch.randint(0, 2 * STEPS, (3, 2, 11, 9), generator=generator).clamp_max(STEPS).to(torch.uint8)
    weight = (torch.randint(-64, 256, (2, 4, 4, maps), generator=generator) / 256).permute(3, 0, 1, 2)
    threshold = 2 + torch.randint(0, 512, (maps,), generator=generator) / 512 + torch.arange(maps) / 4096
    return latency, weight, threshold


@pytest.mark.parametrize("spikes_per_place", [1, 2, 6])
def test_the_kernel_equals_its_reference_implementation(spikes_per_place: int) -> None:
    for seed in range(5):
        fired, margin = first_spikes(*case(seed), STEPS, spikes_per_place)
        plain_fired, plain_margin = plain_first_spikes(*case(seed), STEPS, spikes_per_place)
        assert torch.equal(fired, plain_fired)
        assert torch.equal(margin, plain_margin)
        assert int((fired < STEPS).sum(-1).max()) == spikes_per_place


def test_a_neuron_fires_when_the_inputs_that_fired_lift_it_above_threshold() -> None:
    latency = torch.full((1, 1, 3, 3), STEPS, dtype=torch.uint8)
    latency[0, 0, 0, 0], latency[0, 0, 1, 1], latency[0, 0, 2, 2] = 0, 4, 7
    weight = torch.ones(1, 1, 3, 3)
    fired, margin = first_spikes(latency, weight, torch.tensor([1.5]), STEPS, 1)
    assert fired.flatten().tolist() == [4]
    assert margin.flatten().tolist() == [0.5]
    assert first_spikes(latency, weight, torch.tensor([3.0]), STEPS, 1)[0].flatten().tolist() == [STEPS]


def test_the_strongest_of_a_place_fires_and_keeps_the_others_silent() -> None:
    latency = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
    weight = torch.tensor([2.0, 4.0, 3.0]).view(3, 1, 1, 1)
    threshold = torch.ones(3)
    assert first_spikes(latency, weight, threshold, STEPS, 1)[0].flatten().tolist() == [STEPS, 0, STEPS]
    assert first_spikes(latency, weight, threshold, STEPS, 2)[0].flatten().tolist() == [STEPS, 0, 0]


def test_winners_are_the_earliest_one_of_each_map_and_neighbourhood() -> None:
    fired = torch.full((1, 1, 6, 3), STEPS, dtype=torch.uint8)
    margin = torch.ones(1, 1, 6)
    fired[0, 0, 1, 0] = 2  # first of all
    fired[0, 0, 2, 1] = 3  # next to it
    fired[0, 0, 4, 0] = 3  # of its map
    fired[0, 0, 5, 1] = 5
    fired[0, 0, 3, 2] = 5  # as early, by a larger margin
    margin[0, 0, 3] = 2.0
    found = earliest_winners(fired, margin, STEPS, winners=5, radius=1)
    assert found.tolist() == [[0, 0, 1, 0, 2], [0, 0, 3, 2, 5], [0, 0, 5, 1, 5]]
    assert earliest_winners(fired, margin, STEPS, winners=2, radius=1).tolist() == found[:2].tolist()


def test_silence_has_no_winner() -> None:
    fired = torch.full((2, 3, 3, 4), STEPS, dtype=torch.uint8)
    assert earliest_winners(fired, torch.zeros(2, 3, 3), STEPS, 5, 1).shape == (0, 5)
