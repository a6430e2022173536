"""Saving, showing and compiling a network."""

from __future__ import annotations

import shutil

import pytest
import torch

from snnrl.connections import Conv2d, Dense, Pool, Sparse
from snnrl.networks import Network
from snnrl.neurons import LIF, SRM0, DiehlCook
from snnrl.plasticity import STDP, Rmax
from tests.networks.nets import (
    RULE,
    assert_same,
    fired,
    random,
    recurrent,
    seeded,
    spikes,
)


def test_weights_and_what_neurons_keep_for_life_are_saved_and_loaded() -> None:
    def made(seed: int) -> Network:
        network = Network()
        network.add("input", 6)
        network.add("output", DiehlCook(4))
        network.connect("input", "output", random(6, 4, seed=seed, weight_mean=100.0), rule=STDP(**RULE), delay=1.0)
        network.connect("output", "output", Sparse.random(4, 4, 0.5, weight_mean=-1.0, generator=seeded(seed)))
        return network

    trained, fresh = made(1), made(1)
    trained.run({"input": spikes(30, 2, 6)})
    assert trained.neuron("output").theta.any()
    fresh.load_state_dict(trained.state_dict())
    one, other = (network.eval().run({"input": spikes(30, 2, 6)})[0] for network in (trained, fresh))
    assert_same(fired(one), fired(other))
    for name, saved in trained.state_dict().items():
        assert torch.equal(saved, fresh.state_dict()[name])


def test_a_network_in_float64_computes_in_float64() -> None:
    network = recurrent(rule=STDP(**RULE)).double()
    recording, state = network.run({"input": spikes(5, 2, 6).double()}, record={"output": ("spikes", "v")})
    assert recording["output"]["v"].dtype == torch.float64
    assert state.rules[0].x_pre.dtype == torch.float64


def test_the_summary_names_populations_connections_rules_and_delays() -> None:
    network = Network()
    network.add("image", (1, 4, 4))
    network.add("maps", LIF((2, 2, 2)))
    network.add("action", SRM0(3))
    network.connect("image", "maps", Conv2d(1, 2, 3), delay=2.0)
    network.connect("maps", "action", Dense(8, 3), rule=Rmax())
    network.connect("maps", "action", Dense(8, 3), rule=STDP(), delay=torch.arange(8.0).view(2, 2, 2))
    network.connect("maps", "maps", Pool(2, 1))
    rows = [row.split() for row in network.summary().splitlines()]
    assert rows == [
        ["population", "model", "shape", "neurons"],
        ["image", "input", "1x4x4", "16"],
        ["maps", "LIF", "2x2x2", "8"],
        ["action", "SRM0", "3", "3"],
        ["connection", "model", "weight", "synapses", "learns", "by", "delay", "in", "steps"],
        ["image", "to", "maps", "Conv2d", "2x1x3x3", "18", "-", "2"],
        ["maps", "to", "action", "Dense", "3x8", "24", "Rmax", "0"],
        ["maps", "to", "action", "2", "Dense", "3x8", "24", "STDP", "7"],
        ["maps", "to", "maps", "Pool", "0", "0", "-", "0"],
        ["total", "27", "neurons", "66"],
    ]


compilers = [
    "eager",
    pytest.param(
        "inductor",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
        ],
    ),
]


@pytest.mark.parametrize("backend", compilers)
def test_a_compiled_network_fires_as_it_did(backend: str) -> None:
    network, inputs = recurrent(rule=STDP(**RULE)), spikes(20, 2, 6)
    plain, _ = network.eval().run({"input": inputs})
    network.compile(backend=backend)
    compiled, _ = network.run({"input": inputs})
    assert_same(fired(compiled), fired(plain))
    torch._dynamo.reset()
