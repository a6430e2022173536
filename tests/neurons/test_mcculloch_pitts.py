from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from snnrl.errors import ConfigError
from snnrl.neurons import McCullochPitts

TRUTH = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("function", "weight", "threshold", "expected"),
    [
        ("and", [1.0, 1.0], 2.0, [0, 0, 0, 1]),
        ("or", [1.0, 1.0], 1.0, [0, 1, 1, 1]),
        ("first and not second", [1.0, -1.0], 1.0, [0, 0, 1, 0]),
        ("nor", [-1.0, -1.0], 0.0, [1, 0, 0, 0]),
    ],
)
def test_one_unit_computes_a_threshold_function(
    function: str, weight: list[float], threshold: float, expected: list[int]
) -> None:
    unit = McCullochPitts(1, v_threshold=threshold)
    spikes, _ = unit((TRUTH @ torch.tensor(weight))[:, None], unit.init_state(4))
    assert spikes.flatten().tolist() == expected, function


def test_two_layers_compute_exclusive_or() -> None:
    hidden, out = McCullochPitts(2), McCullochPitts(1)
    either, _ = hidden(TRUTH @ torch.tensor([[1.0, -1.0], [-1.0, 1.0]]), hidden.init_state(4))
    spikes, _ = out(either.sum(1, keepdim=True), out.init_state(4))
    assert spikes.flatten().tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(("current", "fires"), [(0.75, True), (math.nextafter(0.75, 0), False), (9.0, True)])
def test_it_fires_exactly_from_its_threshold_on(current: float, fires: bool) -> None:
    unit = McCullochPitts(1, v_threshold=0.75).double()
    spikes, state = unit(torch.tensor([[current]], dtype=torch.float64), unit.init_state(1))
    assert bool(spikes.item()) == fires
    assert state.v.item() == current


def test_it_has_no_memory() -> None:
    current = torch.randn(50, 1, 3, generator=torch.Generator().manual_seed(0)) * 2
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    unit = McCullochPitts(3)
    spikes, _ = unit.scan(current, unit.init_state(1))
    shuffled, _ = unit.scan(current[order], unit.init_state(1))
    assert torch.equal(spikes, (current >= 1).float())
    assert torch.equal(shuffled, spikes[order])


def test_each_neuron_may_have_a_threshold_of_its_own() -> None:
    unit = McCullochPitts(3, v_threshold=torch.tensor([0.5, 1.0, 1.5]))
    spikes, _ = unit(torch.ones(1, 3), unit.init_state(1))
    assert spikes.tolist() == [[1.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"v_threshold": math.nan}, r"^v_threshold=nan: must be a finite input$"),
        ({"v_threshold": math.inf}, r"^v_threshold=inf: must be a finite input$"),
        ({"v_threshold": torch.ones(3)}, r"^v_threshold=\[3\]: must be a number or of shape \(2,\)$"),
        ({"dt": -1.0}, r"^dt=-1.0: must be a positive number of ms$"),
        ({"dt": math.nan}, r"^dt=nan: must be a positive number of ms$"),
        ({"t_refractory": math.inf}, r"^t_refractory=inf: must be at least 0 ms$"),
        ({"tau_trace": -2.0}, r"^tau_trace=-2.0: must be a number of ms that is at least dt \(1.0\)$"),
        ({"learnable": ["v_treshold"]}, r"^learnable=v_treshold: did you mean v_threshold\?$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        McCullochPitts(2, **settings)
