from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from snnrl.encoders import BernoulliEncoder, PoissonEncoder
from snnrl.errors import ConfigError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def assert_share(share: float, probability: float, draws: int) -> None:
    """Within five standard deviations of the binomial."""
    assert abs(share - probability) <= 5 * math.sqrt(probability * (1 - probability) / draws)


@pytest.mark.parametrize(("rate_max", "dt"), [(100.0, 1.0), (1000.0, 0.5), (400.0, 5.0)])
@pytest.mark.parametrize("intensity", [0.1, 0.5, 1.0])
def test_poisson_spikes_with_the_probability_of_at_least_one_event(
    rate_max: float, dt: float, intensity: float
) -> None:
    code = PoissonEncoder(50, sim_steps=400, rate_max=rate_max, dt=dt, generator=seeded())
    spikes, _ = code(torch.full((2, 50), intensity), code.init_state(2))
    assert_share(spikes.mean().item(), 1 - math.exp(-rate_max * intensity * dt / 1000), spikes.numel())


@pytest.mark.parametrize("intensity", [0.1, 0.5, 0.9])
def test_bernoulli_spikes_with_a_probability_in_proportion_to_intensity(intensity: float) -> None:
    code = BernoulliEncoder(50, sim_steps=400, probability_max=0.6, generator=seeded())
    spikes, _ = code(torch.full((2, 50), intensity), code.init_state(2))
    assert_share(spikes.mean().item(), 0.6 * intensity, spikes.numel())


def test_steps_and_neurons_are_drawn_independently() -> None:
    code = BernoulliEncoder(2, sim_steps=20_000, generator=seeded())
    spikes, _ = code(torch.full((1, 2), 0.5), code.init_state(1))
    first, second = spikes[:, 0].T
    assert_share((first * second).mean().item(), 0.25, len(first))
    assert_share((first[1:] * first[:-1]).mean().item(), 0.25, len(first) // 2)


@pytest.mark.parametrize("kind", [BernoulliEncoder, PoissonEncoder])
def test_intensity_zero_is_silent_and_intensities_are_clipped(kind: Any) -> None:
    code = kind(4, sim_steps=50, generator=seeded(1))
    beyond, _ = code(torch.tensor([[0.0, -3.0, 1.0, 7.0]]), code.init_state(1))
    code.generator.manual_seed(1)
    within, _ = code(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), code.init_state(1))
    assert not beyond[..., :2].any()
    assert beyond[..., 2:].any()
    assert torch.equal(beyond, within)


def test_bernoulli_with_probability_one_spikes_at_every_step() -> None:
    code = BernoulliEncoder(3, sim_steps=100, generator=seeded())
    spikes, _ = code(torch.ones(2, 3), code.init_state(2))
    assert spikes.all()


@pytest.mark.parametrize("kind", [BernoulliEncoder, PoissonEncoder])
def test_equal_generators_give_equal_spikes_and_the_next_window_differs(kind: Any) -> None:
    one, two = (kind(6, sim_steps=30, generator=seeded(5)) for _ in range(2))
    x = torch.full((2, 6), 0.5)
    first, _ = one(x, one.init_state(2))
    assert first.shape == (30, 2, 6)
    assert set(first.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(first, two(x, two.init_state(2))[0])
    assert not torch.equal(first, one(x, one.init_state(2))[0])


def test_draws_with_an_own_generator_leave_the_global_one_alone() -> None:
    before = torch.random.get_rng_state()
    code = PoissonEncoder(3, sim_steps=4, generator=seeded())
    code(torch.ones(1, 3), code.init_state(1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_observations_of_any_shape_have_a_neuron_for_each_value() -> None:
    code = BernoulliEncoder(6, sim_steps=4, generator=seeded())
    image = torch.tensor([[[0, 1, 0], [1, 0, 1]]], dtype=torch.uint8)
    spikes, _ = code(image, code.init_state(1))
    assert torch.equal(spikes, image.flatten(1).float().expand(4, 1, 6))


@pytest.mark.parametrize("kind", [BernoulliEncoder, PoissonEncoder])
def test_spikes_have_the_dtype_that_was_asked_for(kind: Any) -> None:
    code = kind(3, sim_steps=4, dtype=torch.bool)
    assert code(torch.ones(1, 3), code.init_state(1))[0].dtype == torch.bool


@pytest.mark.parametrize(
    ("kind", "settings", "name"),
    [
        (BernoulliEncoder, {"probability_max": 0.0}, "probability_max"),
        (BernoulliEncoder, {"probability_max": 1.5}, "probability_max"),
        (BernoulliEncoder, {"size": 0}, "size"),
        (BernoulliEncoder, {"sim_steps": 0}, "sim_steps"),
        (PoissonEncoder, {"rate_max": 0.0}, "rate_max"),
        (PoissonEncoder, {"dt": -1.0}, "dt"),
    ],
)
def test_settings_out_of_range_are_errors(kind: Any, settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}="):
        kind(**{"size": 3, "sim_steps": 4, **settings})
