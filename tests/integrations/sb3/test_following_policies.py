"""Spiking policies under what follows each operation: tracing for export, and gradients of gradients."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from snnrl.integrations.sb3 import SpikingActorCriticPolicy

OBSERVATIONS = spaces.Box(-1.0, 1.0, (4,))
ACTIONS: list[gym.Space[Any]] = [spaces.Discrete(3), spaces.Box(-1.0, 1.0, (2,))]


def policy(actions: gym.Space[Any], **settings: Any) -> SpikingActorCriticPolicy:
    torch.manual_seed(0)
    return SpikingActorCriticPolicy(OBSERVATIONS, actions, lambda _: 1e-3, net_arch=[8, 8], **settings)


def seen(batch: int) -> Tensor:
    return torch.randn(batch, 4, generator=torch.Generator().manual_seed(batch))


@pytest.mark.parametrize("actions", ACTIONS, ids=["discrete", "continuous"])
@pytest.mark.parametrize("coding", ["direct", "population"])
def test_a_traced_policy_acts_as_the_policy(actions: gym.Space[Any], coding: str) -> None:
    made = policy(actions, coding=coding)

    class RLTask(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.policy = made

        def forward(self, observation: Tensor) -> Any:
            return self.policy(observation, deterministic=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its newer ways, and of the checks of its distributions
        traced = torch.jit.trace(RLTask(), (seen(1),), check_trace=False)
    for found, wanted in zip(traced(seen(1)), made(seen(1), deterministic=True), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("actions", ACTIONS, ids=["discrete", "continuous"])
def test_a_product_of_the_fisher_matrix_with_a_vector_is_that_in_float64(actions: gym.Space[Any]) -> None:
    """What TRPO solves for its step: the second derivative of the divergence between two policies."""
    products = []
    for dtype in (torch.float32, torch.float64):
        made = policy(actions).to(dtype)
        trained = [parameter for name, parameter in made.named_parameters() if "value" not in name]
        old = made.get_distribution(seen(6).to(dtype)).distribution
        with torch.no_grad():
            still = type(old)(*([old.probs] if hasattr(old, "probs") else [old.mean + 0.1, old.stddev]))
        divergence = torch.distributions.kl_divergence(still, old).sum()
        first = torch.autograd.grad(divergence, trained, create_graph=True, allow_unused=True)
        inner = sum(gradient.sum() for gradient in first if gradient is not None)
        second = torch.autograd.grad(inner, trained, allow_unused=True)  # type: ignore[arg-type]
        products.append([part.double() for part in second if part is not None])
    assert all(part.any() for part in products[1])
    torch.testing.assert_close(products[0], products[1], rtol=1e-2, atol=1e-3)
