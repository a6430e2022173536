"""Targets by networks that do not spike and are fitted to those that do."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import snnrl
from snnrl.errors import ConfigError
from snnrl.integrations.sb3.policies import spiking_parts

BRIEF = {"learning_starts": 20, "buffer_size": 200, "batch_size": 16, "net_arch": [12], "sim_steps": 2}
CASES: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("dqn", "CartPole", {}, ["q_net"]),
    ("dqn", "CartPole", {"double_q": True}, ["q_net"]),
    ("td3", "Pendulum", {}, ["actor"]),
    ("td3", "Pendulum", {"critic": "spiking"}, ["actor", "critic"]),
    ("sac", "Pendulum", {"critic": "spiking"}, ["critic"]),
]


def made(name: str, env: str, **settings: Any) -> Any:
    return snnrl.make_agent(env, name, proxy_target=True, **{**BRIEF, **settings})


def inputs(agent: Any, name: str) -> tuple[torch.Tensor, ...]:
    buffer = agent.model.replay_buffer
    batch = buffer.sample(64)
    return (batch.observations, batch.actions) if name == "critic" else (batch.observations,)


@torch.no_grad()
def distance(one: Any, other: Any, given: tuple[torch.Tensor, ...]) -> float:
    return sum(float((a - b).square().mean()) for a, b in zip(one(*given), other(*given), strict=True))


@pytest.mark.parametrize(("name", "env", "settings", "networks"), CASES)
def test_proxies_stand_in_for_slow_copies_and_come_near_the_spiking_networks(
    name: str, env: str, settings: dict[str, Any], networks: list[str]
) -> None:
    agent = made(name, env, proxy_lr=0.02, **settings).learn(60)
    policy = agent.policy
    assert not spiking_parts(policy.proxies)
    pairs = [
        (proxy, getattr(policy, network), inputs(agent, network))
        for proxy, network in zip(policy.proxies.fitted, networks, strict=True)
    ]
    for (proxy, _, given), network in zip(pairs, networks, strict=True):
        with torch.no_grad():
            found, own = getattr(policy, f"{network}_target")(*given), proxy(*given)
        assert torch.equal(torch.stack([*found]), torch.stack([*own])), "the proxy is what computes targets"
    before = [distance(*pair) for pair in pairs]
    agent._fit_proxies(80)
    for pair, at_first in zip(pairs, before, strict=True):
        assert distance(*pair) < 0.7 * at_first
    assert all(parameter.grad is None for parameter in policy.proxies.parameters())


def test_what_is_not_asked_for_changes_nothing() -> None:
    plain, off = (snnrl.make_agent("CartPole", "dqn", **BRIEF, **more).learn(60) for more in ({}, {"proxy_lr": 0.5}))
    first, second = plain.policy.state_dict(), off.policy.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_saved_agent_keeps_its_proxies_and_their_optimiser(tmp_path: Any) -> None:
    agent = made("td3", "Pendulum").learn(60)
    agent.save(tmp_path / "agent")
    loaded = snnrl.load(tmp_path / "agent")
    first, second = agent.policy.state_dict(), loaded.policy.state_dict()
    assert any(key.startswith("proxies.") for key in first)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert "policy.proxies.optimizer" in agent.learning_state()["modules"]


def test_where_no_target_spikes_it_is_refused() -> None:
    message = "proxy_target=true: must be false unless a network with a target spikes"
    with pytest.raises(ConfigError, match=message):
        made("sac", "Pendulum").learn(8)
