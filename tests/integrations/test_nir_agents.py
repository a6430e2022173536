"""Agents that learn by local rules, written to NIR: synapses, neurons, and the name of what encodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import snnrl
from snnrl.networks.inputs import NetworkInput

nir = pytest.importorskip("nir", reason="the package nir is not installed")

from snnrl.integrations.nir import agent_to_nir, main, network_from_nir  # noqa: E402

HIDDEN = {"hidden": [{"size": 7, "neuron": "lif", "recurrent": "lateral", "connection": {"name": "dense"}}]}


def agent(**settings: Any) -> Any:
    return snnrl.make_agent("CartPole", "rstdp", **settings)


@pytest.mark.parametrize("network", [{}, HIDDEN])
def test_actor_and_critic_come_back_with_equal_spikes(network: dict[str, Any], tmp_path: Path) -> None:
    learned = agent(network=network) if network else agent()
    nir.write(tmp_path / "agent.nir", agent_to_nir(learned))
    graph = nir.read(tmp_path / "agent.nir")
    imported = network_from_nir(graph)
    steps = graph.metadata["sim_steps"]
    size = learned.network.encoder.size
    x = (torch.rand(steps, 3, size, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    own = learned.network.eval()
    given = NetworkInput({"input": x}, {}, {}, {}, steps, 3)
    own.neuron("actor").generator = imported.network.neuron("actor").generator = None
    torch.manual_seed(5)
    expected, _, _ = own.observe(given, own.init_activity(3))
    torch.manual_seed(5)
    found, _ = imported.run({"input": x})
    assert expected["actor"].sum() > 0
    assert expected["critic"].sum() > 0
    for name in ("actor", "critic"):
        assert torch.equal(found[f"output_{name}"], expected[name])


def test_the_encoder_is_named_with_its_settings(tmp_path: Path) -> None:
    learned = agent(encoder={"name": "population", "spikes_per_step": 3.0})
    nir.write(tmp_path / "agent.nir", agent_to_nir(learned))
    said = nir.read(tmp_path / "agent.nir").metadata
    assert said["encoder"]["name"] == "population"
    assert said["encoder"]["settings"]["spikes_per_step"] == 3.0
    assert said["actions"] == 2
    assert said["persistent"] == 1


def test_the_command_writes_an_agent_of_local_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from snnrl.train import main as train

    run = tmp_path / "run"
    assert (
        train(["env=CartPole", "env_steps=200", "logger=none", "progress=none", "eval.episodes=1", f"run_dir={run}"])
        == 0
    )
    assert main([f"run={run}", f"out={tmp_path / 'agent.nir'}"]) == 0
    graph = nir.read(tmp_path / "agent.nir")
    assert {type(node).__name__ for node in graph.nodes.values()} >= {"LIF", "CubaLIF", "Linear"}
    assert network_from_nir(graph).network.neuron("actor").size == 20
