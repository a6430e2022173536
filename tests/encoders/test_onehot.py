from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.encoders import OneHotEncoder
from snnrl.errors import ConfigError


@settings(deadline=None)
@given(
    count=st.integers(1, 12),
    start=st.integers(-5, 5),
    rate=st.sampled_from([0.25, 0.5, 1.0]),
    steps=st.integers(1, 12),
    data=st.data(),
)
def test_only_the_neuron_of_the_observed_value_spikes(
    count: int, start: int, rate: float, steps: int, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.integers(start, start + count - 1), min_size=1, max_size=4))
    code = OneHotEncoder(count, start=start, sim_steps=steps, spikes_per_step=rate)
    spikes, _ = code(torch.tensor(values), code.init_state(len(values)))
    assert spikes.shape == (steps, len(values), count)
    expected = torch.zeros(len(values), count)
    expected[torch.arange(len(values)), torch.tensor(values) - start] = float(int(rate * steps))
    assert torch.equal(spikes.sum(0), expected)


def test_a_rate_below_one_spreads_its_spikes_evenly() -> None:
    code = OneHotEncoder(2, sim_steps=6, spikes_per_step=0.5)
    spikes, _ = code(torch.tensor([1]), code.init_state(1))
    assert spikes[:, 0, 1].tolist() == [0, 1, 0, 1, 0, 1]


def test_the_same_value_gives_the_same_spikes_in_every_window() -> None:
    code = OneHotEncoder(3, sim_steps=5, spikes_per_step=0.3)
    first, state = code(torch.tensor([2]), code.init_state(1))
    second, _ = code(torch.tensor([2]), state)
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("count", "rate", "name"), [(0, 1.0, "count"), (2, 0.0, "spikes_per_step"), (2, 1.1, "spikes_per_step")]
)
def test_settings_out_of_range_are_errors(count: int, rate: float, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}="):
        OneHotEncoder(count, sim_steps=5, spikes_per_step=rate)
