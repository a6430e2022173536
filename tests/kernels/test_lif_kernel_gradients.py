"""The compiled backward pass of the LIF against that of the plain loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.kernels import lif_scan
from snnrl.neurons import LIF, Neuron
from snnrl.surrogate import SURROGATES, ArcTan, Surrogate
from tests.kernels.lif_windows import gradients, inside, normal, per_neuron, window

SURROGATE_NAMES = tuple(SURROGATES)


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("surrogate", SURROGATE_NAMES)
@pytest.mark.parametrize("slope", [0.7, 5.0])
@pytest.mark.usefixtures("threads")
def test_the_backward_pass_is_that_of_the_loop(surrogate: str, slope: float, reset: str) -> None:
    size, steps, batch = 700, 25, 3
    neuron = LIF(size, surrogate=SURROGATES[surrogate](slope), reset=reset, **per_neuron(size))
    current, state = normal(steps, batch, size) * 4 + 1, inside(neuron, batch)
    above = normal(steps, batch, size, seed=5), normal(batch, size, seed=6)
    fast = gradients(neuron.scan, neuron, current, state, *above)
    plain = gradients(lambda *a: Neuron.scan(neuron, *a), neuron, current, state, *above)
    for ours, theirs in zip(fast, plain, strict=True):
        assert theirs.abs().max() > 0.1
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


class Shallow(ArcTan):
    """A shape of a user's own, written over one that the kernel knows."""

    def derivative(self, x: Tensor) -> Tensor:
        return super().derivative(x) / 2


class Box(Surrogate):
    """Another, with the two methods that the base class asks for."""

    def smooth(self, x: Tensor) -> Tensor:
        return (self.slope * x).clamp(-0.5, 0.5)

    def derivative(self, x: Tensor) -> Tensor:
        return self.slope * (self.slope * x.abs() < 0.5).to(x.dtype)


@pytest.mark.parametrize(
    "surrogate",
    [
        pytest.param(Shallow()),
        pytest.param(Box()),
    ],
    ids=["derived", "new"],
)
def test_a_surrogate_of_a_users_own_gives_the_gradients_of_the_loop(surrogate: Surrogate) -> None:
    neuron = LIF(9, surrogate=surrogate, tau_mem=5.0)
    current, state = normal(20, 2, 9) * 4 + 1, inside(neuron, 2)
    above = normal(20, 2, 9, seed=5), normal(2, 9, seed=6)
    fast = gradients(neuron.scan, neuron, current, state, *above)
    plain = gradients(lambda *a: Neuron.scan(neuron, *a), neuron, current, state, *above)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("which", ["current", "v"])
def test_a_gradient_of_either_input_alone_is_enough(which: str) -> None:
    neuron = LIF(4, tau_mem=5.0, surrogate="atan")
    current, v = normal(10, 1, 4) * 3, normal(1, 4).clamp_max(0.5)
    {"current": current, "v": v}[which].requires_grad_()
    results = []
    for scan in (neuron.scan, lambda *a: Neuron.scan(neuron, *a)):
        spikes, _ = scan(current, neuron.init_state(1)._replace(v=v))
        (grad,) = torch.autograd.grad(spikes.sum(), {"current": current, "v": v}[which])
        results.append(grad)
    assert results[1].any()
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)


def test_gradients_reach_back_over_the_window_in_which_the_spike_fell() -> None:
    """Two windows with the state carried over give the gradient of one."""
    neuron = LIF(8, tau_mem=10.0, surrogate="sigmoid", reset="soft")
    grads = []
    for cut in (None, 7):
        current = (normal(20, 1, 8) * 3).requires_grad_()
        if cut is None:
            spikes, _ = neuron.scan(current, neuron.init_state(1))
        else:
            _, state = neuron.scan(current[:cut], neuron.init_state(1))
            spikes, _ = neuron.scan(current[cut:], state)
        spikes[-5:].sum().backward()
        assert current.grad is not None
        grads.append(current.grad)
    assert grads[0][:5].abs().max() > 1e-3
    torch.testing.assert_close(*grads, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("case", "values", "dtype", "gradient"),
    [
        ("float64", {}, torch.float64, False),
        ("bfloat16", {}, torch.bfloat16, False),
        ("a gradient without surrogate", {}, torch.float32, True),
        (
            "a gradient with refractory period",
            {"surrogate": 0, "slope": 2.0, "refractory_steps": 2},
            torch.float32,
            True,
        ),
    ],
)
def test_there_is_no_kernel_for(case: str, values: dict[str, Any], dtype: torch.dtype, gradient: bool) -> None:
    current = torch.ones(5, 3, dtype=dtype, requires_grad=gradient)
    v = torch.zeros(3, dtype=dtype)
    assert lif_scan(current, v, v.clone(), window(**values)) is None, case


@pytest.mark.parametrize(
    "settings_",
    [{"t_refractory": 2.0}, {"learnable": ["tau_mem"]}, {"learnable": ["v_threshold"], "t_refractory": 1.0}],
    ids=["refractory", "learnable", "both"],
)
def test_where_there_is_no_kernel_the_neuron_still_gives_the_gradients_of_its_loop(settings_: dict[str, Any]) -> None:
    neuron = LIF(6, tau_mem=5.0, surrogate="sigmoid", **settings_)
    current, state = normal(20, 2, 6) * 3 + 1, neuron.init_state(2)
    above = normal(20, 2, 6, seed=5), normal(2, 6, seed=6)
    ours = gradients(neuron.scan, neuron, current, state, *above)
    own = [parameter.grad for parameter in neuron.parameters()]
    neuron.zero_grad()
    theirs = gradients(lambda *a: Neuron.scan(neuron, *a), neuron, current, state, *above)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert ours[0].any()
    for parameter, grad in zip(neuron.parameters(), own, strict=True):
        assert grad is not None
        assert grad.item() != 0
        assert torch.equal(parameter.grad, grad)


def test_without_a_surrogate_the_gradient_of_the_potential_is_that_of_the_membrane_alone() -> None:
    neuron = LIF(1, tau_mem=5.0, v_threshold=100.0)
    current = torch.ones(4, 1, 1, requires_grad=True)
    spikes, state = neuron.scan(current, neuron.init_state(1))
    state.v.sum().backward()
    decay = torch.tensor(-1 / 5.0).exp()
    assert current.grad is not None
    torch.testing.assert_close(current.grad.flatten(), (1 - decay) * decay ** torch.tensor([3.0, 2.0, 1.0, 0.0]))
    assert not spikes.requires_grad
