"""Callbacks in the shape of stable-baselines3's, its own among them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import gymnasium
import pytest
import torch
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    EvalCallback,
    StopTrainingOnMaxEpisodes,
)
from stable_baselines3.common.monitor import Monitor

import snnrl

SMALL: dict[str, dict[str, Any]] = {
    "rstdp": {"sim_steps": 4},
    "ppo_ann": {"n_steps": 8, "batch_size": 16, "net_arch": [8]},
}


def make(name: str) -> Any:
    return snnrl.make_agent("CartPole", name, **SMALL[name])


class Witness(BaseCallback):
    """Takes down what it is told."""

    def __init__(self, most: int = 10_000) -> None:
        super().__init__()
        self.most, self.events, self.rows = most, [], []  # type: ignore[var-annotated]

    def _init_callback(self) -> None:
        self.events.append("init")

    def _on_training_start(self) -> None:
        self.events.append("start")

    def _on_step(self) -> bool:
        self.rows.append((self.num_timesteps, {key: self.locals[key] for key in ("rewards", "dones", "infos")}))
        self.logger.record("mine/calls", self.n_calls)
        return self.n_calls < self.most

    def _on_training_end(self) -> None:
        self.events.append("end")


@pytest.mark.parametrize("name", SMALL)
def test_a_callback_of_stable_baselines3_is_told_of_every_step(name: str) -> None:
    witness = Witness()
    agent = make(name).learn(160, witness)
    assert witness.events == ["init", "start", "end"]
    steps = [number for number, _ in witness.rows]
    assert steps == sorted(steps)
    assert steps[-1] == agent.num_timesteps >= 160
    assert witness.model is (agent if name == "rstdp" else agent.model)
    assert all(len(row["infos"]) == len(row["dones"]) == len(row["rewards"]) == 8 for _, row in witness.rows)
    ended = sum(int(row["dones"].sum()) for _, row in witness.rows)
    assert ended == sum("episode" in info for _, row in witness.rows for info in row["infos"]) > 0
    assert any("mine/calls" in row for row in agent.history)


@pytest.mark.parametrize("name", SMALL)
def test_a_callback_that_returns_false_ends_learning(name: str) -> None:
    agent = make(name).learn(1600, Witness(most=3))
    assert agent.num_timesteps == 3 * 8
    first, second = Witness(), Witness(most=2)
    agent = make(name).learn(1600, [first, second])
    assert agent.num_timesteps == 2 * 8
    assert len(first.rows) == 2


@pytest.mark.parametrize("name", SMALL)
def test_a_function_is_called_with_locals_and_globals(name: str) -> None:
    seen: list[int] = []

    def ends(variables: dict[str, Any], others: dict[str, Any]) -> bool:
        seen.append(variables["self"].num_timesteps)
        return len(seen) < 4

    make(name).learn(1600, ends)
    assert seen == [8, 16, 24, 32]
    make(name).learn(32, lambda variables, others: None)


@pytest.mark.parametrize("name", SMALL)
def test_callbacks_change_nothing_in_what_is_learned(name: str) -> None:
    alone, watched = make(name).learn(320), make(name).learn(320, CallbackList([Witness()]))
    for one, other in zip(alone.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", SMALL)
def test_callbacks_that_ship_with_stable_baselines3_do_their_work(name: str) -> None:
    agent = make(name).learn(3200, StopTrainingOnMaxEpisodes(max_episodes=1))
    assert agent.num_timesteps < 3200
    unseen = Monitor(gymnasium.make("CartPole-v1"))
    with pytest.warns(UserWarning, match="not of the same type") if name == "rstdp" else nullcontext():
        evaluates = EvalCallback(unseen, eval_freq=5, n_eval_episodes=1, verbose=0)
        agent = make(name).learn(160, evaluates)
    assert evaluates.last_mean_reward > 0
    assert any("eval/mean_reward" in row for row in agent.history)
