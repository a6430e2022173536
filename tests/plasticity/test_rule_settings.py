"""Settings of rules after they are made: they count, or are refused."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from snnrl import plasticity
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.plasticity import Rule

KINDS = [
    kind
    for kind in vars(plasticity).values()
    if isinstance(kind, type) and issubclass(kind, Rule) and not inspect.isabstract(kind)
]
SETTINGS = [(kind, name) for kind in KINDS for name in inspect.signature(kind).parameters]


def make(kind: type[Rule[Any]]) -> Rule[Any]:
    needed = {"rate_target": 10.0} if "rate_target" in inspect.signature(kind).parameters else {}
    return kind(**needed)


def test_the_table_has_every_rule() -> None:
    assert len(KINDS) == 16


@pytest.mark.parametrize(("kind", "name"), SETTINGS, ids=[f"{kind.__name__}-{name}" for kind, name in SETTINGS])
def test_a_setting_that_is_not_read_later_cannot_be_assigned(kind: type[Rule[Any]], name: str) -> None:
    rule = make(kind)
    if name in vars(rule) and name != "dt":
        setattr(rule, name, 0.125)
        assert getattr(rule, name) == 0.125
        return
    with pytest.raises(ConfigError, match=rf"^{name}=0.125: cannot be changed, make a new {kind.__name__}$"):
        setattr(rule, name, 0.125)


def test_the_step_of_a_network_cannot_be_assigned() -> None:
    network = Network(dt=0.5)
    with pytest.raises(ConfigError, match=r"^dt=1.0: cannot be changed, make a new Network$"):
        network.dt = 1.0
    assert network.dt == 0.5
