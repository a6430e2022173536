"""Gradients of gradients through a window of every neuron: those of the loop over its steps, in every dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.neurons import SRM0, Neuron
from tests.neurons.every_neuron import FIRING, drive, make

STEPS, BATCH, NEURONS = 10, 2, 3


def gradients(name: str, scan: Callable[..., Any] | None, dtype: torch.dtype, again: bool, **settings: Any) -> Any:
    """Of a weighted sum of the spikes, or, ``again``, of the squares of those gradients."""
    neuron = make(name, NEURONS, surrogate="sigmoid", **settings).to(dtype)
    current = drive(name, STEPS, BATCH, NEURONS).to(dtype).requires_grad_()
    led = [current, *neuron.parameters()]
    run = neuron.scan if scan is None else lambda *rest: scan(neuron, *rest)
    spikes, _ = run(current, neuron.init_state(BATCH))
    assert spikes.any()
    weights = torch.linspace(-1, 2, spikes.numel(), dtype=dtype).view_as(spikes)
    first = torch.autograd.grad((spikes * weights).sum(), led, create_graph=again)
    if not again:
        return first
    penalty = sum((part.square().sum() for part in first), start=torch.zeros((), dtype=dtype))
    return torch.autograd.grad(penalty, led)


@pytest.mark.parametrize("again", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("learned", [False, True], ids=["", "learned settings"])
@pytest.mark.parametrize("name", FIRING)
def test_gradients_through_a_window_are_those_of_the_loop(
    name: str, learned: bool, dtype: torch.dtype, again: bool
) -> None:
    settings = {"learnable": make(name).LEARNABLE} if learned else {}
    found = gradients(name, None, dtype, again, **settings)
    wanted = gradients(name, Neuron.scan, dtype, again, **settings)
    assert found[0].any()
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


def test_a_neuron_that_is_certain_to_fire_has_a_gradient_that_is_a_number() -> None:
    neuron = SRM0(NEURONS, surrogate="atan", eta_reset=200.0)
    current = torch.full((5, 1, NEURONS), 300.0, requires_grad=True)
    spikes, _ = neuron.scan(current, neuron.init_state(1))
    (gradient,) = torch.autograd.grad(spikes.sum(), current)
    assert spikes.any()
    assert torch.isfinite(gradient).all()
    held: Tensor = neuron.score(torch.full((2,), 300.0), torch.tensor([0.0, 1.0]))
    assert torch.isfinite(held).all()
