"""Graphs of any form as networks that run step by step, held against NIR's equations stepped by forward Euler."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from snnrl.connections import Conv2d, Dense, Lateral, OneToOne, Sparse
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import IF, LIF, CurrentLIF, EscapeNoise, Izhikevich, LeakyIntegrator, SaturatingIF

nir = pytest.importorskip("nir", reason="the package nir is not installed")

from snnrl.integrations.nir import from_nir, network_from_nir, network_to_nir  # noqa: E402

DT, STEPS, BATCH = 1e-3, 30, 4
RANDOM = np.random.default_rng(0)


def drawn(*shape: int, low: float = -1.0, high: float = 1.0) -> Any:
    return RANDOM.uniform(low, high, shape)


def entry(*shape: int) -> Any:
    return nir.Input({"input": np.array(shape)})


def end(*shape: int) -> Any:
    return nir.Output({"output": np.array(shape)})


def graph(edges: str, **nodes: Any) -> Any:
    """A graph whose edges are the chains of names, unchecked by NIR."""
    chains = [chain.split() for chain in edges.split(",")]
    return nir.NIRGraph(nodes, [pair for chain in chains for pair in pairwise(chain)], {}, False)


def lif(*shape: int, tau: float = 0.006, r: float = 4.0) -> Any:
    full = [np.full(shape, value) for value in (tau, r, 0.1, 1.0, 0.0)]
    return nir.LIF(*full)


def noise(*shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.rand(STEPS, BATCH, *shape, generator=torch.Generator().manual_seed(3))


def euler_lif(current: Tensor, node: Any, recurrent: Any = None) -> Tensor:
    """Spikes of a node, what comes back through ``recurrent`` a step later."""
    tau, r, leak, threshold, reset = (
        torch.as_tensor(value, dtype=torch.float64)
        for value in (node.tau, node.r, node.v_leak, node.v_threshold, node.v_reset)
    )
    v, spikes, found = leak + 0 * current[0].double(), 0 * current[0].double(), []
    for now in current.double():
        total = now if recurrent is None else now + spikes @ torch.as_tensor(recurrent).t()
        v = v + DT / tau * (leak - v + r * total)
        spikes = (v >= threshold).double()
        v = torch.where(spikes > 0, reset + 0 * v, v)
        found.append(spikes)
    return torch.stack(found)


def test_a_population_that_drives_itself() -> None:
    w_in, w_rec, node = drawn(6, 3), drawn(6, 6), lif(6)
    given = graph(
        "input w_in lif output, lif w_rec lif",
        input=entry(3), w_in=nir.Linear(w_in), lif=node, w_rec=nir.Linear(w_rec), output=end(6),
    )  # fmt: skip
    x = noise(3, scale=2.0)
    found, _ = network_from_nir(given).run({"input": x})
    expected = euler_lif(x.double() @ torch.as_tensor(w_in).t(), node, w_rec)
    assert expected.sum() > 50
    assert torch.equal(found["output"].double(), expected)


def test_a_run_goes_on_from_its_state() -> None:
    given = graph(
        "input w lif output, lif back lif",
        input=entry(3), w=nir.Linear(drawn(6, 3)), lif=lif(6), back=nir.Linear(drawn(6, 6)), output=end(6),
    )  # fmt: skip
    network, x = network_from_nir(given), noise(3, scale=2.0)
    whole, _ = network.run({"input": x})
    first, state = network.run({"input": x[:11]})
    second, _ = network.run({"input": x[11:]}, state)
    assert torch.equal(whole["output"], torch.cat([first["output"], second["output"]]))


def recurrent_part() -> Any:
    return graph(
        "input lif output, lif w_rec lif",
        input=entry(4), lif=lif(4), w_rec=nir.Linear(drawn(4, 4)), output=end(4),
    )  # fmt: skip


def test_subgraphs_are_what_is_inside_them(tmp_path: Path) -> None:
    part, weight = recurrent_part(), nir.Linear(drawn(4, 3))
    nested = nir.NIRGraph(
        {"input": entry(3), "w": weight, "rnn": part, "output": end(4)},
        [("input", "w"), ("w", "rnn"), ("rnn", "output")],
    )
    plain = graph("input w lif output, lif back lif", input=entry(3), w=weight, output=end(4),
                  lif=part.nodes["lif"], back=part.nodes["w_rec"])  # fmt: skip
    nir.write(tmp_path / "nested.nir", nested)
    network, x = network_from_nir(nir.read(tmp_path / "nested.nir")), noise(3, scale=2.0)
    assert list(network.network.neurons) == ["rnn_lif"]
    found, expected = (each.run({"input": x})[0]["output"] for each in (network, network_from_nir(plain)))
    assert expected.sum() > 20
    assert torch.equal(found, expected)


def test_subgraphs_of_subgraphs_and_chains_of_them() -> None:
    inner = graph("input lif output", input=entry(3), lif=lif(3), output=end(3))
    outer = graph("input inner w inner2 output", input=entry(3), inner=inner, inner2=inner,
                  w=nir.Linear(drawn(3, 3, low=0.0)), output=end(3))  # fmt: skip
    whole = graph("input outer output", input=entry(3), outer=outer, output=end(3))
    found = from_nir(whole, sim_steps=20).network.spikes(torch.ones(1, 3))
    assert [len(found), *found[-1].shape] == [2, 20, 1, 3]


def test_currents_that_meet_add_up_and_a_bias_counts_once() -> None:
    first, second, weight, bias = drawn(5, 2), drawn(5, 3), drawn(4, 5), drawn(4)
    given = graph(
        "a wa join out, b wb join", a=entry(2), b=entry(3), wa=nir.Linear(first), wb=nir.Linear(second),
        join=nir.Affine(weight, bias), out=end(4),
    )  # fmt: skip
    x, y = noise(2), noise(3)
    found, _ = network_from_nir(given).run({"a": x, "b": y})
    total = x.double() @ torch.as_tensor(first).t() + y.double() @ torch.as_tensor(second).t()
    torch.testing.assert_close(found["out"], (total @ torch.as_tensor(weight).t() + torch.as_tensor(bias)).float())


def test_several_inputs_and_outputs_and_a_branch() -> None:
    node, weights = lif(4), [drawn(4, 2), drawn(4, 3), drawn(2, 4)]
    given = graph(
        "a wa lif all, b wb lif read some", a=entry(2), b=entry(3), lif=node, all=end(4), some=end(2),
        wa=nir.Linear(weights[0]), wb=nir.Linear(weights[1]), read=nir.Linear(weights[2]),
    )  # fmt: skip
    x, y = noise(2, scale=2.0), noise(3, scale=2.0)
    found, _ = network_from_nir(given).run({"a": x, "b": y})
    current = x.double() @ torch.as_tensor(weights[0]).t() + y.double() @ torch.as_tensor(weights[1]).t()
    expected = euler_lif(current, node)
    assert expected.sum() > 20
    assert torch.equal(found["all"].double(), expected)
    torch.testing.assert_close(found["some"].double(), expected @ torch.as_tensor(weights[2]).t())


@pytest.mark.parametrize("r", [1.0, 2.5, 0.006 / DT, -3.0])
def test_any_resistance(r: float) -> None:
    node = lif(5, r=r)
    given = graph("input lif output", input=entry(5), lif=node, output=end(5))
    x = noise(5, scale=8.0 / r)
    found, _ = network_from_nir(given).run({"input": x})
    expected = euler_lif(x, node)
    assert expected.sum() > 50
    assert torch.equal(found["output"].double(), expected)
    steady = from_nir(given, sim_steps=STEPS).network.spikes(x[0])[0]
    assert torch.equal(steady.double(), euler_lif(x[:1].expand(STEPS, -1, -1), node))


@pytest.mark.parametrize("w_in", [1.0, 3.0])
@pytest.mark.parametrize("r", [1.0, 5.0])
def test_current_based_neurons(r: float, w_in: float) -> None:
    full = [np.full(3, value) for value in (0.004, 0.005, r, 0.1, 1.0, 0.0)]
    given = graph("input n output", input=entry(3), n=nir.CubaLIF(*full, w_in=np.full(3, w_in)), output=end(3))
    x = noise(3, scale=10.0 / r / w_in).double()
    i, v, expected = 0 * x[0], 0.1 + 0 * x[0], []
    for now in x:
        i = i + DT / 0.004 * (w_in * now - i)
        v = v + DT / 0.005 * (0.1 - v + r * i)
        expected.append((v >= 1.0).double())
        v = torch.where(v >= 1.0, 0 * v, v)
    found, _ = network_from_nir(given).run({"input": x.float()})
    assert torch.stack(expected).sum() > 50
    assert torch.equal(found["output"].double(), torch.stack(expected))


def test_a_leaky_integrator_gives_its_potential() -> None:
    given = graph("input n w output", input=entry(3), w=nir.Linear(2 * np.eye(3)), output=end(3),
                  n=nir.LI(np.full(3, 0.004), np.full(3, 1.5), np.full(3, 0.3)))  # fmt: skip
    x = noise(3).double()
    v, expected = 0.3 + 0 * x[0], []
    for now in x:
        v = v + DT / 0.004 * (0.3 - v + 1.5 * now)
        expected.append(2 * v)
    found, _ = network_from_nir(given).run({"input": x.float()})
    torch.testing.assert_close(found["output"].double(), torch.stack(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["AvgPool2d", "SumPool2d"])
def test_pools_behind_convolutions(kind: str) -> None:
    kernel, two = drawn(3, 2, 3, 3), np.array([2, 2])
    pool = getattr(nir, kind)(two, two, np.array([0, 0]))
    given = graph(
        "input conv pool n output", input=entry(2, 6, 6), conv=nir.Conv2d((6, 6), kernel, 1, 0, 1, 1, None),
        pool=pool, n=nir.IF(np.full((3, 2, 2), 1 / DT), np.ones((3, 2, 2))), output=end(3, 2, 2),
    )  # fmt: skip
    x = noise(2, 6, 6)
    current = nn.functional.conv2d(x.flatten(0, 1), torch.as_tensor(kernel, dtype=torch.float32))
    pooled = nn.functional.avg_pool2d(current, 2) * (1 if kind == "AvgPool2d" else 4)
    neurons = IF((3, 2, 2))
    expected = neurons.scan(pooled.view(STEPS, BATCH, 3, 2, 2), neurons.init_state(BATCH))[0]
    found, _ = network_from_nir(given).run({"input": x})
    assert expected.sum() > 20
    torch.testing.assert_close(found["output"], expected)
    assert from_nir(given).network.spikes(x[0])[0].shape == (4, BATCH, 3, 2, 2)


def test_single_numbers_hold_for_all_neurons() -> None:
    numbers = [np.array(value) for value in (0.006, 4.0, 0.1, 1.0, 0.0)]
    single = graph("input w lif output", input=entry(3), w=nir.Linear(np.eye(3)), lif=nir.LIF(*numbers), output=end(3))
    x = noise(3, scale=2.0)
    expected = euler_lif(x, lif(3))
    assert torch.equal(network_from_nir(single).run({"input": x})[0]["output"].double(), expected)
    assert from_nir(single).network.spikes(x[0])[0].shape == (4, BATCH, 3)


@pytest.mark.parametrize("delays", [[0.003] * 3, [0.0, 0.002, 0.005]])
def test_delays(delays: list[float]) -> None:
    given = graph("input d w n output", input=entry(3), d=nir.Delay(np.array(delays)), w=nir.Linear(np.eye(3)),
                  n=nir.IF(np.full(3, 1 / DT), np.ones(3)), output=end(3))  # fmt: skip
    x = (noise(3) > 0.7).float()
    found, _ = network_from_nir(given).run({"input": x})
    for neuron, delay in enumerate(delays):
        steps = round(delay / DT)
        assert torch.equal(found["output"][steps:, :, neuron], x[: STEPS - steps, :, neuron])
        assert not found["output"][:steps, :, neuron].any()


BROKEN = {
    "a way that ends": ("input w lif output, input side", {"side": nir.Linear(np.eye(3))}, "graph=side: must be on"),
    "a node that nothing reaches": ("input w lif output, w2 lif", {"w2": nir.Linear(np.eye(3))}, "graph=w2: must be r"),
    "a loop without neurons": ("input w lif output, w w2 w", {"w2": nir.Linear(np.eye(3))}, "a loop through neurons"),
    "no output": ("input w lif", {"output": lif(3)}, "a graph with an Output node"),
    "shapes that differ": ("input w lif output, input w2 lif", {"w2": nir.Linear(np.ones((4, 3)))}, "w2 -> lif=[4]"),
    "a node that is not there": ("input w lif output, output x", {}, "there is no x"),
    "another kind of node": ("input w lif output", {"w": nir.Threshold(np.ones(3))}, "w=Threshold: must be Affine"),
    "a subgraph with two inputs": (
        "input w lif output, w sub lif",
        {"sub": graph("a out, b out", a=entry(3), b=entry(3), out=end(3))},
        "sub=a, b: must be a graph with one Input node, not 2",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_said_and_not_left_out(case: str) -> None:
    edges, nodes, message = BROKEN[case]
    usual = {"input": entry(3), "w": nir.Linear(np.eye(3)), "lif": lif(3), "output": end(3)}
    with pytest.raises(ConfigError, match=re.escape(message)):
        network_from_nir(graph(edges, **{**usual, **nodes}))


def test_a_loop_is_pointed_to_the_reader_that_takes_it() -> None:
    given = graph("input lif output, lif w lif", input=entry(3), lif=lif(3), w=nir.Linear(np.eye(3)), output=end(3))
    with pytest.raises(ConfigError, match="must be a chain, without branches and loops; network_from_nir takes any"):
        from_nir(given)


def network_of_all() -> Network:
    torch.manual_seed(0)
    network = Network()
    network.add("input", (2, 5, 5))
    network.add("maps", LIF((3, 3, 3), tau_mem=4.0, v_threshold=0.7, reset="soft"))
    network.add("middle", CurrentLIF(6, tau_syn=3.0, tau_mem=6.0))
    network.add("copy", IF(6))
    network.add("value", LeakyIntegrator(2, tau_mem=8.0))
    network.connect("input", "maps", Conv2d(2, 3, 3, weight_std=0.8))
    network.connect("maps", "middle", Dense(27, 6, weight_std=0.8, weight_mean=0.2), delay=2.0)
    network.connect("middle", "middle", Lateral(6, weight_std=0.5))
    network.connect("middle", "copy", OneToOne(6, weight_mean=1.0))
    pairs = torch.tensor([[1, 0, 1, 1], [0, 1, 4, 5]])
    network.connect("copy", "value", Sparse(6, 2, pairs, weight_mean=1.0))
    return network


def test_a_network_of_populations_comes_back_with_equal_spikes(tmp_path: Path) -> None:
    network, x = network_of_all(), (noise(2, 5, 5) > 0.5).float()
    nir.write(tmp_path / "network.nir", network_to_nir(network, outputs=["maps", "copy", "value"]))
    found, _ = network_from_nir(nir.read(tmp_path / "network.nir")).run({"input": x})
    recording, _ = network.run({"input": x})
    for name in ("maps", "copy"):
        assert recording[name]["spikes"].sum() > 20
        assert torch.equal(found[f"output_{name}"], recording[name]["spikes"])
    torch.testing.assert_close(found["output_value"], recording["value"]["spikes"])


def test_what_was_read_can_be_written_again() -> None:
    given = network_to_nir(network_of_all())
    again = network_to_nir(network_from_nir(given).network)
    x = (noise(2, 5, 5) > 0.5).float()
    first, second = (network_from_nir(each).run({"input": x})[0]["output_value"] for each in (given, again))
    assert first.abs().sum() > 1
    assert torch.equal(first, second)


@pytest.mark.parametrize("model", [EscapeNoise(6, tau_mem=7.0, width=0.3), SaturatingIF(6, gain=0.4, tonic=0.1)])
def test_models_that_nir_has_no_node_for_come_back_by_their_metadata(model: Any, tmp_path: Path) -> None:
    network = Network()
    network.add("input", 3)
    network.add("out", model)
    network.connect("input", "out", Dense(3, 6, weight_mean=0.7, weight_std=0.2))
    nir.write(tmp_path / "network.nir", network_to_nir(network))
    imported, x = network_from_nir(nir.read(tmp_path / "network.nir")), (noise(3) > 0.5).float()
    torch.manual_seed(1)
    expected = network.run({"input": x})[0]["out"]["spikes"]
    torch.manual_seed(1)
    found = imported.run({"input": x})[0]["output_out"]
    assert type(imported.network.neuron("out")) is type(model)
    assert expected.sum() > 20
    assert torch.equal(found, expected)


def test_the_node_of_a_saturating_neuron_is_near_it_for_those_who_do_not_know_the_model() -> None:
    network = Network()
    network.add("input", 3)
    network.add("out", SaturatingIF(4, gain=0.05))
    network.connect("input", "out", Dense(3, 4, weight_mean=1.0))
    given = network_to_nir(network)
    given.nodes["out"].metadata.pop("model")
    x = (noise(3) > 0.5).float()
    plain = network_from_nir(given).run({"input": x})[0]["output_out"].sum(0)
    assert plain.sum() > 20
    assert (plain - network.run({"input": x})[0]["out"]["spikes"].sum(0)).abs().max() <= 1


def test_what_nir_has_no_node_for_is_refused_by_its_name() -> None:
    network = Network()
    network.add("input", 3)
    network.add("out", Izhikevich(4))
    network.connect("input", "out", Dense(3, 4))
    with pytest.raises(ConfigError, match="out: neuron=Izhikevich: must be LIF, IF"):
        network_to_nir(network)
