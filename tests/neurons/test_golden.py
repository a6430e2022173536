"""Every neuron model against Brian2 (``golden/brian2_traces.py`` wrote the traces, and says what was run)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import snnrl.neurons
from snnrl.noise import uniform

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("traces.json").read_text())
TRACES: dict[str, dict[str, Any]] = GOLDEN["traces"]
ACCURACY = {"rel": 0.0, "abs": 1e-6}
"""The table holds 8 decimals."""


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(GOLDEN["seed"])


def population(trace: dict[str, Any]) -> Any:
    stochastic = {"generator": seeded()} if trace["model"] == "SRM0" else {}
    return getattr(snnrl.neurons, trace["model"])(1, **trace["settings"], **stochastic).double()


@pytest.mark.parametrize("name", TRACES)
def test_spikes_and_potential_are_those_of_brian2(name: str) -> None:
    trace = TRACES[name]
    neuron = population(trace)
    state, potential, fired = neuron.init_state(1), [], []
    for step, current in enumerate(trace["current"]):
        spikes, state = neuron(torch.tensor([[current]], dtype=torch.float64), state)
        potential.append(state.v.item())
        if spikes.item() and trace["model"] != "LeakyIntegrator":
            fired.append(step)
    assert fired == trace["spikes"]
    assert potential == pytest.approx(trace["v"], **ACCURACY)
    for leaf, value in trace["last"].items():
        held = neuron.theta if leaf == "theta" else getattr(state, leaf)
        assert held.item() == pytest.approx(value, **ACCURACY), leaf


FLOAT32 = [name for name, trace in TRACES.items() if trace["model"] not in ("SRM0", "LeakyIntegrator")]
"""torch draws other uniform numbers in float32."""


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("SRM0", torch.float64), *((name, kind) for name in FLOAT32 for kind in (torch.float32, torch.float64))],
)
def test_a_window_fires_the_spikes_of_brian2(name: str, dtype: torch.dtype) -> None:
    """In float32 too, where kernels run."""
    trace = TRACES[name]
    neuron = population(trace).to(dtype)
    current = torch.tensor(trace["current"], dtype=dtype).view(-1, 1, 1)
    spikes, _ = neuron.scan(current, neuron.init_state(1))
    assert spikes.flatten().nonzero().flatten().tolist() == trace["spikes"]


def test_brian2_was_given_the_uniform_numbers_that_a_generator_draws_here() -> None:
    numbers = uniform((len(GOLDEN["uniform"]),), torch.zeros((), dtype=torch.float64), seeded())
    assert numbers.tolist() == GOLDEN["uniform"]


def test_the_traces_cover_every_model_that_this_package_shares_with_brian2() -> None:
    models = {trace["model"] for trace in TRACES.values()}
    assert models == {
        "AdaptiveLIF",
        "CumulativeSRM",
        "CurrentLIF",
        "DiehlCook",
        "IF",
        "Izhikevich",
        "LIF",
        "LSNN",
        "LeakyIntegrator",
        "McCullochPitts",
        "SRM0",
    }
    assert all(4 <= len(trace["spikes"]) < 80 for trace in TRACES.values() if trace["model"] != "LeakyIntegrator")
    assert all(len(trace["v"]) == len(trace["current"]) == 160 for trace in TRACES.values())
