from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl import make_agent
from snnrl.agents import Agent
from snnrl.envs import EnvConfig, RewardConfig, env_seeds, limits, make_env, make_envs
from snnrl.envs.seeding import AFTERWARDS, AT_THE_END, WHILE_TRAINING
from snnrl.training import evaluation
from snnrl.training.evaluation import Stopped, evaluate
from snnrl.training.rollout import Rollout

CART_POLE = EnvConfig("CartPole-v1", reward=RewardConfig(scale=0.02, high=0.01, failure=0.0))
LENGTHS = EnvConfig("Lengths-v0", reward=RewardConfig(scale=0.1, high=0.05))


class Lengths(gymnasium.Env[Any, Any]):
    """Episodes as long as the seed says, each step worth the action and 1; one sees how long the episode lasts."""

    observation_space = spaces.Box(0.0, 100.0, (1,))
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.length = self.length if seed is None else seed
        self.time = 0
        return self._see(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.time += 1
        return self._see(), 1.0 + float(action), self.time >= self.length, False, {}

    def _see(self) -> Any:
        return np.array([self.time], dtype=np.float32)


class Witness(Agent[None]):
    """Predicts action 0 where it is deterministic, else 1; its state counts the calls."""

    def __init__(self) -> None:
        super().__init__(Lengths.observation_space, Lengths.action_space, 0)
        self.begins: list[tuple[Any, Any]] = []
        self.batches: set[int] = set()

    def begin(self, num_envs: int) -> None:
        raise AssertionError("an evaluation does not train")

    act = learn = begin  # type: ignore[assignment]

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        assert state == (None if not self.begins else len(self.begins))
        self.begins.append((observation[:, 0].tolist(), episode_start.tolist()))
        self.batches.add(len(observation))
        return np.full(len(observation), 0 if deterministic else 1), len(self.begins)


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Registers the environment and takes the seeds, which are the lengths, from the list."""
    seeds = [1, 9, 4]
    monkeypatch.setattr(evaluation, "env_seeds", lambda seed, stream, epoch, num_envs: seeds[:num_envs])
    gymnasium.register("Lengths-v0", Lengths)
    yield seeds
    del gymnasium.registry["Lengths-v0"]


@pytest.mark.parametrize(
    ("episodes", "num_envs", "expected"),
    [(5, 2, [1, 1, 1, 9, 9]), (6, 3, [1, 1, 9, 9, 4, 4]), (7, 3, [1, 1, 1, 9, 9, 4, 4]), (2, 3, [1, 9]), (1, 3, [1])],
)
@pytest.mark.usefixtures("lengths")
def test_every_environment_plays_its_share_however_short_its_episodes_are(
    episodes: int, num_envs: int, expected: list[int]
) -> None:
    found = evaluate(Witness(), LENGTHS, episodes=episodes, seed=0, num_envs=num_envs)
    assert found.lengths.tolist() == expected
    assert found.returns.tolist() == expected, "raw returns, whatever the recipe makes of rewards for learning"
    assert found.returns.dtype == np.float64


@pytest.mark.usefixtures("lengths")
def test_an_agent_is_told_where_episodes_start() -> None:
    witness = Witness()
    evaluate(witness, LENGTHS, episodes=6, seed=0, num_envs=3)
    assert len(witness.begins) > 10
    for observation, begins in witness.begins:
        assert begins == [time == 0 for time in observation]


@pytest.mark.usefixtures("lengths")
def test_no_more_environments_are_made_than_there_are_episodes() -> None:
    witness = Witness()
    evaluate(witness, LENGTHS, episodes=2, seed=0, num_envs=16)
    assert witness.batches == {2}


@pytest.mark.parametrize(("deterministic", "worth"), [(True, 1.0), (False, 2.0)])
@pytest.mark.usefixtures("lengths")
def test_best_actions_are_asked_for_unless_random_ones_are_wanted(deterministic: bool, worth: float) -> None:
    found = evaluate(Witness(), LENGTHS, episodes=2, seed=0, deterministic=deterministic)
    assert found.returns.tolist() == [worth, 9 * worth]


@pytest.mark.usefixtures("lengths")
def test_who_is_called_between_steps_may_end_it_and_the_environments_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls, closed = [0], []

    def stop_at_the_fourth(done: int) -> None:
        calls[0] += 1
        if calls[0] == 4:
            raise Stopped

    def closing(*arguments: Any) -> Any:
        envs = make_envs(*arguments)
        close = envs.close
        monkeypatch.setattr(envs, "close", lambda: (closed.append(True), close())[1])
        return envs

    monkeypatch.setattr(evaluation, "make_envs", closing)
    witness = Witness()
    with pytest.raises(Stopped):
        evaluate(witness, LENGTHS, episodes=6, seed=0, num_envs=2, between_steps=stop_at_the_fourth)
    assert len(witness.begins) == 3
    assert closed == [True]
    evaluate(witness.__class__(), LENGTHS, episodes=1, seed=0)
    assert closed == [True, True]


@pytest.mark.usefixtures("lengths")
def test_who_is_called_between_steps_is_told_how_many_episodes_are_over() -> None:
    told: list[int] = []
    evaluate(Witness(), LENGTHS, episodes=6, seed=0, num_envs=2, between_steps=told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] < 6
    assert len(set(told)) > 2


def test_an_evaluation_follows_its_seed_and_its_epoch() -> None:
    agent = make_agent("CartPole", "constant", action=1)

    def lengths_of(seed: int, epoch: int) -> list[int]:
        return evaluate(agent, CART_POLE, episodes=12, seed=seed, epoch=epoch).lengths.tolist()

    assert lengths_of(0, AFTERWARDS) == lengths_of(0, AFTERWARDS)
    results = [lengths_of(seed, epoch) for seed in (0, 1) for epoch in (WHILE_TRAINING, AT_THE_END, AFTERWARDS)]
    assert len({tuple(result) for result in results}) == 6


def test_an_environment_alone_plays_what_its_row_of_the_evaluation_plays() -> None:
    agent = make_agent("CartPole", "constant", action=1)
    found = evaluate(agent, CART_POLE, episodes=3, seed=4)
    for seed, expected in zip(env_seeds(4, "eval", AFTERWARDS, 3), found.lengths, strict=True):
        env = make_env(CART_POLE)
        env.reset(seed=seed)
        length, ended = 0, False
        while not ended:
            _, _, terminated, truncated, _ = env.step(1)
            length, ended = length + 1, terminated or truncated
        assert length == expected


def test_nothing_is_learnt_and_no_luck_is_used_up() -> None:
    agent = make_agent("CartPole", seed=3)
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    luck = agent.generator.get_state()
    evaluate(agent, CART_POLE, episodes=4, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in agent.state_dict().items())
    assert torch.equal(agent.generator.get_state(), luck)


def test_frames_adapt_no_amplitudes_in_an_evaluation() -> None:
    agent = make_agent("Pong", warmup_steps=20)
    pong = EnvConfig("ALE/Pong-v5", max_episode_steps=20)
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    evaluate(agent, pong, episodes=2, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in agent.state_dict().items())
    envs = make_envs(pong, 2, max_threads=1)
    rollout = Rollout(agent, envs, pong, [1, 2])
    for _ in range(20):
        rollout.step()
    envs.close()
    rate = "network.encoder.adaptation.rate"
    assert not torch.equal(agent.state_dict()[rate], before[rate])


def test_training_goes_on_after_an_evaluation_as_if_there_had_been_none() -> None:
    def train(interrupted: bool) -> dict[str, torch.Tensor]:
        agent, envs = make_agent("CartPole", seed=1), make_envs(CART_POLE, 2)
        rollout = Rollout(agent, envs, CART_POLE, [1, 2])
        for step in range(40):
            if interrupted and step in (7, 20):
                evaluate(agent, CART_POLE, episodes=2, seed=0)
            rollout.step()
        return agent.state_dict()

    plain, interrupted = train(False), train(True)
    assert all(torch.equal(value, interrupted[name]) for name, value in plain.items())


@pytest.mark.parametrize(("limit", "expected", "cut"), [(None, 30, 2), (12, 12, 0), (30, 30, 0)])
def test_an_episode_without_an_end_is_cut_and_said_to_be(
    limit: int | None, expected: int, cut: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (limits, evaluation):
        monkeypatch.setattr(module, "LONGEST", 30)
    lengths[:] = [10**9, 4, 10**9]
    env = dataclasses.replace(LENGTHS, max_episode_steps=limit)
    found = evaluate(Witness(), env, episodes=3, seed=0, num_envs=3)
    assert found.lengths.tolist() == [expected, 4, expected]
    assert found.cut == cut
    assert found.remark == (
        "2 of 3 evaluation episodes did not end within 30 steps and were cut there, as the environment has no time "
        "limit; env.max_episode_steps sets one"
        if cut
        else ""
    )


def test_a_time_limit_of_the_environment_is_no_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "LONGEST", 5)
    assert evaluate(make_agent("CartPole", "constant", action=1), CART_POLE, episodes=2, seed=0).cut == 0
