"""Other simulators, where they are installed, spike as ours do: what we write, and what they write themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnrl.networks.layered import LayeredNetwork, LayerSettings

nir = pytest.importorskip("nir", reason="the package nir is not installed")

from snnrl.integrations.nir import network_from_nir, to_nir  # noqa: E402

STEPS, THEIRS = 20, 1e-4
pytestmark = pytest.mark.filterwarnings("ignore")


def inputs(*shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(STEPS, 9, *shape, generator=torch.Generator().manual_seed(1))


def through_a_file(graph: Any, folder: Path) -> Any:
    nir.write(folder / "network.nir", graph)
    return nir.read(folder / "network.nir")


@torch.no_grad()
def stepped(module: Callable[..., Any], x: Tensor) -> Tensor:
    """Spikes of a module that takes a step and its state."""
    state, found = None, []
    for now in x:
        out = module(now, state)
        state = out[-1]
        found.append(out[0][0] if isinstance(out[0], tuple) else out[0])
    return torch.stack(found)


def feed_forward(neuron: str) -> LayeredNetwork:
    torch.manual_seed(0)
    return LayeredNetwork.dense(6, [20, 15], LayerSettings(sim_steps=STEPS, neuron=neuron, reset="hard"))


@pytest.mark.parametrize("neuron", ["lif", "if"])
def test_norse_reads_layers(neuron: str, tmp_path: Path) -> None:
    norse = pytest.importorskip("norse.torch", reason="norse is not installed")
    network = feed_forward(neuron)
    x = inputs(6)[:1].expand(STEPS, -1, -1)
    found = stepped(norse.from_nir(through_a_file(to_nir(network, (6,), resistance="unit"), tmp_path)), x)
    assert found.sum() > 20
    assert torch.equal(found, network.spikes(x[0])[-1])


def test_norse_writes_layers_and_a_leaky_readout(tmp_path: Path) -> None:
    norse = pytest.importorskip("norse.torch", reason="norse is not installed")
    torch.manual_seed(0)
    lif, li = norse.LIFBoxParameters(torch.tensor(200.0)), norse.LIBoxParameters(torch.tensor(100.0))
    linear = nn.Linear(6, 12)
    nn.init.normal_(linear.weight, std=3.0)
    theirs = norse.SequentialState(linear, norse.LIFBoxCell(lif), nn.Linear(12, 3), norse.LIBoxCell(li))
    x = inputs(6)
    graph = norse.to_nir(theirs, x[0, 0])
    # what norse 1.1 writes as a time constant is dt / tau_mem_inv, of which dt^2 is a step
    found, _ = network_from_nir(graph, dt=1e-6).run({"input": x})
    (output,) = found.values()
    expected = stepped(theirs, x)
    assert expected.abs().sum() > 1
    torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("neuron", ["lif", "current_lif"])
def test_snntorch_reads_layers(neuron: str, tmp_path: Path) -> None:
    pytest.importorskip("snntorch", reason="snnTorch is not installed")
    from snntorch.import_nir import import_from_nir

    network = feed_forward(neuron)
    x = inputs(6)[:1].expand(STEPS, -1, -1)
    found = stepped(import_from_nir(through_a_file(to_nir(network, (6,), dt=THEIRS), tmp_path)), x)
    assert found.sum() > 20
    assert torch.equal(found, network.spikes(x[0])[-1])


def test_snntorch_writes_a_population_that_drives_itself(tmp_path: Path) -> None:
    snntorch = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(0)
    reset = {"reset_mechanism": "zero", "reset_delay": False}
    cell, linear = snntorch.RLeaky(beta=0.8, **reset, linear_features=12, init_hidden=True), nn.Linear(6, 12)
    graph = through_a_file(export_to_nir(nn.Sequential(linear, cell), inputs(6)[0, 0]), tmp_path)
    x = inputs(6, scale=3.0)
    (found,) = network_from_nir(graph, dt=THEIRS).run({"input": x})[0].values()
    with torch.no_grad():
        expected = torch.stack([cell(linear(now)) for now in x])
    assert expected.sum() > 20
    assert torch.equal(found, expected)
