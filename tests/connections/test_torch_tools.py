"""Connections under what torch offers for modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.utils import parametrize, prune

from snnrl.connections import Conv2d, Dense


def made(**more: object) -> Dense:
    settings = {"weight_std": 0.5, "trainable": True, "generator": torch.Generator().manual_seed(0)}
    return Dense(5, 3, **settings | more)  # type: ignore[arg-type]


SPIKES = torch.eye(5)


def test_a_constrained_connection_is_compiled_whole() -> None:
    connection = made(bounds=(-0.4, 0.4), mask=torch.tensor([1, 1, 0, 1, 1]))
    compiled = torch.compile(connection, backend="eager", fullgraph=True)
    assert torch.equal(compiled(SPIKES), connection(SPIKES))
    torch._dynamo.reset()


def test_weights_given_to_a_functional_call_are_used_as_they_are() -> None:
    connection = made(bounds=(-0.4, 0.4))
    given = torch.full((3, 5), 2.0, requires_grad=True)
    assert torch.equal(functional_call(connection, {"weight": given}, (SPIKES,)).t(), given)
    many = vmap(lambda weight: functional_call(connection, {"weight": weight}, (SPIKES,)))(torch.ones(4, 3, 5))
    assert many.shape == (4, 5, 3)
    assert connection.weight.abs().max() <= 0.4


def test_a_parametrisation_of_torch_takes_the_place_of_the_weights() -> None:
    class Doubled(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return 2 * weight

    connection = made()
    before = connection.weight.detach().clone()
    parametrize.register_parametrization(connection, "weight", Doubled())
    assert torch.equal(connection(SPIKES).t(), 2 * before)
    connection.load_state_dict(connection.state_dict())
    assert torch.equal(connection(SPIKES).t(), 2 * before)


def test_weights_are_pruned_and_stay_so() -> None:
    connection = Conv2d(2, 3, 2, weight_std=1.0, trainable=True)
    prune.random_unstructured(connection, "weight", 0.5)
    pruned = connection.weight == 0
    assert 0 < pruned.sum() < pruned.numel()
    connection.load_state_dict(connection.state_dict())
    prune.remove(connection, "weight")
    assert list(dict(connection.named_parameters())) == ["weight"]
    assert torch.equal(connection.weight == 0, pruned)
