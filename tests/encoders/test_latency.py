from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.encoders import LatencyEncoder
from snnrl.errors import ConfigError
from snnrl.neurons import LIF

intensities = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=6)


def first_spikes(code: LatencyEncoder, intensity: list[float]) -> list[float]:
    """The step of each neuron's spike, infinite where there is none."""
    spikes, _ = code(torch.tensor([intensity]), code.init_state(1))
    assert spikes.shape == (code.sim_steps, 1, code.size)
    assert spikes.sum(0).max() <= 1
    fired = spikes[:, 0].any(0)
    return torch.where(fired, spikes[:, 0].argmax(0).to(torch.float32), math.inf).tolist()


def test_a_linear_latency_runs_from_the_first_step_to_the_last() -> None:
    code = LatencyEncoder(6, sim_steps=11)
    assert first_spikes(code, [1.0, 0.8, 0.5, 0.2, 0.02, 0.0]) == [0, 2, 5, 8, 10, math.inf]


@pytest.mark.parametrize("dt", [0.5, 1.0])
@pytest.mark.parametrize("tau", [3.0, 10.0])
def test_a_latency_with_a_time_constant_is_that_of_a_membrane_under_a_constant_current(tau: float, dt: float) -> None:
    steps, threshold = 40, 0.2
    intensity = torch.linspace(0.0, 0.97, 98).tolist()
    code = LatencyEncoder(98, sim_steps=steps, threshold=threshold, tau=tau, dt=dt)
    neurons = LIF(98, tau_mem=tau, v_threshold=threshold, v_reset=-1e9, dt=dt)
    current = torch.tensor([intensity]).expand(steps, 1, 98)
    spikes, _ = neurons.scan(current, neurons.init_state(1))
    membrane = torch.where(spikes.any(0)[0], spikes.argmax(0)[0].to(torch.float32), math.inf).tolist()
    assert math.inf in membrane
    assert first_spikes(code, intensity) == membrane


@settings(deadline=None)
@given(intensity=intensities, tau=st.sampled_from([None, 2.0, 9.0]))
def test_the_stronger_of_two_intensities_never_spikes_later(intensity: list[float], tau: float | None) -> None:
    code = LatencyEncoder(len(intensity), sim_steps=20, threshold=0.1, tau=tau)
    found = sorted(zip(intensity, first_spikes(code, intensity), strict=True))
    steps = [step for _, step in found]
    assert steps == sorted(steps, reverse=True)
    assert all(step == math.inf for value, step in found if value <= torch.tensor(0.1).item())


def test_intensities_are_clipped() -> None:
    code = LatencyEncoder(2, sim_steps=5)
    assert first_spikes(code, [7.0, -3.0]) == [0, math.inf]


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"size": 0}, "size"),
        ({"threshold": 1.0}, "threshold"),
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": 0.0, "tau": 5.0}, "threshold"),
        ({"tau": 0.0}, "tau"),
        ({"tau": math.nan}, "tau"),
        ({"dt": 0.0}, "dt"),
    ],
)
def test_settings_out_of_range_are_errors(changed: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}="):
        LatencyEncoder(**{"size": 3, "sim_steps": 4, **changed})
