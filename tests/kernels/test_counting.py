from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from snnrl.kernels import LIFWindow
from snnrl.kernels.counting import count_spikes
from snnrl.neurons import LIF
from snnrl.surrogate import SURROGATES

STEPS = 12
WINDOW = LIFWindow(math.exp(-1 / 5), 1.0, 0.0, 1.0, 0.0, 1.0, soft=True, refractory_steps=0, surrogate=0, slope=2.0)


def currents(events: int, columns: int = 600) -> Tensor:
    return 0.2 + 0.5 * torch.randn(events, columns, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", sorted(SURROGATES))
@pytest.mark.parametrize("events", [1, STEPS])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_counts_and_their_gradient_are_those_of_the_neuron(shape: str, events: int, reset: str) -> None:
    surrogate = SURROGATES[shape]()
    window = dataclasses.replace(WINDOW, soft=reset == "soft", surrogate=surrogate.kernel_code, slope=surrogate.slope)
    neuron = LIF(600, tau_mem=5.0, decay_input=False, reset=reset, surrogate=shape)
    plain, fused = (currents(events).requires_grad_() for _ in range(2))
    steady = plain.unsqueeze(1).expand(STEPS, 1, 600)
    spikes, _ = neuron.scan(steady, neuron.init_state(1))
    expected = spikes.sum((0, 1))
    count = count_spikes(fused.clone(), STEPS, window)
    assert count is not None
    assert torch.equal(count, expected)
    assert 0 < count.mean() < STEPS
    upstream = torch.randn(600, generator=torch.Generator().manual_seed(1))
    (wanted,) = torch.autograd.grad(expected, plain, upstream)
    (found,) = torch.autograd.grad(count, fused, upstream)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_what_the_kernel_cannot_do_is_left_to_the_caller() -> None:
    for change in ({"refractory_steps": 2}, {"surrogate": -1}, {"decay": torch.ones(600)}):
        assert count_spikes(currents(1), STEPS, dataclasses.replace(WINDOW, **change)) is None
    assert count_spikes(currents(1).double(), STEPS, WINDOW) is None
