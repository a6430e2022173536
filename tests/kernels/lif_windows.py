"""LIF neurons in the middle of a window, and the gradients of a scan."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snnrl.kernels import LIFWindow
from snnrl.neurons import LIF, Neuron
from snnrl.neurons.lif import LIFState


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def spread(size: int, low: float, high: float, seed: int) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=torch.Generator().manual_seed(seed))


def per_neuron(size: int) -> dict[str, Any]:
    return {
        "tau_mem": spread(size, 2.0, 30.0, 1),
        "v_rest": spread(size, -0.5, 0.0, 2),
        "v_threshold": spread(size, 0.5, 1.5, 3),
        "v_reset": spread(size, -1.0, 0.25, 4),
    }


def window(**overrides: Any) -> LIFWindow:
    values: dict[str, Any] = {"decay": 0.875, "gain": 0.125, "v_rest": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    values["drop"] = 1.0
    return LIFWindow(**{**values, "soft": False, "refractory_steps": 0, **overrides})


def inside(neuron: LIF, batch: int, seed: int = 9) -> LIFState:
    """A state in the middle of things: potentials anywhere below threshold, some neurons refractory."""
    state = neuron.init_state(batch)
    v = state.v + normal(*state.v.shape, seed=seed).clamp(-1, 0.25)
    if not neuron.refractory_steps:
        return state._replace(v=v)
    waiting = torch.randint(neuron.refractory_steps + 1, v.shape, generator=torch.Generator().manual_seed(seed))
    return state._replace(v=v, refractory=waiting.float())


def check_equal(neuron: LIF, current: Tensor, state: LIFState) -> Tensor:
    """Bit for bit equality of kernel and loop; returns the spikes."""
    spikes, after = neuron.scan(current, state)
    expected, looped = Neuron.scan(neuron, current, state)
    assert torch.equal(spikes, expected)
    assert torch.equal(after.v, looped.v)
    assert torch.equal(after.refractory, looped.refractory)
    assert 0 < spikes.mean() < 0.9
    return spikes


def gradients(
    scan: Any, neuron: LIF, current: Tensor, state: LIFState, to_spikes: Tensor, to_v: Tensor
) -> tuple[Tensor, Tensor]:
    current, v = current.clone().requires_grad_(), state.v.clone().requires_grad_()
    spikes, after = scan(current, state._replace(v=v))
    ((spikes * to_spikes).sum() + (after.v * to_v).sum()).backward()
    assert current.grad is not None
    assert v.grad is not None
    return current.grad, v.grad
