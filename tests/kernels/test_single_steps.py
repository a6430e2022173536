"""Compiled single steps give, bit for bit, what operations of torch give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.neurons import DiehlCook
from snnrl.neurons import diehl_cook as cook
from snnrl.plasticity import STDP, stdp

NEURONS: list[dict[str, Any]] = [
    {},
    {"v_inhibited": -70.0, "t_refractory": 0.0},
    {"one_spike": False, "reset": "soft", "decay_input": False, "v_inhibited": -64.0},
    {"one_spike": False, "theta_plus": 1.0, "tau_theta": 50.0},
]


def never(*parts: Tensor) -> bool:
    return False


def fired(settings: dict[str, Any], dtype: torch.dtype, batch: int) -> list[Tensor]:
    """Spikes and states of forty steps, and the thresholds after them."""
    draw = torch.Generator().manual_seed(2)
    neurons = DiehlCook((4, 5), **settings).to(dtype)
    state, found = neurons.init_state(batch), []
    for _ in range(40):
        current = 40 * torch.randn(batch, 4, 5, generator=draw, dtype=torch.float64).to(dtype)
        current = current * (1 if neurons.decay_input else 0.1) + 20 * neurons.decay_input
        spikes, state = neurons(current * 5, state)
        found += [spikes, state.v, state.refractory]
    return [*found, neurons.theta]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("settings", NEURONS)
def test_a_step_of_diehl_and_cooks_neurons(
    settings: dict[str, Any], dtype: torch.dtype, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, step = [], cook.adaptive_step
    monkeypatch.setattr(cook, "adaptive_step", lambda *parts: calls.append(1) or step(*parts))
    found = fired(settings, dtype, batch)
    assert len(calls) == 40
    monkeypatch.setattr(cook, "takes_loop", never)
    defined = fired(settings, dtype, batch)
    assert len(calls) == 40
    assert sum(float(part.sum()) for part in defined[::3][:40]) > 0
    assert all(map(torch.equal, found, defined))


def changes(dtype: torch.dtype) -> list[Tensor]:
    draw = torch.Generator().manual_seed(3)
    connection, rule = Dense(30, 7, dtype=dtype), STDP(a_plus=0.013, a_minus=0.0077)
    state, found = rule.init_state(connection, (30,), (7,), 1), []
    for _ in range(20):
        pre = (torch.rand(1, 1, 30, generator=draw) < 0.2).to(dtype)
        post = (torch.rand(1, 1, 7, generator=draw) < 0.3).to(dtype)
        change, state = rule(connection, pre, post, state)
        found += [change, *state]
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_of_pair_stdp(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, change = [], stdp.pair_change
    monkeypatch.setattr(stdp, "pair_change", lambda *parts: calls.append(1) or change(*parts))
    found = changes(dtype)
    assert len(calls) == 20
    monkeypatch.setattr(stdp, "takes_loop", never)
    defined = changes(dtype)
    assert len(calls) == 20
    assert all(map(torch.equal, found, defined))
