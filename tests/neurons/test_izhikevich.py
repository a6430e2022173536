from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import Izhikevich
from snnrl.neurons.izhikevich import PATTERNS


def constant(current: float, steps: int) -> Tensor:
    return torch.full((steps, 1, 1), current, dtype=torch.float64)


def paper_program(a: float, b: float, c: float, d: float, drive: list[float], dt: float = 1.0) -> list[int]:
    """The Matlab program of the paper for one neuron: steps at whose beginning ``v >= 30`` is found.

    The square is written as a product because the last digit counts: some patterns are chaotic at long steps.
    """
    v, fired = -65.0, []
    u = b * v
    for t, current in enumerate([*drive, 0.0]):
        if v >= 30:
            fired.append(t)
            v = c
            u = u + d
        v = v + 0.5 * dt * (0.04 * v * v + 5 * v + 140 - u + current)
        v = v + 0.5 * dt * (0.04 * v * v + 5 * v + 140 - u + current)
        u = u + dt * a * (b * v - u)
    return fired


def spike_steps(pattern: str, current: Tensor, **settings: Any) -> list[int]:
    neuron = Izhikevich.of_pattern(1, pattern, **settings).double()
    spikes, _ = neuron.scan(current, neuron.init_state(1))
    return spikes.flatten().nonzero().flatten().tolist()


def intervals(pattern: str) -> list[float]:
    """Interspike intervals in ms within 600 ms of the paper's input, by a step so fine that they settle."""
    dt = 0.25
    times = [dt * step for step in spike_steps(pattern, constant(10.0, round(600 / dt)), dt=dt)]
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("dt", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_spikes_are_those_of_the_papers_program_which_finds_them_one_step_later(pattern: str, dt: float) -> None:
    steps = round(400 / dt)
    expected = paper_program(*PATTERNS[pattern], [10.0] * steps, dt)
    assert len(expected) >= 5
    assert [step + 1 for step in spike_steps(pattern, constant(10.0, steps), dt=dt)] == expected


@pytest.mark.parametrize("pattern", ["regular_spiking", "chattering", "fast_spiking"])
def test_under_noise_too(pattern: str) -> None:
    """The thalamic input of the paper's network: ``5 randn``."""
    noise = 5 * torch.randn(1000, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 3
    expected = paper_program(*PATTERNS[pattern], noise.tolist())
    assert len(expected) > 10
    assert [step + 1 for step in spike_steps(pattern, noise.view(-1, 1, 1))] == expected


def test_below_the_peak_one_step_is_two_half_steps_of_v_and_one_of_u() -> None:
    neuron = Izhikevich(1, a=0.02, b=0.2).double()
    state = neuron.init_state(1)
    assert (state.v.item(), state.u.item()) == (-65.0, -13.0)
    _, state = neuron(constant(10.0, 1)[0], state)
    half = -65 + 0.5 * (169 - 325 + 140 + 13 + 10)
    v = half + 0.5 * (0.04 * half * half + 5 * half + 140 + 13 + 10)
    assert state.v.item() == pytest.approx(v, rel=1e-12)
    assert state.u.item() == pytest.approx(-13 + 0.02 * (0.2 * v + 13), rel=1e-12)


def test_a_spike_sets_v_to_c_and_adds_d_to_u() -> None:
    neuron = Izhikevich(1, a=0.02, b=0.2, c=-55.0, d=4.0).double()
    state = neuron.init_state(1)
    spikes, after = neuron(constant(1000.0, 1)[0], state)
    charged = neuron.charge(constant(1000.0, 1)[0], state)
    assert charged.v.item() >= 30
    assert (spikes.item(), after.v.item()) == (1.0, -55.0)
    assert after.u.item() == charged.u.item() + 4.0


def test_in_the_refractory_period_both_variables_stand_still() -> None:
    neuron = Izhikevich(1, a=0.02, b=0.2, c=-65.0, d=8.0, t_refractory=2.0).double()
    _, state = neuron(constant(500.0, 1)[0], neuron.init_state(1))
    _, after = neuron(constant(500.0, 1)[0], state)
    assert after.v.item() == -65.0
    assert after.u.item() == state.u.item()


def test_the_resting_state_is_the_stable_root_of_the_quadratic() -> None:
    """``0.04 v^2 + (5 - b) v + 140 = 0`` with b = 0.2 has the roots -70 and -50."""
    neuron = Izhikevich(1, b=0.2).double()
    spikes, state = neuron.scan(constant(0.0, 2000), neuron.init_state(1))
    assert not spikes.any()
    assert (state.v.item(), state.u.item()) == pytest.approx((-70.0, -14.0), abs=1e-6)


def test_regular_spiking_neurons_adapt() -> None:
    """The first spikes follow each other fast, then intervals grow to a steady state (fig. 2, RS)."""
    gaps = intervals("regular_spiking")
    assert 1.5 * gaps[0] < gaps[1]
    assert max(gaps[1:]) - min(gaps[1:]) <= 0.5


def test_intrinsically_bursting_neurons_begin_with_one_burst_and_go_on_with_single_spikes() -> None:
    gaps = intervals("intrinsically_bursting")
    assert max(gaps[:2]) < 6
    assert min(gaps[2:]) > 5 * max(gaps[:2])


def test_chattering_neurons_fire_burst_after_burst() -> None:
    """Closely spaced spikes within a burst, long intervals between bursts, of which there are up to 40 in a second."""
    gaps = intervals("chattering")
    within, between = [gap for gap in gaps if gap <= 5], [gap for gap in gaps if gap > 40]
    assert len(within) + len(between) == len(gaps)
    assert len(within) >= 3 * len(between)
    assert 10 <= len(between) <= 0.6 * 40


def test_fast_spiking_neurons_fire_fast_and_do_not_adapt() -> None:
    gaps, regular = intervals("fast_spiking"), intervals("regular_spiking")
    early, late = gaps[2:20], gaps[-18:]
    assert sum(late) == pytest.approx(sum(early), rel=0.03)
    assert max(gaps) < min(regular) / 2


def test_low_threshold_spiking_neurons_fire_under_less_current_than_regular_ones() -> None:
    assert spike_steps("low_threshold_spiking", constant(2.0, 300))
    assert not spike_steps("regular_spiking", constant(2.0, 300))


def test_thalamo_cortical_neurons_rebound_with_a_burst_after_hyperpolarisation() -> None:
    """Silenced to below -80 mV and released without any input, they burst (fig. 2, TC)."""
    current = torch.cat([constant(-10.0, 200), constant(0.0, 200)])
    steps = spike_steps("thalamo_cortical", current, dt=0.5)
    assert len(steps) >= 2
    assert steps[0] > 200
    assert not spike_steps("thalamo_cortical", constant(0.0, 200), dt=0.5)[1:]
    assert not spike_steps("regular_spiking", current, dt=0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dt": 1.5}, r"^dt=1.5: must be at most 1 ms, the step of the paper$"),
        ({"dt": -1.0}, r"^dt=-1.0: must be a positive number of ms$"),
        ({"dt": math.nan}, r"^dt=nan: must be a positive number of ms$"),
        ({"c": 30.0}, r"^c=30.0: must be below the peak of 30.0 mV$"),
        ({"c": -math.inf}, r"^c=-inf: must be below the peak of 30.0 mV$"),
        ({"a": math.nan}, r"^a=nan: must be a finite number$"),
        ({"b": math.inf}, r"^b=inf: must be a finite number$"),
        ({"d": math.nan}, r"^d=nan: must be a finite number$"),
        ({"d": torch.ones(2)}, r"^d=\[2\]: must be a number or of shape \(1,\)$"),
        ({"tau_trace": 0.5}, r"^tau_trace=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        ({"learnable": ["v"]}, r"^learnable=v: there are: a, b, c, d$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Izhikevich(1, **settings)


def test_a_misspelt_pattern_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^pattern=chatering: did you mean chattering\?$"):
        Izhikevich.of_pattern(1, "chatering")
