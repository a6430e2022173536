from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import LeakyIntegrator


def readout(shape: int | tuple[int, ...] = 1, **settings: Any) -> LeakyIntegrator:
    return LeakyIntegrator(shape, **settings).double()


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("dt", [0.5, 1.0])
def test_the_output_is_the_exponential_sum_of_all_input_so_far(dt: float, decay_input: bool) -> None:
    tau, steps = 7.0, 150
    current = normal(steps, 1, 1)
    neuron = readout(tau_mem=tau, dt=dt, decay_input=decay_input)
    out, state = neuron.scan(current, neuron.init_state(1))
    gain = 1 - math.exp(-dt / tau) if decay_input else 1.0
    drive = current.flatten().tolist()
    expected = [gain * sum(drive[s] * math.exp(-(t - s) * dt / tau) for s in range(t + 1)) for t in range(steps)]
    assert out.flatten().tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert state.v.item() == out[-1].item()


def test_under_constant_input_the_output_approaches_the_input() -> None:
    neuron = readout(tau_mem=5.0)
    out, _ = neuron.scan(torch.full((20, 1, 1), 3.0, dtype=torch.float64), neuron.init_state(1))
    assert out.flatten().tolist() == pytest.approx([3 * (1 - math.exp(-(t + 1) / 5.0)) for t in range(20)], rel=1e-12)


def test_one_step_returns_its_potential_in_place_of_spikes() -> None:
    neuron = readout(2, tau_mem=5.0)
    out, state = neuron(torch.full((3, 2), 1e6, dtype=torch.float64), neuron.init_state(3))
    assert out.shape == (3, 2)
    assert torch.equal(out, state.v)
    assert (out > 1e5).all(), "no threshold, no reset"


@pytest.mark.parametrize("learnable", [(), ("tau_mem",)])
def test_gradients_of_input_and_time_constant_are_those_of_finite_differences(learnable: tuple[str, ...]) -> None:
    current, weight = normal(70, 2, 3), normal(70, 2, 3, seed=1)
    neuron = readout(3, tau_mem=6.0, learnable=learnable)
    inputs = [current.requires_grad_(), *neuron.parameters()]

    def loss(current: Tensor, *parameters: Tensor) -> Tensor:
        out, _ = neuron.scan(current, neuron.init_state(2))
        return (out * weight).sum()

    assert len(inputs) == 1 + len(learnable)
    loss(*inputs).backward()
    for tensor in inputs:
        assert tensor.grad is not None
        flat, at = tensor.detach().view(-1), tensor.numel() // 3
        reached = []
        for step in (1e-4, -1e-4):
            flat[at] += step
            reached.append(loss(*inputs).item())
            flat[at] -= step
        assert tensor.grad.view(-1)[at].item() == pytest.approx((reached[0] - reached[1]) / 2e-4, rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau_mem": 0.5}, r"^tau_mem=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_mem": -3.0}, r"^tau_mem=-3.0: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_mem": math.nan}, r"^tau_mem=nan: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_mem": 3.0, "dt": 4.0}, r"^tau_mem=3.0: must be a number of ms that is at least dt \(4.0\)$"),
        ({"dt": -1.0}, r"^dt=-1.0: must be a positive number of ms$"),
        ({"dt": math.nan}, r"^dt=nan: must be a positive number of ms$"),
        ({"learnable": ["v_threshold"]}, r"^learnable=v_threshold: there are: tau_mem$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LeakyIntegrator(1, **settings)
