from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.encoders import DeltaEncoder
from snnrl.errors import ConfigError
from snnrl.state import reset_rows

courses = st.lists(st.floats(-20, 20), min_size=2, max_size=12)


def course(code: DeltaEncoder, values: list[float]) -> torch.Tensor:
    """Spikes ``[windows, time, neurons]`` of one value's course."""
    state, windows = code.init_state(1), []
    for value in values:
        spikes, state = code(torch.tensor([[value]], dtype=torch.float64), state)
        windows.append(spikes[:, 0])
    return torch.stack(windows)


def test_rises_and_falls_are_told_by_a_spike_for_each_threshold() -> None:
    spikes = course(DeltaEncoder(1, sim_steps=4, threshold=0.5), [3.0, 4.25, 4.25, 2.9])
    assert spikes[..., 0].tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert spikes[..., 1].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]]


def test_what_a_window_is_too_short_for_comes_with_the_next() -> None:
    spikes = course(DeltaEncoder(1, sim_steps=3, threshold=1.0), [0.0, 8.0, 8.0, 8.0, 8.0])
    assert spikes[..., 0].sum(1).tolist() == [0, 3, 3, 2, 0]


@settings(deadline=None)
@given(values=courses, threshold=st.floats(0.1, 3.0))
def test_spikes_add_up_to_the_values_course_to_within_a_threshold(values: list[float], threshold: float) -> None:
    spikes = course(DeltaEncoder(1, sim_steps=500, threshold=threshold), values).double().sum(1)
    told = values[0] + threshold * torch.cumsum(spikes[:, 0] - spikes[:, 1], 0)
    assert (told - torch.tensor(values, dtype=torch.float64)).abs().max() <= threshold * (1 + 1e-9)


@settings(deadline=None)
@given(values=courses, offset=st.sampled_from([-1e6, 2**30]))
def test_where_zero_is_plays_no_part(values: list[float], offset: float) -> None:
    code = DeltaEncoder(1, sim_steps=50, threshold=0.75)
    eighths = [round(8 * value) / 8 for value in values]
    assert torch.equal(course(code, eighths), course(code, [value + offset for value in eighths]))


def test_neurons_of_rises_come_before_those_of_falls() -> None:
    code = DeltaEncoder(3, sim_steps=2, threshold=1.0)
    _, state = code(torch.zeros(1, 3), code.init_state(1))
    spikes, _ = code(torch.tensor([[1.0, 0.0, -2.0]]), state)
    assert spikes.sum(0).tolist() == [[1, 0, 0, 0, 0, 2]]


def test_a_new_episode_begins_with_a_reference_of_its_own() -> None:
    code = DeltaEncoder(1, sim_steps=5, threshold=1.0)
    _, state = code(torch.tensor([[0.0], [0.0]]), code.init_state(2))
    state = reset_rows(state, code.init_state(2), torch.tensor([True, False]))
    spikes, _ = code(torch.tensor([[4.0], [4.0]]), state)
    assert spikes.sum(0).tolist() == [[0, 0], [4, 0]]


def test_frames_of_an_event_camera() -> None:
    code = DeltaEncoder(4, sim_steps=4, threshold=32.0)
    before, after = (torch.tensor([[frame]], dtype=torch.uint8) for frame in ([[0, 200], [9, 9]], [[70, 100], [9, 30]]))
    _, state = code(before, code.init_state(1))
    spikes, _ = code(after, state)
    assert spikes.sum(0).tolist() == [[2, 0, 0, 0, 0, 3, 0, 0]]


@pytest.mark.parametrize("changed", [{"values": 0}, {"threshold": 0.0}, {"threshold": math.inf}])
def test_settings_out_of_range_are_errors(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(changed))}="):
        DeltaEncoder(**{"values": 3, "sim_steps": 4, "threshold": 1.0, **changed})
