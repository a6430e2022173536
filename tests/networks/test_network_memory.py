"""What a run does not write to: tensors of its caller, and weights that a backward pass still reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnrl.connections import Dense, Lateral, OneToOne, Pool, Projection
from snnrl.connections.base import gives_new_memory
from snnrl.networks import Network
from snnrl.neurons import LIF
from snnrl.plasticity import STDP, Oja

RULE = {"a_plus": 0.05, "a_minus": 0.03, "tau_pre": 5.0, "tau_post": 7.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spikes(*shape: int, seed: int = 0) -> Tensor:
    return (torch.rand(shape, generator=seeded(seed)) < 0.4).float()


class Same(Projection):
    """Gives back what it is given."""

    def forward(self, spikes: Tensor) -> Tensor:  # type: ignore[override]
        return spikes


class View(Projection):
    def forward(self, spikes: Tensor) -> Tensor:  # type: ignore[override]
        return spikes[..., :]


class Kept(Projection):
    """Gives the same current each time, a tensor of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.current: dict[tuple[int, ...], Tensor] = {}

    def forward(self, spikes: Tensor) -> Tensor:  # type: ignore[override]
        return self.current.setdefault(tuple(spikes.shape), torch.full(spikes.shape, 2.0))


class SameAsDense(Dense):
    """Overrides the ``forward`` of a connection that gives new memory by one that does not."""

    def forward(self, spikes: Tensor) -> Tensor:  # type: ignore[override]
        return spikes


PROJECTIONS: dict[str, Callable[[], Projection]] = {
    "the argument": Same,
    "a view of the argument": View,
    "a tensor of its own": Kept,
    "the argument, under a connection's name": lambda: SameAsDense(4, 4),
}


@pytest.mark.parametrize("kind", PROJECTIONS)
def test_a_projection_may_return_what_others_hold(kind: str) -> None:
    projection = PROJECTIONS[kind]()
    network = Network()
    network.add("input", 4)
    for name, threshold in (("first", 0.9), ("second", 1.5)):
        network.add(name, LIF(4, tau_mem=3.0, v_threshold=threshold, decay_input=False))
    network.connect("input", "first", projection)
    network.connect("first", "second", projection)
    given = 0.8 * spikes(40, 2, 4)
    kept = given.clone()
    recording, _ = network.run({"input": given})
    assert torch.equal(given, kept)
    stepped, _ = network.run({"input": given}, record={"first": ("spikes", "v"), "second": ("spikes", "v")})
    for name in ("first", "second"):
        assert recording[name]["spikes"].any()
        assert torch.equal(recording[name]["spikes"], stepped[name]["spikes"])
    if isinstance(projection, Kept):
        assert all((current == 2.0).all() for current in projection.current.values())


def test_currents_that_a_hook_has_kept_stay_currents() -> None:
    network, kept = Network(), []
    network.add("input", 4)
    network.add("output", LIF(4))
    connection = OneToOne(4, weight_mean=0.25)
    network.connect("input", "output", connection)
    handle = connection.register_forward_hook(lambda module, given, current: kept.append(current))
    given = spikes(20, 2, 4)
    network.run({"input": given})
    assert torch.equal(kept[-1], 0.25 * given)
    handle.remove()
    assert gives_new_memory(connection)


@pytest.mark.parametrize("projection", [Dense(4, 4), Lateral(4), OneToOne(4), Pool(1, 1)])
def test_connections_of_the_library_give_new_memory(projection: Projection) -> None:
    given = spikes(3, 1, 4)
    assert gives_new_memory(projection)
    assert projection(given).untyped_storage().data_ptr() != given.untyped_storage().data_ptr()


# Gradients through what a rule changes


def trained(hidden: Any, window: int = 5, **last: Any) -> tuple[Network, Tensor]:
    """A layer that a gradient trains before one with a rule, and the gradient of the first layer's weights."""
    network = Network()
    network.add("input", 6)
    network.add("hidden", LIF(5, tau_mem=5.0, surrogate="atan"))
    network.add("output", LIF(3, tau_mem=8.0, surrogate="atan"))
    first = Dense(6, 5, weight_mean=1.0, weight_std=0.5, trainable=True, generator=seeded(1))
    second = Dense(5, 3, weight_mean=2.0, weight_std=0.5, generator=seeded(2), **last)
    network.connect("input", "hidden", first)
    network.connect("hidden", "output", second, rule=hidden)
    recording, _ = network.run({"input": spikes(20, 2, 6)}, window=window)
    recording["output"]["spikes"].sum().backward()
    assert first.weight.grad is not None
    return network, first.weight.grad


@pytest.mark.parametrize("window", [1, 5, 20])
@pytest.mark.parametrize("trainable", [False, True])
def test_a_gradient_passes_through_a_connection_that_a_rule_changes(window: int, trainable: bool) -> None:
    network, gradient = trained(STDP(**RULE), window, trainable=trainable)
    still, _ = trained(STDP(a_plus=0.0, a_minus=0.0), window, trainable=trainable)
    second, before = (each.connection(each.edges[1]).weight for each in (network, still))
    assert torch.isfinite(gradient).all()
    assert gradient.any()
    assert not torch.equal(second, before), "the rule has changed it"
    assert (second.grad is not None) == trainable


@pytest.mark.parametrize("window", [1, 5])
def test_that_gradient_is_the_one_of_the_weights_in_force_in_each_window(window: int) -> None:
    """By hand: the same windows with the changed weights as constants of their own."""
    _, gradient = trained(STDP(**RULE), window)
    network, _ = trained(None)
    first, second = (network.connection(edge) for edge in network.edges)
    first.zero_grad()
    rule, hidden, output = STDP(**RULE), network.neuron("hidden"), network.neuron("output")
    weight = Dense(5, 3, weight=second.weight.clone())
    states, learned = (hidden.init_state(2), output.init_state(2)), rule.init_state(weight, (5,), (3,), 2)
    total = torch.zeros(())
    for part in spikes(20, 2, 6).split(window):
        middle, inner = hidden.scan(part @ first.weight.t(), states[0])
        last, outer = output.scan(middle @ weight.weight.clone().t(), states[1])
        states, total = (inner, outer), total + last.sum()
        change, learned = rule(weight, middle, last, learned)
        weight.apply_(change)
    (expected,) = torch.autograd.grad(total, first.weight)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_a_gradient_passes_through_a_loop_that_rules_change() -> None:
    network = Network()
    network.add("input", 4)
    network.add("hidden", LIF(5, surrogate="atan", tau_mem=5.0))
    network.connect("input", "hidden", Dense(4, 5, weight_mean=2.0, trainable=True), rule=Oja())
    network.connect("hidden", "hidden", Lateral(5, weight_mean=-0.5, trainable=True), rule=STDP(**RULE))
    recording, _ = network.run({"input": spikes(20, 2, 4)}, window=4)
    recording["hidden"]["spikes"].sum().backward()
    for edge in network.edges:
        gradient = network.connection(edge).weight.grad
        assert gradient is not None
        assert gradient.any()
        assert isinstance(network.connection(edge).weight, nn.Parameter)
