"""DQN: what double DQN and n-step returns learn from, and that without them the algorithm is SB3's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.env_util import make_vec_env

from snnrl.errors import ConfigError
from snnrl.integrations.sb3.building import agent_class, read_config
from snnrl.integrations.sb3.double_dqn import DoubleDQN

BRIEF: dict[str, Any] = {"learning_starts": 32, "buffer_size": 500, "target_update_interval": 10_000, "gamma": 0.9}


def made(kind: type[DQN], **settings: Any) -> DQN:
    envs = make_vec_env("CartPole-v1", 1, seed=0)
    layers = {"net_arch": [16], "sim_steps": 2}
    return kind("SpikingMlpPolicy", envs, policy_kwargs=layers, seed=0, device="cpu", **BRIEF, **settings).learn(100)


def test_without_the_double_estimator_it_is_that_of_stable_baselines() -> None:
    first, second = (model.policy.state_dict() for model in (made(DQN), made(DoubleDQN, double_q=False)))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_network_chooses_and_its_slow_copy_says_what_that_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(DoubleDQN, double_q=True)
    with torch.no_grad():
        model.q_net_target.load_state_dict(model.q_net.state_dict())
        for weights in model.q_net_target.q_net[-1].parameters():
            weights.neg_()  # so that it likes best what the network likes least
    buffer = model.replay_buffer
    assert buffer is not None
    seen = buffer.sample(64)
    monkeypatch.setattr(buffer, "sample", lambda *_, **__: seen)
    rows = torch.arange(64)
    with torch.no_grad():
        next_values, slow = model.q_net(seen.next_observations), model.q_net_target(seen.next_observations)
        worth = slow[rows, next_values.argmax(1)]
        assert torch.all(worth < slow.amax(1)), "the two estimators differ"
        wanted = seen.rewards[:, 0] + 0.9 * (1 - seen.dones[:, 0]) * worth
        values = model.q_net(seen.observations)[rows, seen.actions[:, 0]]
        loss = torch.nn.functional.smooth_l1_loss(values, wanted)
    before = model._n_updates
    model.train(1, 64)
    assert model._n_updates == before + 1
    assert model.logger.name_to_value["train/loss"] == pytest.approx(loss.item(), rel=1e-5)
    with torch.no_grad():
        after = model.q_net(seen.observations)[rows, seen.actions[:, 0]]
    assert not torch.equal(after, values)


@pytest.mark.parametrize("name", ["dqn", "sac", "td3"])
def test_rewards_of_several_steps_are_summed_before_what_follows_is_valued(name: str) -> None:
    recipe = {"name": name, "n_steps": 3, "gamma": 0.9, "net_arch": [4], "buffer_size": 400, "learning_starts": 400}
    envs = make_vec_env("CartPole-v1" if name == "dqn" else "Pendulum-v1", 1, seed=0)
    model = agent_class(recipe).algorithm(read_config(recipe), envs, seed=0, device="cpu").learn(300)
    buffer = model.replay_buffer
    rows = torch.arange(250).numpy()
    seen = buffer._get_samples(rows)
    for row in rows:
        reward, place, discount = 0.0, row, 1.0
        for _ in range(3):
            reward += discount * float(buffer.rewards[place, 0])
            discount *= 0.9
            place += 1
            if buffer.dones[place - 1, 0]:
                break
        assert float(seen.rewards[row]) == pytest.approx(reward, rel=1e-5)
        assert float(seen.discounts[row]) == pytest.approx(discount, rel=1e-5)
        assert seen.next_observations[row].numpy() == pytest.approx(buffer.next_observations[place - 1, 0])


def test_more_steps_than_are_remembered_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"agent.n_steps=11: must be at most agent.buffer_size \(10\)"):
        read_config({"name": "dqn", "n_steps": 11, "buffer_size": 10})
