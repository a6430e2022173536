"""Networks through NIR come back with equal spikes, and spike alike in others' hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from snnrl.errors import ConfigError
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.neurons import LIF

nir = pytest.importorskip("nir", reason="the package nir is not installed")

from snnrl.integrations.nir import from_nir, main, policy_to_nir, to_nir  # noqa: E402

STEPS = 12


def dense(**settings: Any) -> LayeredNetwork:
    torch.manual_seed(0)
    return LayeredNetwork.dense(6, [20, 15], LayerSettings(sim_steps=STEPS, **settings))


def inputs(*shape: int) -> torch.Tensor:
    return torch.randn(9, *shape, generator=torch.Generator().manual_seed(1))


def through_a_file(graph: Any, folder: Path) -> Any:
    nir.write(folder / "network.nir", graph)
    return nir.read(folder / "network.nir")


def same_spikes(first: LayeredNetwork, second: LayeredNetwork, x: torch.Tensor) -> None:
    for one, other in zip(first.spikes(x), second.spikes(x), strict=True):
        assert one.sum() > 20
        assert torch.equal(one, other)


@pytest.mark.parametrize("resistance", ["scaled", "unit"])
@pytest.mark.parametrize("initial", [0.0, 0.5])
@pytest.mark.parametrize("reset", ["soft", "hard"])
@pytest.mark.parametrize("neuron", ["lif", "if", "current_lif"])
def test_a_round_trip_gives_equal_spikes(
    neuron: str, reset: str, initial: float, resistance: Any, tmp_path: Path
) -> None:
    network = dense(neuron=neuron, reset=reset, initial_potential=initial)
    graph = through_a_file(to_nir(network, (6,), resistance=resistance), tmp_path)
    found = from_nir(graph)
    assert found.readout is None
    assert found.network.settings.sim_steps == STEPS
    same_spikes(network, found.network, inputs(6))


@pytest.mark.parametrize("decay_input", [True, False])
def test_neurons_that_differ_from_each_other(decay_input: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    tau, threshold = 1.5 + 5 * torch.rand(20), 0.5 + torch.rand(20)
    neurons = LIF(20, tau_mem=tau, v_threshold=threshold, v_rest=0.1, v_reset=0.2, decay_input=decay_input)
    settings = LayerSettings(sim_steps=STEPS)
    linear = nn.Linear(6, 20)
    nn.init.normal_(linear.weight, std=1.5)
    network = LayeredNetwork.of([linear], [neurons], settings)
    for resistance in ("scaled", "unit"):
        graph = through_a_file(to_nir(network, (6,), resistance=resistance, dt=1e-4), tmp_path)
        same_spikes(network, from_nir(graph).network, inputs(6))


def test_convolutions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = LayerSettings(sim_steps=STEPS)
    synapses = [nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.Sequential(nn.Flatten(), nn.Linear(4 * 5 * 5, 10))]
    network = LayeredNetwork(synapses, [(4, 5, 5), 10], settings)
    graph = through_a_file(to_nir(network, (2, 9, 9)), tmp_path)
    same_spikes(network, from_nir(graph).network, inputs(2, 9, 9))


@pytest.mark.parametrize("readout", ["rate", "count"])
def test_the_mean_output_is_what_the_readout_says(readout: str, tmp_path: Path) -> None:
    network, linear = dense(readout=readout), nn.Linear(15, 3)
    found = from_nir(through_a_file(to_nir(network, (6,), linear), tmp_path))
    torch.testing.assert_close(found.forward(inputs(6)), linear(network(inputs(6))), rtol=1e-4, atol=1e-5)


POLICIES = [("PPO", "CartPole-v1"), ("A2C", "CartPole-v1"), ("DQN", "CartPole-v1"), ("SAC", "Pendulum-v1")]


@pytest.mark.parametrize(("algorithm", "env"), [*POLICIES, ("TD3", "Pendulum-v1")])
def test_policies(algorithm: str, env: str, tmp_path: Path) -> None:
    import stable_baselines3

    import snnrl.integrations.sb3  # noqa: F401

    model = getattr(stable_baselines3, algorithm)("SpikingMlpPolicy", env, device="cpu", seed=0)
    x = inputs(*model.observation_space.shape)
    policy = model.policy
    with torch.no_grad():
        if hasattr(policy, "mlp_extractor"):
            expected = policy.action_net(policy.mlp_extractor.forward_actor(x))
        elif hasattr(policy, "q_net"):
            expected = policy.q_net(x)
        elif algorithm == "SAC":
            expected = policy.actor.get_action_dist_params(x)[0]
        else:
            expected = torch.atanh(policy.actor(x))
        found = from_nir(through_a_file(policy_to_nir(policy), tmp_path)).forward(x)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_the_command_writes_the_policy_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from snnrl.train import main as train

    run = tmp_path / "run"
    words = ["experiment=ppo_cartpole", "env_steps=256", "logger=none", "progress=none", "eval.episodes=2"]
    assert train([*words, f"run_dir={run}"]) == 0
    assert main([f"run={run}", f"out={tmp_path / 'policy.nir'}"]) == 0
    found = from_nir(nir.read(tmp_path / "policy.nir"))
    assert found.forward(inputs(4)).shape == (9, 2)
    assert main([f"run={run}", "ouf=x"]) == 2
    assert "did you mean out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"neuron": "adaptive_lif"}, "neuron=adaptive_lif: must be lif, if or current_lif"),
        ({"coding": "population"}, "coding=population: must be direct"),
        ({"readout": "leaky"}, "readout=leaky: must be rate or count"),
    ],
)
def test_what_nir_cannot_say_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        to_nir(dense(**settings), (6,))


def test_a_graph_that_is_no_chain_is_refused() -> None:
    weight = np.eye(3, dtype=np.float32)
    lif = nir.LIF(*(np.full(3, value) for value in (0.01, 1.0, 0.0, 1.0)))
    nodes = {"input": nir.Input({"input": np.array([3])}), "w": nir.Linear(weight), "lif": lif}
    nodes |= {"back": nir.Linear(weight), "output": nir.Output({"output": np.array([3])})}
    edges = [("input", "w"), ("w", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "output")]
    with pytest.raises(ConfigError, match="must be a chain"):
        from_nir(nir.NIRGraph(nodes, edges))
