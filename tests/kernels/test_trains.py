from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from snnrl.kernels.counting import count_spikes
from snnrl.kernels.trains import spike_trains
from snnrl.neurons import IF, LIF
from snnrl.surrogate import SURROGATES

STEPS = 5


def currents(events: int, columns: int) -> Tensor:
    return 0.2 + 0.6 * torch.randn(events, columns, generator=torch.Generator().manual_seed(0))


def neuron(model: str, columns: int, **settings: str) -> LIF | IF:
    return IF(columns, **settings) if model == "if" else LIF(columns, tau_mem=3.0, decay_input=False, **settings)


@pytest.mark.parametrize("shape", sorted(SURROGATES))
@pytest.mark.parametrize("events", [1, STEPS])
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("model", ["lif", "if"])
@pytest.mark.parametrize(("columns", "start"), [(1, 0.0), (37, 0.5), (1300, 0.25)])
def test_trains_counts_and_gradients_are_those_of_the_plain_loop(
    shape: str, events: int, reset: str, model: str, columns: int, start: float
) -> None:
    reference = neuron(model, columns, reset=reset, surrogate=shape)
    window = reference.window()
    assert window is not None
    plain, fused, counted = (currents(events, columns).requires_grad_() for _ in range(3))
    state = reference.init_state(1)
    state = state._replace(v=state.v + start)
    expected = []
    for step in range(STEPS):
        spikes, state = reference(plain[min(step, events - 1)].unsqueeze(0), state)
        expected.append(spikes.squeeze(0))
    wanted = torch.stack(expected)
    trains = spike_trains(fused, STEPS, window, start)
    counts = count_spikes(counted.clone(), STEPS, window, start)
    assert trains is not None
    assert counts is not None
    assert torch.equal(trains, wanted)
    assert torch.equal(counts, wanted.sum(0))
    upstream = torch.randn(STEPS, columns, generator=torch.Generator().manual_seed(1))
    (to_plain,) = torch.autograd.grad(wanted, plain, upstream, retain_graph=True)
    (to_fused,) = torch.autograd.grad(trains, fused, upstream)
    torch.testing.assert_close(to_fused, to_plain, rtol=1e-4, atol=1e-5)
    (to_plain,) = torch.autograd.grad(wanted.sum(0), plain, upstream[0])
    (to_counted,) = torch.autograd.grad(counts, counted, upstream[0])
    torch.testing.assert_close(to_counted, to_plain, rtol=1e-4, atol=1e-5)


def test_what_the_kernel_cannot_do_is_left_to_the_caller() -> None:
    window = neuron("lif", 3, surrogate="atan").window()
    assert window is not None
    for change in ({"refractory_steps": 2}, {"surrogate": -1}, {"decay": torch.ones(3)}):
        assert spike_trains(currents(1, 3), STEPS, dataclasses.replace(window, **change)) is None
    assert spike_trains(currents(1, 3).double(), STEPS, window) is None
    assert LIF(3, surrogate="atan", learnable=("tau_mem",)).window() is None
