"""Neurons that are made to fire, kept from it, or given a potential."""

from __future__ import annotations

import math

import pytest
import torch

from snnrl.connections import Dense, OneToOne
from snnrl.networks import Network
from snnrl.neurons import LIF, EscapeNoise
from tests.networks.nets import (
    at,
    fired,
    relay,
)


@pytest.mark.parametrize("record", [("spikes",), ("spikes", "v")])
def test_clamped_neurons_fire_and_drive_what_follows(record: tuple[str, ...]) -> None:
    network = Network()
    network.add("input", 1)
    network.add("middle", relay(2))
    network.add("output", relay(2))
    network.connect("input", "middle", Dense(1, 2))
    network.connect("middle", "output", OneToOne(2, weight_mean=1.0))
    hold = torch.zeros(4, 1, 2, dtype=torch.bool)
    hold[1, 0, 0] = hold[3, 0, 1] = True
    recording, _ = network.run({"input": at(4)}, clamp={"middle": hold}, record={"middle": record, "output": record})
    for name in ("middle", "output"):
        assert fired(recording)[name][:, 0].tolist() == [[0, 0], [1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize("record", [("spikes",), ("spikes", "v")])
def test_unclamped_neurons_are_silent_and_what_follows_hears_nothing(record: tuple[str, ...]) -> None:
    network = Network()
    network.add("input", 1)
    network.add("middle", relay(2))
    network.add("output", relay(2))
    network.connect("input", "middle", Dense(1, 2, weight_mean=1.0))
    network.connect("middle", "output", OneToOne(2, weight_mean=1.0))
    recording, _ = network.run(
        {"input": at(3, 0, 1, 2)},
        unclamp={"middle": torch.tensor([True, False])},
        record={"middle": record, "output": record},
    )
    for name in ("middle", "output"):
        assert fired(recording)[name][:, 0].tolist() == [[0, 1]] * 3


def test_clamped_spikes_go_round_a_loop() -> None:
    network = Network()
    network.add("ring", relay(3))
    weight = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    network.connect("ring", "ring", Dense(3, 3, weight=weight))
    start = torch.zeros(5, 1, 3, dtype=torch.bool)
    start[0, 0, 0] = True
    recording, _ = network.run({"ring": torch.zeros(5, 1, 3)}, clamp={"ring": start})
    assert fired(recording)["ring"][:, 0].argmax(1).tolist() == [0, 1, 2, 0, 1]
    assert fired(recording)["ring"].sum((1, 2)).tolist() == [1] * 5


def test_what_is_injected_is_added_to_the_potential_before_the_step() -> None:
    network = Network()
    network.add("output", LIF(2, tau_mem=10.0))
    push = torch.zeros(3, 1, 2)
    push[1, 0, 1] = 0.5
    recording, _ = network.run({"output": torch.zeros(3, 1, 2)}, inject={"output": push}, record={"output": ("v",)})
    decay = math.exp(-0.1)
    torch.testing.assert_close(
        recording["output"]["v"][:, 0], torch.tensor([[0.0, 0.0], [0.0, 0.5 * decay], [0.0, 0.5 * decay**2]])
    )


def test_what_is_injected_broadcasts_over_time_and_batch() -> None:
    network = Network()
    network.add("output", LIF(2, tau_mem=10.0))
    recording, _ = network.run({"output": torch.zeros(30, 3, 2)}, inject={"output": torch.tensor([0.3, 0.0])})
    assert fired(recording)["output"][:, :, 0].sum(0).min() > 0
    assert not fired(recording)["output"][:, :, 1].any()


def test_potential_is_injected_where_it_has_another_name_too() -> None:
    network = Network()
    network.add("output", EscapeNoise(2))
    given = {"output": torch.zeros(1, 1, 2)}
    recording, _ = network.run(given, record={"output": ("u",)}, inject={"output": torch.ones(2)})
    assert recording["output"]["u"].flatten().tolist() == pytest.approx([math.exp(-0.1)] * 2)
