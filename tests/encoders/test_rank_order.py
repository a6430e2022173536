from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.encoders import RankOrderEncoder
from snnrl.errors import ConfigError


def steps_of(code: RankOrderEncoder, values: torch.Tensor) -> list[int]:
    """The step of each neuron's spike, -1 where there is none."""
    spikes, _ = code(values[None], code.init_state(1))
    assert spikes.shape == (code.sim_steps, 1, code.size)
    fired = spikes[:, 0].any(0)
    return torch.where(fired, spikes[:, 0].argmax(0), -1).tolist()


def test_neurons_spike_in_the_order_of_their_values_and_equal_ones_from_the_left() -> None:
    values = torch.tensor([0.2, -5.0, 7.0, 0.2])
    assert steps_of(RankOrderEncoder(4, sim_steps=6), values) == [1, 3, 0, 2]


def test_all_ranks_find_room_in_a_window_that_is_shorter_and_a_given_number_spikes_in_a_step() -> None:
    values = torch.arange(7.0)
    assert steps_of(RankOrderEncoder(7, sim_steps=3), values) == [2, 1, 1, 1, 0, 0, 0]
    assert steps_of(RankOrderEncoder(7, sim_steps=3, per_step=1), values) == [-1, -1, -1, -1, 2, 1, 0]


def test_values_up_to_the_threshold_are_silent() -> None:
    values = torch.tensor([0.0, 0.5, 1.0])
    assert steps_of(RankOrderEncoder(3, sim_steps=3, threshold=0.5), values) == [-1, -1, 0]


@settings(deadline=None)
@given(values=st.lists(st.integers(-9, 9), min_size=1, max_size=9), gain=st.floats(0.1, 9), offset=st.floats(-9, 9))
def test_contrast_and_brightness_leave_the_spikes_as_they_are(values: list[int], gain: float, offset: float) -> None:
    code = RankOrderEncoder(len(values), sim_steps=5)
    exact = torch.tensor(values, dtype=torch.float64)
    assert steps_of(code, exact) == steps_of(code, exact * gain + offset) == steps_of(code, torch.exp(exact))


@pytest.mark.parametrize(
    ("changed", "name"),
    [({"size": 0}, "size"), ({"per_step": 0}, "per_step"), ({"threshold": math.nan}, "threshold")],
)
def test_settings_out_of_range_are_errors(changed: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}="):
        RankOrderEncoder(**{"size": 3, "sim_steps": 4, **changed})
