from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.plasticity import RunningScale, Shuffler

quick = settings(deadline=None, max_examples=25)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), seed=st.integers(0, 500))
@quick
def test_within_its_horizon_the_scale_is_the_root_mean_square_of_all_it_saw(sizes: list[int], seed: int) -> None:
    scale = RunningScale(horizon=sum(sizes)).double()
    signal = normal(sum(sizes), seed=seed) + 3.0
    seen = 0
    for size in sizes:
        told = scale(signal[seen : seen + size])
        seen += size
        assert told.item() == pytest.approx(np.sqrt(np.mean(signal[:seen].numpy() ** 2)), rel=1e-6)
    assert scale.seen.item() == seen


def test_beyond_its_horizon_older_values_fade_by_the_share_of_the_new_ones() -> None:
    horizon, batch = 20, 4
    scale = RunningScale(horizon).double()
    signal = normal(30, batch) * torch.linspace(1, 5, 30)[:, None]
    mean_square, seen = 0.0, 0
    for values in signal:
        seen += batch
        share = batch / min(seen, horizon)
        mean_square += share * (np.mean(values.numpy() ** 2) - mean_square)
        assert scale(values).item() == pytest.approx(math.sqrt(mean_square), rel=1e-6)


def test_the_scale_forgets_a_burst_within_some_horizons() -> None:
    """Each step of one value keeps ``1 - 1 / horizon`` of the mean square."""
    horizon = 10
    scale = RunningScale(horizon).double()
    scale(torch.full((horizon,), 100.0, dtype=torch.float64))
    for _ in range(5 * horizon):
        told = scale(torch.ones(1, dtype=torch.float64))
    expected = math.sqrt(1 + (100.0**2 - 1) * (1 - 1 / horizon) ** (5 * horizon))
    assert told.item() == pytest.approx(expected, rel=1e-6)


def test_more_values_than_the_horizon_at_once_replace_all_that_was() -> None:
    scale = RunningScale(3)
    scale(torch.full((3,), 100.0))
    assert scale(torch.full((2, 4), -2.0)).item() == 2.0


def test_a_signal_that_is_always_zero_can_still_be_divided_by_its_scale() -> None:
    assert RunningScale()(torch.zeros(4)).item() == pytest.approx(1e-6)


def test_a_signal_divided_by_its_scale_has_a_mean_square_of_one() -> None:
    scale, signal = RunningScale(), 7 * torch.randn(1000, generator=seeded())
    assert (signal / scale(signal)).square().mean().item() == pytest.approx(1.0, rel=1e-5)


def test_the_scale_goes_on_where_its_saved_state_left_off() -> None:
    scale, resumed = RunningScale(5), RunningScale(5)
    first, second = normal(2, 4).float()
    scale(first)
    resumed.load_state_dict(scale.state_dict())
    assert torch.equal(scale(second), resumed(second))


def test_the_scale_asks_for_no_gradient() -> None:
    assert not RunningScale()(torch.ones(3, requires_grad=True)).requires_grad


@given(capacity=st.integers(1, 20), batch=st.integers(1, 7))
@quick
def test_nothing_passes_until_the_memory_is_full(capacity: int, batch: int) -> None:
    shuffler = Shuffler(capacity, generator=seeded())
    remembered = 0
    for _ in range(12):
        passed = shuffler(torch.full((batch,), 5.0))
        assert passed.tolist() == [0.0 if remembered < capacity else 5.0] * batch
        remembered += batch


def test_afterwards_values_come_from_the_last_ones_remembered() -> None:
    capacity, batch = 12, 4
    shuffler = Shuffler(capacity, generator=seeded())
    for step in range(40):
        told = torch.arange(batch * step, batch * (step + 1), dtype=torch.float32)
        passed = shuffler(told)
        if batch * step >= capacity:
            assert batch * step - capacity <= passed.min()
            assert passed.max() < batch * step, "none of the values told just now"


def test_shuffled_values_are_the_memory_drawn_evenly() -> None:
    """Each of 8 remembered values within 5 standard deviations of a binomial count."""
    capacity, draws = 8, 20_000
    shuffler = Shuffler(capacity, generator=seeded())
    shuffler(torch.arange(8.0))
    passed = shuffler(torch.zeros(draws))
    expected, deviation = draws / capacity, math.sqrt(draws * (1 / capacity) * (1 - 1 / capacity))
    for value in range(capacity):
        assert abs((passed == value).sum().item() - expected) < 5 * deviation


def test_shuffled_values_keep_the_distribution_and_lose_the_correlation_with_the_true_ones() -> None:
    """The mean product of independent unit signals is 0 within 5 standard deviations, ``1 / sqrt(n)``."""
    steps, batch, capacity = 500, 16, 256
    shuffler = Shuffler(capacity, generator=seeded(1))
    signal = torch.randn(steps, batch, generator=seeded(2))
    passed = torch.stack([shuffler(told) for told in signal])
    full = capacity // batch
    true, shuffled = signal[full:], passed[full:]
    assert abs((true * shuffled).mean().item()) < 5 / math.sqrt(true.numel())
    assert abs(shuffled.mean().item() - true.mean().item()) < 0.1
    assert shuffled.std().item() == pytest.approx(true.std().item(), rel=0.1)


def test_shuffled_values_have_the_shape_of_the_true_ones() -> None:
    shuffler = Shuffler(6, generator=seeded())
    shuffler(torch.ones(2, 3))
    assert shuffler(torch.zeros(2, 3)).tolist() == [[1.0] * 3] * 2


def test_one_seed_gives_the_same_shuffle_and_another_gives_another() -> None:
    def run(seed: int) -> Tensor:
        shuffler = Shuffler(16, generator=seeded(seed))
        return torch.stack([shuffler(told) for told in normal(30, 4).float()])

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_a_shuffle_goes_on_where_its_saved_memory_left_off() -> None:
    told = normal(20, 4).float()
    shuffler = Shuffler(16, generator=seeded(1))
    for values in told[:10]:
        shuffler(values)
    resumed = Shuffler(16, generator=seeded(3))
    resumed.load_state_dict(shuffler.state_dict())
    resumed.generator.set_state(shuffler.generator.get_state())
    for values in told[10:]:
        assert torch.equal(shuffler(values), resumed(values))


def test_the_shuffle_asks_for_no_gradient_and_keeps_no_graph() -> None:
    shuffler = Shuffler(2)
    shuffler(torch.ones(2, requires_grad=True))
    assert not shuffler(torch.ones(2, requires_grad=True)).requires_grad
    assert not shuffler.memory.requires_grad


def test_a_horizon_or_memory_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^horizon=0: must be at least 1$"):
        RunningScale(0)
    with pytest.raises(ConfigError, match=r"^capacity=0: must be at least 1$"):
        Shuffler(0)
