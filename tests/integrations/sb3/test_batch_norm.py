"""Policies with batch normalisation: trained by batches, played by running statistics, which are made anew at times."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import snnrl
from snnrl.networks.normalisation import ReCalibratedNorm

OFF = {"learning_starts": 20, "buffer_size": 200, "batch_size": 16, "net_arch": [12], "recalibrate_every": 50}
ON = {"n_steps": 32, "net_arch": [12]}
CASES = [("dqn", "CartPole", OFF), ("sac", "Pendulum", OFF), ("td3", "Pendulum", OFF), ("a2c", "CartPole", ON)]
CASES += [("ppo", "CartPole", {**ON, "batch_size": 16})]


@pytest.mark.parametrize(("name", "env", "settings"), CASES)
def test_an_agent_learns_and_its_statistics_are_those_of_what_it_meets(
    name: str, env: str, settings: dict[str, Any]
) -> None:
    agent = snnrl.make_agent(env, name, norm="batch", sim_steps=2, **settings).learn(50 if settings is OFF else 64)
    norms = [part for part in agent.policy.modules() if isinstance(part, ReCalibratedNorm)]
    assert norms
    assert any((norm.weight != 0.5).any() for norm in norms), "trained"
    acting = next(norm for norm in norms if norm.running_mean.any())
    assert acting.gathered is None
    assert not acting.training
    if settings is OFF:  # the last thing that was done is a calibration, by what is remembered
        buffer = agent.model.replay_buffer
        observations = torch.from_numpy(buffer.observations[: buffer.pos].reshape(-1, *buffer.obs_shape))
        mean = {"dqn": "q_net.q_net.0", "sac": "actor.latent_pi.0", "td3": "actor.mu.0"}[name]
        layer = agent.policy.get_submodule(mean).spiking_layers()[0]
        spread = layer.synapses(observations).std(0).amax()
        expected = layer.synapses(observations).mean(0)
        assert (layer.norm.running_mean - expected).abs().amax() < 0.2 * spread


def test_a_slow_copy_takes_statistics_with_the_weights() -> None:
    settings = {**OFF, "target_update_interval": 8, "tau": 0.5}
    agent = snnrl.make_agent("CartPole", "dqn", norm="batch", sim_steps=2, **settings).learn(49)
    fast, slow = (net.q_net[0].spiking_layers()[0].norm for net in (agent.policy.q_net, agent.policy.q_net_target))
    agent.model._on_step()
    assert fast.running_mean.any()
    assert torch.equal(fast.running_mean, slow.running_mean)
