"""Weights that are added up where few neurons spike, beside the product of matrices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from snnrl.kernels import spike_linear as module
from snnrl.kernels.spike_linear import spike_linear
from snnrl.networks.synapses import SpikeLinear


@pytest.fixture(autouse=True)
def no_product_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALLEST", 1)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def spikes(rows: int, pre: int, share: float) -> Tensor:
    return (torch.rand(rows, pre, generator=torch.Generator().manual_seed(3)) < share).float()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.2])
def test_value_and_gradients_are_those_of_the_product(share: float, bias: bool) -> None:
    fired, weight, shift = spikes(37, 50, share), drawn(21, 50), drawn(21, seed=1) if bias else None
    fired[5] = 0
    inputs = [part.requires_grad_() for part in (fired, weight, shift) if part is not None]
    found, wanted = spike_linear(fired, weight, shift), functional.linear(fired, weight, shift)
    assert found is not None
    assert type(found.grad_fn).__name__ == "_LinearBackward"
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    direction = drawn(37, 21, seed=2)
    found, wanted = (torch.autograd.grad(out, inputs, direction) for out in (found, wanted))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_gradient_of_its_gradient_is_that_of_the_product() -> None:
    fired, weight = spikes(20, 30, 0.1).requires_grad_(), drawn(10, 30).requires_grad_()

    def penalty(out: Tensor) -> tuple[Tensor, ...]:
        first = torch.autograd.grad(out.square().sum(), (fired, weight), create_graph=True)
        return torch.autograd.grad(sum(part.square().sum() for part in first), (fired, weight))

    found = spike_linear(fired, weight, None)
    assert found is not None
    torch.testing.assert_close(penalty(found), penalty(functional.linear(fired, weight)), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("values", [spikes(20, 30, 0.5), 2 * spikes(20, 30, 0.1), spikes(20, 30, 0.1).double()])
def test_what_it_does_not_take_is_multiplied(values: Tensor) -> None:
    """Too many spikes, values that are no spikes, another dtype."""
    layer = SpikeLinear(30, 10).to(values.dtype)
    assert spike_linear(values, layer.weight, layer.bias) is None
    assert torch.equal(layer(values), functional.linear(values, layer.weight, layer.bias))


def test_events_that_are_one_too_many_are_refused() -> None:
    fired = torch.zeros(4, 8)
    fired[:2, :4] = 1  # a quarter of all
    assert spike_linear(fired, drawn(3, 8), None) is not None
    fired[3, 7] = 1
    assert spike_linear(fired, drawn(3, 8), None) is None


def test_its_parameters_are_those_of_a_linear_layer() -> None:
    layer, plain = SpikeLinear(30, 10), nn.Linear(30, 10)
    layer.load_state_dict(plain.state_dict())
    fired = spikes(20, 30, 0.1)
    torch.testing.assert_close(layer(fired), plain(fired))
    with torch.autocast("cpu"):
        assert layer(fired).dtype == torch.bfloat16
