"""Gradients of gradients through the compiled loops, and what follows operations of torch, against the plain loop."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from snnrl.kernels.counting import count_spikes
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.neurons import LIF, CurrentLIF, Neuron
from snnrl.surrogate import SURROGATES


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def penalty(run: Callable[..., Tensor], *inputs: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the squared gradients of what ``run`` gives, weighted differently for each of its numbers."""
    inputs = tuple(tensor.detach().clone().requires_grad_() for tensor in inputs)
    out = run(*inputs)
    first = torch.autograd.grad((out * drawn(*out.shape, seed=9).to(out)).sum(), inputs, create_graph=True)
    squared = sum((gradient.square().sum() for gradient in first), start=torch.zeros(()))
    return torch.autograd.grad(squared, inputs)


@pytest.mark.parametrize("surrogate", [name for name in SURROGATES if name != "triangle"])
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("kind", [LIF, CurrentLIF])
def test_a_gradient_penalty_through_a_window_is_that_of_the_loop(kind: Any, reset: str, surrogate: str) -> None:
    neuron = kind(3, tau_mem=5.0, v_rest=-0.25, v_reset=-0.5, reset=reset, surrogate=surrogate)

    def run(current: Tensor, v: Tensor, scan: Callable[..., Any]) -> Tensor:
        spikes, state = scan(current, neuron.init_state(2)._replace(v=v))
        assert spikes.any()
        return torch.cat([spikes.flatten(), state.v.flatten()])

    current, v = 1.5 * drawn(12, 2, 3) + 1.5, 0.2 * drawn(2, 3, seed=1)
    found = penalty(lambda *inputs: run(*inputs, neuron.scan), current, v)
    wanted = penalty(lambda *inputs: run(*inputs, lambda *rest: Neuron.scan(neuron, *rest)), current, v)
    assert all(gradient.any() for gradient in wanted)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("readout", ["count", "rate", "leaky"])
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_a_gradient_penalty_of_a_layered_network_is_that_of_the_loop(readout: Any, reset: str) -> None:
    """In float32 by the compiled loops, in float64 without."""
    torch.manual_seed(0)
    fused = LayeredNetwork.dense(4, [9, 7], LayerSettings(neuron="lif", readout=readout, reset=reset, tau_mem=3.0))
    plain = LayeredNetwork.dense(4, [9, 7], fused.settings).double()
    plain.load_state_dict(fused.state_dict())
    (wanted,) = penalty(plain, drawn(6, 4).double())
    assert wanted.any()
    for _ in range(2):
        (found,) = penalty(fused, drawn(6, 4))
        torch.testing.assert_close(found, wanted.float(), rtol=1e-3, atol=1e-4)


def test_a_fisher_vector_product_reaches_every_weight() -> None:
    """As TRPO takes it: the gradient of a gradient times a vector."""
    network = LayeredNetwork.dense(4, [9, 7], LayerSettings())
    parameters = list(network.parameters())
    old = network(drawn(6, 4)).detach()
    divergence = (network(drawn(6, 4)) - old + 1).square().mean()
    first = torch.autograd.grad(divergence, parameters, create_graph=True)
    product = sum((gradient * gradient.detach()).sum() for gradient in first)
    for second in torch.autograd.grad(product, parameters):  # type: ignore[arg-type]
        assert torch.isfinite(second).all()
        assert second.any()


def test_spikes_counted_in_the_memory_of_their_current_say_that_they_have_no_second_derivative() -> None:
    window = LIF(3, surrogate="atan").window()
    assert window is not None
    current = drawn(5, 3).requires_grad_()
    count = count_spikes(current * 1, 5, window, reuse=True)
    assert count is not None
    with pytest.raises(NotImplementedError, match="second derivative"):
        torch.autograd.grad(count.sum(), current, create_graph=True)


@pytest.mark.parametrize("synapses", [nn.Identity(), nn.ReLU(), nn.Sequential(nn.Linear(7, 7), nn.Sigmoid())])
def test_counting_leaves_alone_what_synapses_share_or_need_again(synapses: nn.Module) -> None:
    """An activation keeps its output for the way back, and one that does nothing returns its argument."""
    settings = LayerSettings(neuron="lif", readout="count")
    neurons = [LIF(7, v_threshold=0.3, decay_input=False, surrogate="atan") for _ in range(2)]
    torch.manual_seed(0)
    fused = LayeredNetwork.of([nn.Linear(4, 7), synapses], neurons, settings)
    (found,) = torch.autograd.grad(fused(x := drawn(6, 4).requires_grad_()).square().sum(), x)
    plain = fused.double()
    (wanted,) = torch.autograd.grad(plain(y := drawn(6, 4).double().requires_grad_()).square().sum(), y)
    assert wanted.any()
    torch.testing.assert_close(found, wanted.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("readout", ["count", "rate", "leaky"])
@pytest.mark.parametrize("neuron", ["lif", "adaptive_lif", "current_lif"])
def test_a_traced_network_gives_the_same_for_batches_of_other_sizes(neuron: str, readout: Any) -> None:
    learnable = ("tau_mem", "v_threshold")
    network = LayeredNetwork.dense(4, [9, 7], LayerSettings(neuron=neuron, readout=readout, learnable=learnable))
    for chosen in (network, LayeredNetwork.dense(4, [9, 7], LayerSettings(neuron=neuron, readout=readout))):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)  # there are newer ways, which is torch's affair
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            traced = torch.jit.trace(chosen, (drawn(3, 4),))
        assert torch.equal(traced(drawn(5, 4, seed=1)), chosen(drawn(5, 4, seed=1)))


def test_gradients_of_each_row_by_torch_func_are_those_of_the_rows() -> None:
    network = LayeredNetwork.dense(4, [9, 7], LayerSettings())
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}

    def loss(values: dict[str, Tensor], row: Tensor) -> Tensor:
        return functional_call(network, values, (row[None],)).square().sum()

    each = vmap(grad(loss), in_dims=(None, 0))(parameters, drawn(5, 4))
    wanted = torch.autograd.grad(network(drawn(5, 4)).square().sum(), list(network.parameters()))
    for found, whole in zip(each.values(), wanted, strict=True):
        torch.testing.assert_close(found.sum(0), whole, rtol=1e-3, atol=1e-4)
