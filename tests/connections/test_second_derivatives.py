"""Gradients, and gradients of gradients, of the current of every connection."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from snnrl.connections import Sparse
from tests.connections.every_connection import KINDS, SYNAPSES, every_kind, normal


@every_kind
def test_derivatives_of_a_current_are_its_finite_differences(kind: str) -> None:
    """Of the first and of the second order, for spikes and weights; the square has a second derivative in each."""
    connection, shape = KINDS[kind]()

    def current(spikes: Tensor, weight: Tensor) -> Tensor:
        made: Tensor = functional_call(connection, {"weight": weight}, (spikes,))
        return made.square()

    given = normal(2, *shape).requires_grad_(), connection.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(current, given)
    assert torch.autograd.gradgradcheck(current, given)


@pytest.mark.parametrize("led", [(True, False), (False, True), (True, True)])
def test_a_sparse_connection_gives_gradients_to_those_that_ask_and_more_than_once(led: tuple[bool, bool]) -> None:
    connection = Sparse(6, 4, SYNAPSES, weight_std=1.0, trainable=led[1])
    spikes = normal(3, 6).float().requires_grad_(led[0])
    asking = [each for each, wanted in zip((spikes, connection.weight), led, strict=True) if wanted]
    loss = connection(spikes).square().sum()
    once = torch.autograd.grad(loss, asking, retain_graph=True)
    followed = torch.autograd.grad(loss, asking, create_graph=True)
    for first, second in zip(once, followed, strict=True):
        torch.testing.assert_close(first, second)
