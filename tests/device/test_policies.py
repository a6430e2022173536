"""Spiking policies of stable-baselines3 train on a GPU; what a step comes to there is mostly the library's."""

from __future__ import annotations

import pytest

from snnrl.config import RunConfig
from snnrl.integrations.sb3.sb3_task import SB3Task
from snnrl.recipes import compose_run
from tests.simulated_gpu import Cost, OnGPU, simulated_gpu

CASES: dict[str, tuple[list[str], Cost]] = {
    "ppo": (
        ["env=CartPole", "agent.n_steps=8", "agent.batch_size=16", "agent.n_epochs=1"],
        Cost(54, to_gpu=1, to_host=2, waits=5),
    ),
    "a2c": (["env=CartPole"], Cost(58, to_gpu=2, to_host=2, waits=5)),
    "dqn": (["env=CartPole", "agent.learning_starts=8"], Cost(14, to_gpu=1, waits=1)),
    "sac": (["env=Pendulum", "agent.learning_starts=8"], Cost(66, to_gpu=1, to_host=1, waits=3)),
    "td3": (["env=Pendulum", "agent.learning_starts=8"], Cost(28, to_gpu=1, to_host=1, waits=1)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_policy_trains_at_a_known_cost(name: str) -> None:
    words, most = CASES[name]
    quiet = [f"agent={name}", "num_envs=2", "env_steps=4000", "device=cuda"]
    with simulated_gpu() as counts:
        run = SB3Task(RunConfig.from_mapping(compose_run([*words, *quiet])))
        run.begin(0, 0)
        before = [weight.detach().cpu() for weight in run.model.parameters()]
        steps, losses = 0, False
        counts.reset()
        while not losses:
            assert steps < 100, "it learns"
            stepped = run.step()
            steps, losses = steps + stepped.steps, any("loss" in key for key in stepped.metrics)
        counts.check(most, steps)
        weights = list(run.model.parameters())
        run.close()
        assert all(isinstance(weight, OnGPU) for weight in weights)
        assert any(not weight.detach().cpu().equal(old) for weight, old in zip(weights, before, strict=True))
