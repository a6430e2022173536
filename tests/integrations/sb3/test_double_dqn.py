"""Double DQN: what is learned from, and that without it the algorithm is SB3's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.env_util import make_vec_env

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
