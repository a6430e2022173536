"""Weights are held to what was set, whoever changes them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import (
    Connection,
    Conv1d,
    Conv2d,
    Conv3d,
    Dense,
    Lateral,
    Local1d,
    Local2d,
    Local3d,
    MeanField,
    OneToOne,
    Sparse,
)
from snnrl.networks import Network
from snnrl.neurons import LIF

SYNAPSES = torch.tensor([[0, 0, 1, 3, 3, 3], [0, 5, 1, 0, 2, 5]])

KINDS: dict[str, tuple[Callable[..., Connection], tuple[int, ...]]] = {
    "dense": (lambda **more: Dense(5, 3, **more), (5,)),
    "lateral": (lambda **more: Lateral(4, **more), (4,)),
    "sparse": (lambda **more: Sparse(6, 4, SYNAPSES, **more), (6,)),
    "convolution on a line": (lambda **more: Conv1d(2, 3, 2, **more), (2, 4)),
    "convolution": (lambda **more: Conv2d(2, 3, 2, **more), (2, 3, 4)),
    "convolution in a volume": (lambda **more: Conv3d(1, 2, 2, **more), (1, 2, 3, 3)),
    "local on a line": (lambda **more: Local1d(5, 2, 3, 2, **more), (2, 5)),
    "local": (lambda **more: Local2d((3, 4), 2, 2, 2, **more), (2, 3, 4)),
    "local in a volume": (lambda **more: Local3d((2, 3, 3), 1, 2, 2, **more), (1, 2, 3, 3)),
    "one to one": (lambda **more: OneToOne((2, 3), **more), (2, 3)),
    "mean field": (lambda **more: MeanField(5, 3, **more), (5,)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coin(shape: torch.Size, seed: int) -> Tensor:
    return torch.randint(2, shape, generator=seeded(seed))


CONSTRAINTS: dict[str, Callable[[torch.Size], dict[str, Any]]] = {
    "bounds": lambda shape: {"bounds": (-0.3, 0.4)},
    "bounds without 0": lambda shape: {"bounds": (0.2, 0.4), "mask": coin(shape, 1)},
    "mask": lambda shape: {"mask": coin(shape, 1)},
    "signs": lambda shape: {"signs": 2 * coin(shape, 2) - 1},
    "norm": lambda shape: {"norm": 1.5},
    "all": lambda shape: {"bounds": (-2, 2), "mask": coin(shape, 1), "signs": 2 * coin(shape, 2) - 1, "norm": 1.5},
}
every_constraint = pytest.mark.parametrize("constraint", CONSTRAINTS)


def made(kind: str, constraint: str, **more: Any) -> Connection:
    shape = KINDS[kind][0]().weight.shape
    settings = {"weight_std": 0.5, "trainable": True, "generator": seeded()} | CONSTRAINTS[constraint](shape)
    return KINDS[kind][0](**settings | more)


def assert_held(connection: Connection, weight: Tensor) -> None:
    low, high = connection.bounds
    there = torch.ones_like(weight) if connection.mask is None else connection.mask.expand_as(weight)
    assert not weight[there == 0].any()
    if connection.signs is None:
        assert weight[there == 1].min() >= low - 1e-7
    assert weight.max() <= high
    if connection.signs is not None:
        assert (weight * connection.signs >= 0).all()
    if connection.norm is not None:
        strength = connection.input_strength()
        assert (torch.isclose(strength, torch.tensor(connection.norm), rtol=1e-5) | (strength == 0)).all()


def push(connection: Connection, shape: tuple[int, ...]) -> None:
    """A gradient that takes every weight a different and long way."""
    current = connection(torch.randn(2, *shape, generator=seeded(3)))
    connection.zero_grad()
    (current * torch.randn(current.shape, generator=seeded(4))).sum().backward()


STEPS: dict[str, Callable[[Connection], None]] = {
    "SGD": lambda connection: torch.optim.SGD(connection.parameters(), lr=1.0).step(),
    "Adam": lambda connection: torch.optim.Adam(connection.parameters(), lr=1.0).step(),
    "fused Adam, which does not tell that it changes": lambda connection: torch.optim.Adam(
        connection.parameters(), lr=1.0, fused=True
    ).step(),
    "by hand": lambda connection: by_hand(connection),
}


@torch.no_grad()
def by_hand(connection: Connection) -> None:
    for parameter in connection.parameters():
        parameter.sub_(parameter.grad if parameter.grad is not None else 0)


@every_kind
@every_constraint
def test_weights_trained_by_gradient_are_held_after_every_step(kind: str, constraint: str) -> None:
    for step in STEPS.values():
        connection = made(kind, constraint)
        start = connection.weight.detach().clone()
        for _ in range(2):
            push(connection, KINDS[kind][1])
            step(connection)
            assert_held(connection, connection.weight)
        moves = start.numel() > 6 and constraint != "bounds without 0"
        assert not moves or not torch.equal(connection.weight, start)


@every_constraint
@pytest.mark.parametrize("step", STEPS)
def test_a_state_dict_that_is_read_first_holds_them_too(constraint: str, step: str) -> None:
    connection = made("dense", constraint)
    push(connection, (5,))
    STEPS[step](connection)
    saved = connection.state_dict()
    assert list(saved) == ["weight"]
    assert_held(connection, saved["weight"])


@every_constraint
def test_the_current_after_a_step_is_that_of_the_weights_that_are_read(constraint: str) -> None:
    connection, spikes = made("dense", constraint), torch.eye(5)
    push(connection, (5,))
    by_hand(connection)
    current = connection(spikes)
    assert_held(connection, current.t().detach())
    assert torch.equal(current.t(), connection.weight)


@every_constraint
def test_one_who_holds_the_parameter_itself_sees_held_weights_after_a_step(constraint: str) -> None:
    connection = made("dense", constraint)
    push(connection, (5,))
    (parameter,) = connection.parameters()
    torch.optim.SGD([parameter], lr=1.0).step()
    assert_held(connection, parameter)


def test_lateral_inhibition_trained_by_gradient_inhibits_no_neuron_by_itself() -> None:
    lateral = Lateral(3, weight_mean=-0.5, trainable=True, bounds=(-1.0, 0.0))
    optimiser = torch.optim.SGD(lateral.parameters(), lr=0.1)
    lateral(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    assert lateral.weight.diagonal().tolist() == [0.0, 0.0, 0.0]
    assert lateral.weight[0, 1].item() == pytest.approx(-0.6)


def test_a_network_trained_by_an_optimiser_of_all_its_parameters_is_held() -> None:
    network = Network()
    network.add("input", 4)
    network.add("hidden", LIF(5, surrogate="atan"))
    network.connect("input", "hidden", Dense(4, 5, weight_mean=5.0, bounds=(0.0, 5.0), norm=20.0, trainable=True))
    network.connect("hidden", "hidden", Lateral(5, weight_mean=-0.5, bounds=(-1.0, 0.0), trainable=True))
    optimiser = torch.optim.Adam(network.parameters(), lr=1.0)
    for _ in range(3):
        recording, _ = network.run({"input": torch.ones(10, 2, 4)})
        optimiser.zero_grad()
        recording["hidden"]["spikes"].sum().backward()
        optimiser.step()
        for edge in network.edges:
            assert_held(network.connection(edge), network.connection(edge).weight)


def test_weights_of_another_optimiser_are_left_alone() -> None:
    connection, other = made("dense", "norm"), torch.nn.Parameter(torch.ones(1))
    push(connection, (5,))
    other.grad = torch.ones(1)
    version = connection.weight._version
    torch.optim.SGD([other], lr=1.0).step()
    assert connection.weight._version == version


@every_kind
@every_constraint
def test_weights_that_are_loaded_are_held(kind: str, constraint: str) -> None:
    connection, free = made(kind, constraint, trainable=False), KINDS[kind][0](weight_std=3.0, generator=seeded(5))
    saved = connection.state_dict()
    connection.load_state_dict(free.state_dict())
    if connection.norm is None:
        assert_held(connection, connection.weight)
    connection.load_state_dict(saved)
    assert torch.equal(connection.weight, saved["weight"])


COPIES: dict[str, Callable[[Connection], Connection]] = {
    "copied": copy.deepcopy,
    "pickled": lambda connection: pickle.loads(pickle.dumps(connection)),
    "loaded": lambda connection: load(connection, Dense(5, 3, bounds=(-0.4, 0.4), norm=1.5, trainable=True)),
    "moved": lambda connection: connection.to("cpu"),
}


def load(source: Connection, target: Connection) -> Connection:
    target.load_state_dict(source.state_dict())
    return target


@pytest.mark.parametrize("way", COPIES)
def test_held_weights_are_the_same_bits_when_they_are(way: str) -> None:
    """Scaling to a norm that the bounds do not allow moves the weights each time that it is done."""
    connection = Dense(5, 3, weight_std=0.5, bounds=(-0.4, 0.4), norm=1.5, trainable=True, generator=seeded())
    push(connection, (5,))
    STEPS["SGD"](connection)
    kept = connection.weight.detach().clone()
    other = COPIES[way](connection)
    assert torch.equal(other.weight, kept)
    push(other, (5,))
    STEPS["fused Adam, which does not tell that it changes"](other)
    assert other.weight.abs().max() <= 0.4


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Dense(2, 1, weight_mean=0.5, mask=torch.tensor([1, 0]), bounds=(0.1, 1.0), norm=0.8), [[0.8, 0.0]]),
        (lambda: Lateral(2, weight_mean=-1.0, bounds=(-2.0, -0.5), norm=2.0), [[0.0, -2.0], [-2.0, 0.0]]),
        (lambda: Dense(2, 1, weight_mean=0.5, signs=torch.tensor([1, -1]), bounds=(0.1, 1.0), norm=1.0), [[1.0, 0.0]]),
        (lambda: Dense(2, 1, weight_mean=0.5, signs=torch.tensor([1, -1]), bounds=(0.1, 1.0)), [[0.5, 0.0]]),
    ],
    ids=["masked", "no self-connection", "of the other sign", "of the other sign without norm"],
)
def test_what_is_no_synapse_is_0_though_bounds_exclude_0(make: Callable[[], Dense], expected: list[Any]) -> None:
    connection = make()
    torch.testing.assert_close(connection.weight.detach(), torch.tensor(expected))
    connection.apply_(torch.full_like(connection.weight, 0.01))
    assert torch.equal(connection.weight == 0, torch.tensor(expected) == 0)


@every_kind
@pytest.mark.parametrize("bounds", [(0.2, 0.7), (-0.7, -0.2), (0.0, 0.7), (-0.7, 0.7)])
def test_bounds_mask_and_signs_hold_whatever_the_norm(kind: str, bounds: tuple[float, float]) -> None:
    shape = KINDS[kind][0]().weight.shape
    mask, signs = coin(shape, 1), 2 * coin(shape, 2) - 1
    connection = KINDS[kind][0](weight_std=1.0, bounds=bounds, mask=mask, signs=signs, norm=1.0, generator=seeded())
    for step in range(3):
        weight = connection.weight
        assert not weight[mask == 0].any()
        assert (weight * signs >= 0).all()
        assert ((weight == 0) | ((weight >= bounds[0]) & (weight <= bounds[1]))).all()
        connection.apply_(torch.randn(shape, generator=seeded(step)))


def test_masks_signs_and_weights_may_be_lists() -> None:
    connection = Dense(2, 1, weight=[[0.5, 0.5]], mask=[1, 0], signs=[1, -1])  # type: ignore[arg-type]
    assert connection.weight.tolist() == [[0.5, 0.0]]
    sparse = Sparse(3, 2, [[1, 0], [0, 2]], weight=[0.5, 0.25], mask=[1, 0])  # type: ignore[arg-type]
    assert sparse.weight.tolist() == [0.0, 0.5]
