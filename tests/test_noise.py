from __future__ import annotations

import torch

from snnrl import noise


def test_events_have_their_probability_each_step_and_place_for_itself() -> None:
    probability = torch.tensor([[0.0, 0.1, 0.5], [0.9, 1 / 2**16, 1.0]])
    found = noise.events(probability, 40_000, torch.Generator().manual_seed(0))
    assert (found.dtype, found.shape) == (torch.bool, (40_000, 2, 3))
    rates = found.float().mean(0)
    spread = (probability * (1 - probability) / 40_000).sqrt() + 1 / 2**16
    assert ((rates - probability).abs() <= 5 * spread).all()
    assert not found[:, 0, 0].any()
    fair = found[:, 0, 2].float() - 0.5
    assert abs(float((fair[1:] * fair[:-1]).mean())) < 0.25 * 5 / 40_000**0.5
    assert abs(float((fair * (found[:, 0, 1].float() - 0.1)).mean())) < 0.15 * 5 / 40_000**0.5


def test_all_sixteen_bits_of_a_draw_count() -> None:
    """Each of the four draws of a word, the one with its sign bit among them, is uniform."""
    found = noise.events(torch.full((4,), 0.25), 50_000, torch.Generator().manual_seed(1)).float().mean(0)
    assert ((found - 0.25).abs() < 5 * (0.1875 / 50_000) ** 0.5).all()


def test_draws_follow_the_generator() -> None:
    probability = torch.full((7,), 0.3)
    one, same = (noise.events(probability, 5, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(one, same)
    generator = torch.Generator().manual_seed(2)
    noise.events(probability, 5, generator)
    assert not torch.equal(noise.events(probability, 5, generator), one)


def test_a_permutation_holds_each_number_once() -> None:
    drawn = noise.permutation(50, torch.device("cpu"), torch.Generator().manual_seed(0))
    assert sorted(drawn.tolist()) == list(range(50))
    assert drawn.tolist() != list(range(50))
