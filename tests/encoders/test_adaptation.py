from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.encoders import RateAdaptation
from snnrl.errors import ConfigError

EVERY = torch.arange(3)


def test_amplitude_is_full_before_anything_is_learnt() -> None:
    assert RateAdaptation(3)(EVERY).tolist() == [1.0, 1.0, 1.0]


@settings(deadline=None)
@given(rate=st.floats(0, 1), target=st.floats(0.01, 1))
def test_amplitude_is_the_root_of_target_over_rate_and_at_most_one(rate: float, target: float) -> None:
    adaptation = RateAdaptation(1, target=target)
    adaptation.rate.fill_(rate)
    expected = 1.0 if rate <= target else math.sqrt(target / rate)
    assert adaptation(torch.tensor([0])).item() == pytest.approx(expected, rel=1e-5)


def test_the_rate_of_what_always_or_never_spikes_follows_the_closed_form() -> None:
    adaptation = RateAdaptation(2, target=0.5, horizon=40)
    left = 1.0
    for count in range(1, 101):
        adaptation.observe(torch.tensor([0]), 1)
        left *= 1 - min(0.1, 1 / min(count, 40))
    assert adaptation.rate.tolist() == pytest.approx([1 - 0.5 * left, 0.5 * left], rel=1e-4)
    assert adaptation.seen.item() == 100


def test_the_rate_approaches_the_share_of_observations_with_a_spike() -> None:
    adaptation = RateAdaptation(3, target=0.02, horizon=2000)
    for _ in range(600):
        adaptation.observe(torch.tensor([0, 0, 0, 0, 1, 0, 1, 0, 0, 0]), 10)
    assert adaptation.rate.tolist() == pytest.approx([0.8, 0.2, 0.0], abs=0.02)
    assert adaptation(EVERY).tolist() == pytest.approx([math.sqrt(0.02 / 0.8), math.sqrt(0.02 / 0.2), 1.0], abs=0.02)


def test_drive_of_a_busy_neuron_is_held_at_that_of_one_with_the_target_rate() -> None:
    adaptation = RateAdaptation(1, target=0.1, horizon=100)
    for _ in range(300):
        adaptation.observe(torch.tensor([0] * 4), 5)
    assert 0.8 * adaptation(torch.tensor([0])).item() ** 2 == pytest.approx(0.1, rel=1e-3)


def test_asking_for_amplitudes_learns_nothing() -> None:
    adaptation = RateAdaptation(3)
    before = {name: value.clone() for name, value in adaptation.state_dict().items()}
    adaptation(EVERY)
    assert all(torch.equal(value, before[name]) for name, value in adaptation.state_dict().items())
    assert set(before) == {"rate", "seen"}


@pytest.mark.parametrize(
    ("settings", "name"), [({"target": 0.0}, "target"), ({"target": 1.1}, "target"), ({"horizon": 0}, "horizon")]
)
def test_settings_out_of_range_are_errors(settings: dict[str, float], name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}="):
        RateAdaptation(3, **settings)  # type: ignore[arg-type]
