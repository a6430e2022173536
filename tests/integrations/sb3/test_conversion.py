"""Rates of the spiking network approach the activations of the one that it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError
from snnrl.integrations.sb3.agent import SB3Agent
from snnrl.integrations.sb3.conversion import convert, same_actions, spiking_recipe
from snnrl.integrations.sb3.cost import decision_cost, energy
from snnrl.integrations.sb3.observing import gather
from snnrl.loading import make_agent_for
from snnrl.recipes import compose_run

CASES = [("ppo", "CartPole"), ("a2c", "CartPole"), ("dqn", "CartPole"), ("sac", "Pendulum"), ("td3", "Pendulum")]


def made(name: str, env: str, seed: int = 1, **settings: Any) -> tuple[SB3Agent, dict[str, Any], EnvConfig]:
    composed = compose_run([f"env={env}", f"agent={name}_ann"])
    recipe = EnvConfig.from_mapping(composed["env"])
    agent = {**composed["agent"], "activation": "relu", **settings}
    return make_agent_for(recipe, agent, seed), agent, recipe


def outputs(agent: SB3Agent, x: torch.Tensor) -> torch.Tensor:
    """Logits, values of actions or means of actions, which is all that acting needs."""
    policy: Any = agent.policy
    with torch.no_grad():
        if hasattr(policy, "mlp_extractor"):
            return policy.get_distribution(x).distribution.logits
        if hasattr(policy, "q_net"):
            return policy.q_net(x)
        if hasattr(policy.actor, "latent_pi"):
            return policy.actor.get_action_dist_params(x)[0]
        return policy.actor(x)


def busy(agent: SB3Agent) -> None:
    """Give the layers weights that tell observations apart, as a trained network has."""
    with torch.no_grad():
        for module in agent.policy.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5 * 1.5)
                nn.init.normal_(module.bias, std=0.1)


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize(("name", "env"), CASES)
def test_outputs_approach_those_before(name: str, env: str, calibrate: bool) -> None:
    agent, recipe, config = made(name, env)
    torch.manual_seed(0)
    busy(agent)
    observations, unseen = torch.randn(2, 512, *agent.model.observation_space.shape)
    before = outputs(agent, unseen)
    errors = []
    for steps in (4, 32, 256):
        chosen = spiking_recipe(recipe, steps)
        spiking = convert(agent, chosen, config, observations, percentile=100, calibrate=calibrate)
        errors.append(float((outputs(spiking, unseen) - before).abs().mean() / before.std()))
    assert errors[1] < errors[0] / 2
    assert errors[2] < errors[1] / 2
    assert errors[2] < 0.03
    assert same_actions(agent, spiking, unseen) > 0.97


def test_a_convolutional_network() -> None:
    agent, recipe, config = made("dqn", "Breakout", net_arch=None, buffer_size=10)
    observations = torch.randint(0, 256, (12, 4, 84, 84), dtype=torch.uint8)
    before = outputs(agent, observations)
    errors = []
    for steps in (4, 32):
        spiking = convert(agent, spiking_recipe(recipe, steps), config, observations, percentile=100, calibrate=False)
        errors.append(float((outputs(spiking, observations) - before).abs().mean()))
    assert errors[1] < errors[0] / 2
    cost = decision_cost(spiking, observations)
    assert [layer.neurons for layer in cost.layers] == [32 * 20 * 20, 64 * 9 * 9, 64 * 7 * 7, 512]
    macs = [32 * 400 * 4 * 64, 64 * 81 * 32 * 16, 64 * 49 * 64 * 9, 64 * 49 * 512]
    assert [layer.macs for layer in cost.layers] == macs


def test_observations_are_normalised_as_before() -> None:
    agent, recipe, config = made("ppo", "CartPole", normalise_observation=True)
    assert agent.statistics is not None
    agent.statistics.mean, agent.statistics.var = agent.statistics.mean + 0.3, agent.statistics.var * 4
    observations = gather(agent, config, 100, seed=0)
    assert observations.shape == (100, 4)
    spiking = convert(agent, spiking_recipe(recipe, 8), config, observations)
    assert spiking.statistics is not None
    assert (spiking.statistics.mean == agent.statistics.mean).all()
    assert (spiking.statistics.var == agent.statistics.var).all()


def test_what_spikes_already_or_has_no_relu_is_refused() -> None:
    _, recipe, _ = made("ppo", "CartPole")
    with pytest.raises(ConfigError, match=r"agent.activation=tanh: must be relu"):
        spiking_recipe({**recipe, "activation": "tanh"}, 8)
    with pytest.raises(ConfigError, match=r"agent.activation=tanh: must be relu"):
        spiking_recipe({**recipe, "activation": None}, 8)
    with pytest.raises(ConfigError, match="of a network that does not spike"):
        spiking_recipe({**recipe, "network": "spiking"}, 8)


def test_energy_is_the_sum_of_its_operations() -> None:
    composed = compose_run(["env=CartPole", "agent=ppo", "agent.sim_steps=5"])
    agent = make_agent_for(EnvConfig.from_mapping(composed["env"]), composed["agent"])
    cost = decision_cost(agent, torch.randn(20, 4))
    assert cost.macs == 4 * 64 + 64 * 64 + 64 * 2
    assert cost.steady_macs == 4 * 64
    assert cost.updates == 5 * 128
    assert cost.parameters == 4 * 64 + 64 + 64 * 64 + 64 + 64 * 2 + 2
    assert cost.operations == pytest.approx(cost.layers[0].spikes * 64 + cost.layers[1].spikes * 2)
    found = energy(cost)
    spiking = (cost.steady_macs + cost.updates) * 4.6 + cost.operations * 0.9
    assert found["arithmetic"]["spiking"] == pytest.approx(spiking / 1000)
    assert found["arithmetic"]["ann"] == pytest.approx(cost.macs * 4.6 / 1000)
    word = 10.0  # half of what 64 bits take: the parameters fit 32 KB
    traffic = (cost.steady_macs + cost.operations + 2 * cost.updates) * word
    assert found["with memory"]["spiking"] == pytest.approx((spiking + traffic) / 1000)
