"""A layer that a gradient trains before one that learns by a rule, whichever rule, in stretches of truncated BPTT."""

from __future__ import annotations

import pytest
import torch

from snnrl.connections import Dense
from snnrl.networks import Network
from snnrl.neurons import LIF, SRM0
from snnrl.state import detach
from tests.plasticity.test_rules_on_connections import RULES, every_rule


@every_rule
@pytest.mark.parametrize("window", [1, 10])
def test_both_layers_learn(name: str, window: int) -> None:
    torch.manual_seed(0)
    rule = RULES[name]()
    network = Network()
    network.add("input", 5)
    network.add("hidden", LIF(4, tau_mem=5.0, surrogate="atan"))
    settings = {"tau_mem": 5.0, "v_threshold": 0.5, "surrogate": "atan"}
    network.add("output", SRM0(3, **settings) if rule.uses_score else LIF(3, **settings))
    first = Dense(5, 4, weight_mean=3.0, weight_std=1.0, trainable=True)
    second = Dense(4, 3, weight_mean=0.5, bounds=(-2.0, 2.0))
    network.connect("input", "hidden", first)
    network.connect("hidden", "output", second, rule=rule)
    optimizer, state = torch.optim.SGD([first.weight], lr=0.1), network.init_state(2)
    before = first.weight.detach().clone(), second.weight.detach().clone()
    inputs = (torch.rand(30, 2, 5) < 0.6).float()
    for stretch in inputs.split(10):
        modulator = torch.randn(2) if rule.uses_modulator else None
        recording, state = network.run({"input": stretch}, detach(state), modulator=modulator, window=window)
        optimizer.zero_grad()
        recording["output"]["spikes"].mean().backward()
        optimizer.step()
    assert torch.isfinite(first.weight).all()
    assert not torch.equal(first.weight, before[0])
    assert not torch.equal(second.weight, before[1])
