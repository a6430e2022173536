"""Inputs of a network as lists of events."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Conv2d, Dense
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import LIF
from snnrl.plasticity import MSTDPET, STDP, ThreeFactor
from snnrl.spikes import SparseSpikes

STEPS, LENGTH, BATCH, SIZE = 4, 3, 2, 6


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(rule: Any = None, *, delay: float = 0.0) -> Network:
    found = Network()
    found.add("input", SIZE)
    found.add("hidden", LIF(5, decay_input=False))
    found.add("output", LIF(3, decay_input=False))
    first = Dense(SIZE, 5, weight_mean=0.6, weight_std=0.3, generator=seeded())
    found.connect("input", "hidden", first, rule=rule, delay=delay)
    found.connect("hidden", "output", Dense(5, 3, weight_mean=0.5, weight_std=0.3, generator=seeded(1)))
    return found.double()


def together(steps: int = STEPS) -> Tensor:
    return (torch.rand(steps, BATCH, SIZE, generator=seeded(3)) < 0.5).double()


def trains() -> Tensor:
    whole = torch.zeros(STEPS * LENGTH, BATCH, SIZE).double()
    whole[::LENGTH] = together()
    return whole


@pytest.mark.parametrize("delay", [0.0, 2.0])
@pytest.mark.parametrize("time", [None, STEPS * LENGTH])
def test_sparse_spikes_drive_a_network_as_dense_ones_do(delay: float, time: int | None) -> None:
    dense = together() if time is None else trains()
    expected, _ = network(delay=delay).run({"input": dense})
    recording, _ = network(delay=delay).run({"input": SparseSpikes.from_dense(together())}, time=time)
    assert recording["hidden"]["spikes"].any()
    for name in ("hidden", "output"):
        assert torch.equal(recording[name]["spikes"], expected[name]["spikes"])


def test_sparse_spikes_reach_what_takes_images() -> None:
    for kind in (lambda spikes: spikes, lambda spikes: SparseSpikes.from_dense(spikes.flatten(2))):
        images = Network()
        images.add("input", (1, 2, 3))
        images.add("output", LIF((2, 1, 2)))
        images.connect("input", "output", Conv2d(1, 2, 2, weight_mean=9.0))
        recording, _ = images.run({"input": kind(together().float().view(STEPS, BATCH, 1, 2, 3))})
        assert 0 < recording["output"]["spikes"].mean() < 1


@pytest.mark.parametrize("rule", [STDP, MSTDPET, ThreeFactor])
def test_an_event_in_each_simulation_step_is_learned_from_as_any_spike_train(rule: type[Any]) -> None:
    changed = []
    for inputs in (together(), SparseSpikes.from_dense(together())):
        learner = network(rule()).train()
        learner.run({"input": inputs}, modulator=torch.ones(BATCH), window=2)
        changed.append(learner.connection(learner.edges[0]).weight)
    torch.testing.assert_close(*changed, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rule", [STDP, MSTDPET, ThreeFactor])
@pytest.mark.parametrize("window", [LENGTH, 2 * LENGTH, STEPS * LENGTH])
def test_a_modulator_comes_at_the_end_of_each_step_of_synchronous_spikes(rule: type[Any], window: int) -> None:
    learner, apart = network(rule()).train(), network(rule()).train()
    events, told = SparseSpikes.from_dense(together()), torch.randn(STEPS, BATCH, generator=seeded(4))
    learner.run({"input": events}, time=STEPS * LENGTH, modulator=told, window=window)
    state = None
    for first in range(0, STEPS, window // LENGTH):
        last = first + window // LENGTH
        part, third = events.between(first, last), told[first:last]
        _, state = apart.run({"input": part}, state, time=window, modulator=third, window=window)
    one, other = (found.connection(found.edges[0]).weight for found in (learner, apart))
    assert not torch.equal(one, network().connection(network().edges[0]).weight)
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        (
            (STEPS, BATCH),
            {"time": 7},
            r"^time=7: must be a multiple of the steps of sparse inputs, whose rows are \[4",
        ),
        ((STEPS * BATCH,), {}, r"^time=8: must be a multiple of the steps of sparse inputs"),
        ((STEPS, BATCH), {"time": 12, "window": 2, "modulator": torch.ones(2)}, r"^window=2: must be a multiple of 3"),
        (
            (STEPS, BATCH),
            {"time": 12, "modulator": torch.ones(12, 2)},
            r"^modulator=\[12, 2\]: must be of shape \[2\] or \[4",
        ),
    ],
)
def test_sparse_inputs_that_do_not_fit_are_named(rows: tuple[int, ...], settings: dict[str, Any], said: str) -> None:
    events = SparseSpikes.from_dense(together()).reshape_rows(*rows)
    with pytest.raises(ConfigError, match=said):
        network(STDP()).train().run({"input": events}, **settings)


def test_sparse_spikes_of_another_population_are_named() -> None:
    with pytest.raises(ConfigError, match=r"^inputs.input=\[4, 2, 5\]: must be of shape \[4, 2, 6\]$"):
        network().run({"input": SparseSpikes.from_dense(together()[..., 1:])})
    currents = {"input": together(), "hidden": SparseSpikes.from_dense(together()[..., 1:])}
    with pytest.raises(ConfigError, match=r"^inputs.hidden=sparse spikes: must be a current"):
        network().run(currents)
