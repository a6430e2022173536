from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import IF, LIF

quick = settings(deadline=None, max_examples=30)


def integrator(shape: int | tuple[int, ...] = 1, **settings: Any) -> IF:
    return IF(shape, **settings).double()


def constant(current: float, steps: int) -> Tensor:
    return torch.full((steps, 1, 1), current, dtype=torch.float64)


def series(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1)


def spike_steps(neuron: IF, current: Tensor) -> list[int]:
    spikes, _ = neuron.scan(current, neuron.init_state(1))
    return spikes.flatten().nonzero().flatten().tolist()


def test_below_threshold_the_potential_is_the_sum_of_the_currents() -> None:
    neuron = integrator(v_rest=-2.0, v_reset=-2.0)
    state = neuron.init_state(1)
    potentials = []
    for current in series([0.5, -3.0, 1.25, 0.0, 2.0]):
        spikes, state = neuron(current, state)
        potentials.append(state.v.item())
        assert not spikes.any()
    assert potentials == [-1.5, -4.5, -3.25, -3.25, -1.25]


def test_without_input_nothing_leaks() -> None:
    neuron = integrator()
    state = neuron.init_state(1)._replace(v=constant(0.875, 1)[0])
    spikes, state = neuron.scan(constant(0.0, 500), state)
    assert not spikes.any()
    assert state.v.item() == 0.875


@pytest.mark.parametrize(
    ("current", "rest", "threshold", "count"),
    [
        (0.125, 0.0, 1.0, 12),
        (0.375, 0.0, 1.0, 37),
        (1.0, 0.0, 1.0, 100),
        (0.375, -1.0, 1.0, 18),
        (0.75, -65.0, -50.0, 5),
        (-0.5, 0.0, 1.0, 0),
    ],
)
def test_the_soft_reset_fires_time_times_current_over_the_distance_to_threshold_rounded_down(
    current: float, rest: float, threshold: float, count: int
) -> None:
    steps = 100
    assert count == max(0, math.floor(steps * current / (threshold - rest)))
    neuron = integrator(v_rest=rest, v_reset=rest, v_threshold=threshold, reset="soft")
    assert len(spike_steps(neuron, constant(current, steps))) == count


@given(current=st.lists(st.integers(0, 16), min_size=1, max_size=60))
@quick
def test_the_soft_reset_loses_nothing(current: list[int]) -> None:
    """Sixteenths, so that arithmetic is exact: the input is what was fired and what is left, less than one spike."""
    drive = series([value / 16 for value in current])
    neuron = integrator(reset="soft")
    spikes, state = neuron.scan(drive, neuron.init_state(1))
    assert spikes.sum().item() + state.v.item() == sum(current) / 16
    assert 0 <= state.v.item() < 1


def test_the_soft_reset_spreads_a_volley_that_is_worth_many_spikes_over_the_steps_that_follow() -> None:
    assert spike_steps(integrator(reset="soft"), series([3.5, 0.0, 0.0, 0.0, 0.0])) == [0, 1, 2]


@pytest.mark.parametrize(
    ("current", "reset", "first", "interval"), [(0.25, 0.0, 4, 4), (0.375, 0.0, 3, 3), (0.375, -1.0, 3, 6)]
)
def test_the_hard_reset_fires_at_intervals_of_the_distance_over_the_current_rounded_up(
    current: float, reset: float, first: int, interval: int
) -> None:
    assert first == math.ceil(1.0 / current)
    assert interval == math.ceil((1.0 - reset) / current)
    expected = [first - 1 + n * interval for n in range(5)]
    assert spike_steps(integrator(v_reset=reset), constant(current, expected[-1] + 1)) == expected


def test_a_hard_reset_forgets_what_lay_above_the_threshold() -> None:
    neuron = integrator(v_reset=0.25)
    spikes, state = neuron(constant(7.0, 1)[0], neuron.init_state(1))
    assert (spikes.item(), state.v.item()) == (1.0, 0.25)


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_input_in_the_refractory_period_is_lost(reset: str) -> None:
    """Each step adds a whole spike; two of three are not integrated."""
    neuron = integrator(reset=reset, t_refractory=2.0)
    assert spike_steps(neuron, constant(1.0, 12)) == [0, 3, 6, 9]


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_it_is_the_limit_of_a_leaky_neuron_for_a_long_time_constant(reset: str) -> None:
    current = torch.randn(200, 1, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.3 + 0.1
    perfect, leaky = integrator(8, reset=reset), LIF(8, tau_mem=1e9, decay_input=False, reset=reset).double()
    spikes, state = perfect.scan(current, perfect.init_state(1))
    expected, after = leaky.scan(current, leaky.init_state(1))
    assert spikes.sum() > 50
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(state.v, after.v, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["tau_mem", "decay_input"])
def test_a_neuron_without_leak_has_no_setting_of_a_leak(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}=1.0: IF has no such setting"):
        IF(1, **{name: 1.0})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"v_threshold": 0.0}, r"^v_threshold=0.0: must be above 0.0$"),
        ({"v_reset": 1.5}, r"^v_threshold=1.0: must be above 1.5$"),
        ({"v_rest": 2.0}, r"^v_threshold=1.0: must be above 2.0$"),
        ({"v_threshold": math.nan}, r"^v_threshold=nan: must be above 0.0$"),
        ({"v_rest": math.nan}, r"^v_rest=nan: must be a finite potential$"),
        ({"v_reset": -math.inf}, r"^v_reset=-inf: must be a finite potential$"),
        pytest.param({"v_rest": 0.7, "v_threshold": 0.7}, r"^v_threshold=0.7: must be above 0.7$"),
        pytest.param({"v_rest": 0.1, "v_threshold": 0.05}, r"^v_threshold=0.05: must be above 0.1$"),
        ({"reset": "none"}, r"^reset=none: must be hard or soft$"),
        ({"dt": -1.0}, r"^dt=-1.0: must be a positive number of ms$"),
        ({"dt": math.nan}, r"^dt=nan: must be a positive number of ms$"),
        ({"t_refractory": -1.0}, r"^t_refractory=-1.0: must be at least 0 ms$"),
        ({"tau_trace": 0.5}, r"^tau_trace=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        ({"learnable": ["tau_mem"]}, r"^learnable=tau_mem: there are: v_threshold$"),
        ({"surrogate": "atn"}, r"^surrogate=atn: did you mean atan\?$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        IF(1, **settings)
