"""The registries of snnrl: every concrete class of a kind has a name, and every name is a class that can be made."""

from __future__ import annotations

from inspect import isabstract
from typing import Any

import pytest

from snnrl.agents import AGENTS
from snnrl.connections import CONNECTIONS
from snnrl.decoders import DECODERS
from snnrl.encoders import ENCODERS
from snnrl.learners import LEARNERS
from snnrl.neurons import NEURONS
from snnrl.plasticity import RULES
from snnrl.settings import Part, Registry, build

REGISTRIES: tuple[Registry[Any], ...] = (AGENTS, CONNECTIONS, DECODERS, ENCODERS, LEARNERS, NEURONS, RULES)
PARENTS = {"Conv", "Local", "GradientLearner", "LeakyMembrane", "Modules", "OpenLoop", "SpikingNeuron"}
"""Classes that others are derived from, or that are made of a graph of NIR, and are no model by themselves."""


def concrete(kind: type) -> set[type]:
    """The classes of snnrl below a base that have no abstract method."""
    found = {one for child in kind.__subclasses__() for one in concrete(child)}
    ours = kind.__module__.startswith("snnrl.") and not isabstract(kind) and "__init__" in dir(kind)
    return found | {kind} if ours else found


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_every_name_is_a_whole_class_that_knows_its_name(registry: Registry[Any]) -> None:
    for name in registry.names():
        assert vars(registry.find(name, registry.kind))["recipe_name"] == name


@pytest.mark.parametrize("registry", [NEURONS, CONNECTIONS, ENCODERS, LEARNERS, RULES], ids=lambda each: each.kind)
def test_every_class_has_a_name(registry: Registry[Any]) -> None:
    named = {registry.find(name, registry.kind) for name in registry.names()}
    base = next(iter(named)).__mro__
    root = next(parent for parent in base if f"{parent.__module__}:{parent.__name__}" == registry.base)
    missing = {kind.__name__ for kind in concrete(root) - named} - PARENTS
    assert missing == set()


@pytest.mark.parametrize("name", NEURONS.names())
def test_every_neuron_is_made_from_its_name_alone(name: str) -> None:
    assert build(NEURONS, Part(name), "agent.network.hidden[0].neuron", 3, dt=1.0, generator=None).shape == (3,)
