from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from snnrl import make_agent
from snnrl.agents import Agent
from snnrl.envs import EnvConfig, Feedback, FeedbackBuilder, RewardConfig, VectorAtari, make_envs
from snnrl.training.rollout import Rollout

CART_POLE = EnvConfig("CartPole-v1", reward=RewardConfig(scale=0.5, failure=-1.0))
PONG = EnvConfig("ALE/Pong-v5", max_episode_steps=10)
SEEDS = [5, 6, 7]


class Seen(NamedTuple):
    observation: NDArray[Any]
    feedback: Feedback
    state: int
    action: NDArray[Any]


class Witness(Agent[int]):
    """Writes down what it is told; its state is a number that ``act`` raises by 1 and ``learn`` by 100."""

    def __init__(self, envs: VectorEnv[Any, Any, Any], calls: list[str] | None = None) -> None:
        super().__init__(envs.single_observation_space, envs.single_action_space, 0)
        self.seen: list[Seen] = []
        self.learnt: list[int] = []
        self.calls: list[str] = [] if calls is None else calls
        self.random = np.random.default_rng(0)

    def begin(self, num_envs: int) -> int:
        self.calls.append(f"begin {num_envs}")
        return 0

    def act(self, observation: NDArray[Any], feedback: Feedback, state: int) -> tuple[NDArray[Any], int]:
        assert isinstance(self.action_space, spaces.Discrete)
        action = self.random.integers(int(self.action_space.n), size=len(observation))
        self.seen.append(Seen(observation.copy(), Feedback(*map(np.copy, feedback[:4])), state, action))
        self.calls.append("act")
        return action, state + 1

    def update(self, state: int) -> tuple[int, dict[str, float]]:
        self.learnt.append(state)
        self.calls.append("learn")
        return state + 100, {"train/state": float(state)}

    def predict(self, *_: Any, **__: Any) -> tuple[Any, Any]:
        raise AssertionError("training does not predict")


def test_an_agent_is_told_what_the_environments_answered_to_its_actions() -> None:
    """Against a plain loop over the same environments with the actions that were chosen."""
    envs = make_envs(CART_POLE, 3)
    witness = Witness(envs)
    rollout = Rollout(witness, envs, CART_POLE, SEEDS)
    stepped = [rollout.step() for _ in range(80)]
    build = FeedbackBuilder(CART_POLE.reward, 3)
    plain = make_envs(CART_POLE, 3)
    observation, info = plain.reset(seed=SEEDS)  # type: ignore[arg-type]
    feedback, returns, ended = build.start(info), np.zeros(3), []
    for told, result in zip(witness.seen, stepped, strict=True):
        assert np.array_equal(told.observation, observation)
        assert all(np.array_equal(one, two) for one, two in zip(told.feedback, feedback, strict=True))
        observation, reward, terminated, truncated, info = plain.step(told.action)
        feedback = build(reward, terminated, truncated, info)
        assert result.decisions == int((~feedback.reset).sum())
        returns = np.where(feedback.reset, 0.0, returns + reward)
        ended = [(int(env), returns[env]) for env in np.flatnonzero(terminated | truncated)]
        assert [(episode.env, episode.return_) for episode in result.episodes] == ended
        assert all(episode.length == episode.return_ for episode in result.episodes)
    assert sum(len(result.episodes) for result in stepped) > 5
    assert any(result.decisions < 3 for result in stepped)


def test_the_state_goes_from_act_to_learn_and_back() -> None:
    envs = make_envs(CART_POLE, 2)
    witness = Witness(envs)
    rollout = Rollout(witness, envs, CART_POLE, [1, 2])
    stepped = [rollout.step() for _ in range(3)]
    assert [told.state for told in witness.seen] == [0, 101, 202]
    assert witness.learnt == [1, 102, 203]
    assert [result.metrics for result in stepped] == [{"train/state": value} for value in (1.0, 102.0, 203.0)]


def test_an_agent_learns_before_the_environments_step(monkeypatch: pytest.MonkeyPatch) -> None:
    envs, calls = make_envs(CART_POLE, 2), list[str]()
    step = envs.step
    monkeypatch.setattr(envs, "step", lambda action: (calls.append("step"), step(action))[1])
    rollout = Rollout(Witness(envs, calls), envs, CART_POLE, [1, 2])
    for _ in range(2):
        rollout.step()
    assert calls == ["begin 2", *["act", "learn", "step"] * 2]


def test_an_agent_learns_while_atari_games_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    envs, calls = make_envs(PONG, 2, max_threads=1), list[str]()
    assert isinstance(envs, VectorAtari)
    send, receive = envs.send, envs.recv
    monkeypatch.setattr(envs, "send", lambda action: (calls.append("send"), send(action))[1])
    monkeypatch.setattr(envs, "recv", lambda: (calls.append("receive"), receive())[1])
    rollout = Rollout(Witness(envs, calls), envs, PONG, [1, 2])
    calls.clear()
    for _ in range(2):
        rollout.step()
    envs.close()
    assert calls == ["act", "send", "learn", "receive"] * 2


def test_a_new_rollout_starts_fresh_episodes_from_its_seeds_alone() -> None:
    envs = make_envs(PONG, 2, max_threads=1)

    def first_frames() -> list[bytes]:
        witness = Witness(envs)
        rollout = Rollout(witness, envs, PONG, [3, 4])
        for _ in range(7):
            rollout.step()
        assert witness.seen[0].feedback.reset.all()
        return [told.observation.tobytes() for told in witness.seen]

    one, again = first_frames(), first_frames()
    envs.close()
    assert one == again
    assert len(set(one)) > 1


def test_time_limits_are_seen_in_the_games_and_no_decision_is_counted_for_a_new_game() -> None:
    envs = make_envs(PONG, 2, max_threads=1)
    rollout = Rollout(Witness(envs), envs, PONG, [3, 4])
    stepped = [rollout.step() for _ in range(22)]
    envs.close()
    assert [len(result.episodes) for result in stepped] == [0] * 9 + [2] + [0] * 10 + [2, 0]
    assert [result.decisions for result in stepped] == [2] * 10 + [0] + [2] * 10 + [0]
    assert {episode.length for result in stepped for episode in result.episodes} == {10}


@pytest.mark.parametrize("plasticity", [True, False])
def test_weights_of_the_spiking_agent_change_only_where_it_is_plastic(plasticity: bool) -> None:
    envs = make_envs(CART_POLE, 2)
    agent = make_agent("CartPole", plasticity=plasticity)
    before = {name: value.clone() for name, value in agent.named_parameters()}
    rollout = Rollout(agent, envs, CART_POLE, [1, 2])
    for _ in range(30):
        rollout.step()
    changed = {name: not torch.equal(value, before[name]) for name, value in agent.named_parameters()}
    assert changed
    assert all(change == plasticity for change in changed.values())
