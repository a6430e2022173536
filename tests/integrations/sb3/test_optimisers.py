"""Optimisers update all parameters in one call, and go on as they were where a run of before has another way."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import pytest
import torch
from torch.optim import Adam

import snnrl
from snnrl.integrations.sb3.agent import AnySB3Agent, SB3Agent, _find

AGENTS = {"ppo": "CartPole", "dqn_ann": "CartPole", "sac": "Pendulum", "td3_ann": "Pendulum"}


def optimisers(agent: AnySB3Agent) -> Iterator[Adam]:
    names, _ = agent.model._get_torch_save_params()
    return (found for name in names if isinstance(found := _find(agent.model, name), Adam))


@pytest.mark.parametrize("name", list(AGENTS))
def test_adam_updates_all_parameters_in_one_call(name: str) -> None:
    agent = snnrl.make_agent(AGENTS[name], name, net_arch=[4])
    assert isinstance(agent, SB3Agent)
    found = list(optimisers(agent))
    assert found
    for fast in found:
        slow = deepcopy(fast)
        for group in slow.param_groups:
            assert group["fused"]
            group["fused"] = False
        for _ in range(3):
            for one, other in zip(fast.param_groups[0]["params"], slow.param_groups[0]["params"], strict=True):
                one.grad = torch.randn_like(one)
                other.grad = one.grad.clone()
            fast.step()
            slow.step()
        torch.testing.assert_close(fast.param_groups[0]["params"], slow.param_groups[0]["params"])
        fast.load_state_dict(slow.state_dict())
        assert not fast.param_groups[0]["fused"], "a run of before goes on by the same sums"
