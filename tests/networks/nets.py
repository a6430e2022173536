"""Small networks, and what tests of networks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense, Lateral
from snnrl.networks import Network, NetworkState
from snnrl.neurons import LIF


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spikes(*shape: int, density: float = 0.3, seed: int = 0) -> Tensor:
    return (torch.rand(shape, generator=seeded(seed)) < density).float()


def at(steps: int, *times: int) -> Tensor:
    """Spikes of one neuron in a batch of one ``[time, 1, 1]``."""
    train = torch.zeros(steps, 1, 1)
    train[list(times)] = 1.0
    return train


def relay(shape: int | tuple[int, ...] = 1) -> LIF:
    """Fires in the step in which it gets a current of 1 or more, and in no other."""
    return LIF(shape, tau_mem=1.0, decay_input=False, v_threshold=0.99)


def random(pre: int, post: int, seed: int = 0, **settings: Any) -> Dense:
    return Dense(pre, post, **{"weight_std": 1.0, "weight_mean": 0.5, "generator": seeded(seed)} | settings)


def feedforward(**connect: Any) -> Network:
    network = Network()
    network.add("input", 6)
    network.add("hidden", LIF(5, tau_mem=5.0, t_refractory=2.0))
    network.add("output", LIF(3, tau_mem=8.0))
    network.connect("input", "hidden", random(6, 5, weight_mean=1.0), **connect)
    network.connect("hidden", "output", random(5, 3, seed=1, weight_mean=5.0), delay=2.0)
    return network


def recurrent(**connect: Any) -> Network:
    """Two populations in a loop, one of them with itself, and what comes before and after."""
    network = Network()
    network.add("input", 6)
    network.add("excitatory", LIF(5, tau_mem=5.0, t_refractory=1.0))
    network.add("inhibitory", LIF(4, tau_mem=5.0))
    network.add("output", LIF(3, tau_mem=8.0))
    network.connect("input", "excitatory", random(6, 5, weight_mean=1.5), delay=1.0)
    network.connect("excitatory", "inhibitory", random(5, 4, seed=1, weight_mean=2.0), **connect)
    network.connect("inhibitory", "excitatory", random(4, 5, seed=2, weight_mean=-1.0), delay=3.0)
    network.connect("excitatory", "excitatory", Lateral(5, weight_std=1.0, generator=seeded(3)))
    network.connect("inhibitory", "output", random(4, 3, seed=4, weight_mean=2.0))
    return network


NETWORKS: dict[str, Callable[..., Network]] = {"feedforward": feedforward, "recurrent": recurrent}
every_network = pytest.mark.parametrize("kind", NETWORKS)


def fired(recording: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: variables["spikes"] for name, variables in recording.items()}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def assert_state_close(one: NetworkState, other: NetworkState) -> None:
    def compare(a: Any, b: Any) -> None:
        if isinstance(a, Tensor):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
        else:
            for x, y in zip(a, b, strict=True):
                compare(x, y)

    compare(one, other)


RULE = {"a_plus": 0.05, "a_minus": 0.03, "tau_pre": 5.0, "tau_post": 7.0}


def weights(network: Network) -> list[Tensor]:
    return [network.connection(edge).weight.clone() for edge in network.edges]


def small(**connect: Any) -> Network:
    network = Network()
    network.add("input", 3)
    network.add("output", LIF(2))
    network.connect("input", "output", Dense(3, 2, weight_mean=1.0), **connect)
    return network
