"""Real environments through the factory and the feedback: seeds, ends, time limits, lives and returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from snnrl.envs import EnvConfig, EpisodeStats, Feedback, FeedbackBuilder, RewardConfig, env_seeds, make_env, make_envs

CART_POLE = EnvConfig("CartPole-v1")
INVADERS = EnvConfig("ALE/SpaceInvaders-v5", max_episode_steps=25)
PONG = EnvConfig("ALE/Pong-v5", max_episode_steps=25)
FIRE = 1


class Step(NamedTuple):
    observation: Any
    reward: Any
    terminated: Any
    truncated: Any
    info: dict[str, Any]


def rollout(envs: Any, seeds: list[int], actions: Any) -> list[Step]:
    """Reset, then one step per row of ``actions`` ``[time, num_envs]``; the reset is the first entry."""
    observation, info = envs.reset(seed=seeds)
    no = np.zeros(len(seeds), dtype=np.bool_)
    return [Step(observation, np.zeros(len(seeds)), no, no, info), *(Step(*envs.step(row)) for row in actions)]


def told(config: EnvConfig, steps: list[Step]) -> list[Feedback]:
    """What a learner would have been told along a rollout."""
    build = FeedbackBuilder(config.reward, len(steps[0].terminated))
    return [
        build.start(steps[0].info),
        *(build(step.reward, step.terminated, step.truncated, step.info) for step in steps[1:]),
    ]


def random_actions(envs: Any, time: int) -> Any:
    return np.random.default_rng(0).integers(envs.single_action_space.n, size=(time, envs.num_envs))


def row(steps: list[Step], env: int) -> bytes:
    """Everything that one environment sent, as bytes to compare."""
    return b"".join(
        part[env].tobytes()
        for step in steps
        for part in (step.observation, np.float64(step.reward), step.terminated, step.truncated)
    )


@pytest.mark.parametrize("config", [CART_POLE, PONG], ids=lambda config: config.id)
def test_seeds_decide_a_rollout_whatever_came_before_and_however_many_threads(config: EnvConfig) -> None:
    seeds = env_seeds(0, "train", 0, 3)
    envs = make_envs(config, 3, max_threads=1)
    actions = np.repeat(random_actions(envs, 60)[:, :1], 3, axis=1)
    first = rollout(envs, seeds, actions)
    assert any((step.terminated | step.truncated).any() for step in first)
    assert len({row(first, env) for env in range(3)}) == 3
    rollout(envs, [11, 12, 13], actions[:7])
    again = rollout(envs, seeds, actions)
    fresh = rollout(make_envs(config, 3, max_threads=2), seeds, actions)
    other = rollout(envs, env_seeds(0, "train", 1, 3), actions)
    for env in range(3):
        assert row(first, env) == row(again, env) == row(fresh, env)
        assert row(first, env) != row(other, env)


@pytest.mark.parametrize("config", [CART_POLE, PONG], ids=lambda config: config.id)
def test_a_single_environment_plays_a_row_of_the_vector(config: EnvConfig) -> None:
    envs, env = make_envs(config, 3), make_env(config)
    actions = random_actions(envs, 60)
    steps = rollout(envs, [5, 6, 7], actions)
    env.reset(seed=6)
    ended, ends = False, 0
    for action, step in zip(actions[:, 1], steps[1:], strict=True):
        if ended:
            observation, ended = env.reset()[0], False
        else:
            observation, reward, terminated, truncated, _ = env.step(action)
            assert (reward, terminated, truncated) == (step.reward[1], step.terminated[1], step.truncated[1])
            ended = terminated or truncated
            ends += ended
        assert (observation == step.observation[1]).all()
    assert ends >= 2


def test_reset_rows_of_cart_pole_hold_a_new_episodes_first_observation() -> None:
    envs = make_envs(CART_POLE, 4)
    steps = rollout(envs, [0, 1, 2, 3], random_actions(envs, 200))
    feedback = told(CART_POLE, steps)
    resets = 0
    for before, step, learner in zip(steps[:-1], steps[1:], feedback[1:], strict=True):
        assert (learner.reset == (before.terminated | before.truncated)).all()
        small = (np.abs(step.observation) <= 0.05).all(axis=1)
        assert small[learner.reset].all()
        assert (step.reward == np.where(learner.reset, 0.0, 1.0)).all()
        resets += int(learner.reset.sum())
    assert resets > 10


def test_reset_rows_of_an_atari_game_hold_a_new_games_first_frame() -> None:
    envs = make_envs(INVADERS, 2)
    steps = rollout(envs, [0, 1], random_actions(envs, 80))
    feedback = told(INVADERS, steps)
    assert sum(int(learner.reset.sum()) for learner in feedback[1:]) == 2 * 3
    for step, learner in zip(steps, feedback, strict=True):
        assert (step.info["episode_frame_number"][learner.reset] <= 30).all()
        assert (step.info["episode_frame_number"][~learner.reset] >= 4).all()
        assert (step.info["lives"][learner.reset] == 3).all()
        assert (step.reward[learner.reset] == 0).all()


def test_a_whole_game_of_space_invaders() -> None:
    """Three lives end three learners' episodes and one game, whose return is raw while the learner's is clipped."""
    config = EnvConfig("ALE/SpaceInvaders-v5", reward=RewardConfig(low=-1.0, high=1.0, life_loss_ends=True))
    envs = make_envs(config, 1)
    steps = rollout(envs, [0], np.full((740, 1), FIRE))
    feedback = told(config, steps)
    stats = EpisodeStats(1)
    episodes = [
        episode
        for step, learner in zip(steps, feedback, strict=True)
        for episode in stats.update(step.reward, step.terminated, step.truncated, learner.reset)
    ]
    (end,) = (time for time, step in enumerate(steps) if step.terminated[0])
    losses = [time for time, learner in enumerate(feedback) if learner.terminated[0]]
    assert len(losses) == 3
    assert losses[-1] == end
    assert [time for time, learner in enumerate(feedback) if learner.reset[0]] == [0, end + 1]
    assert [steps[time].info["lives"][0] for time in losses] == [2, 1, 0]
    assert steps[end + 1].info["lives"][0] == 3

    rewards = [float(step.reward[0]) for step in steps[: end + 1]]
    hits = sum(reward > 0 for reward in rewards)
    (episode,) = episodes
    assert episode == (0, sum(rewards), end)
    assert max(rewards) >= 10.0
    assert sum(float(learner.reward[0]) for learner in feedback[: end + 1]) == hits


def test_returns_of_cart_pole_are_sums_of_its_rewards() -> None:
    envs = make_envs(CART_POLE, 3)
    steps = rollout(envs, [0, 1, 2], random_actions(envs, 150))
    stats, seen = EpisodeStats(3), 0
    sums: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for step, learner in zip(steps[1:], told(CART_POLE, steps)[1:], strict=True):
        for env in range(3):
            if not learner.reset[env]:
                sums[env].append(float(step.reward[env]))
        for episode in stats.update(step.reward, step.terminated, step.truncated, learner.reset):
            assert episode.return_ == sum(sums[episode.env])
            assert episode.length == len(sums[episode.env])
            sums[episode.env], seen = [], seen + 1
    assert seen == sum(int(step.terminated.sum()) for step in steps)
    assert seen > 5


@pytest.mark.parametrize("env_id", ["MountainCar-v0", "ALE/Pong-v5"])
def test_a_time_limit_truncates_at_its_step(env_id: str) -> None:
    config = EnvConfig(env_id, max_episode_steps=9)
    envs, env = make_envs(config, 2), make_env(config)
    steps = rollout(envs, [0, 1], np.zeros((19, 2), dtype=np.int64))
    assert [time for time, step in enumerate(steps) if step.truncated.all()] == [9, 19]
    assert sum(int(step.truncated.sum()) for step in steps) == 4
    assert not any(step.terminated.any() for step in steps)
    assert [time for time, learner in enumerate(told(config, steps)) if learner.truncated.all()] == [9, 19]
    env.reset(seed=0)
    assert [env.step(0)[3] for _ in range(9)] == [False] * 8 + [True]


def test_a_falling_pole_terminates_and_its_failure_is_learned_from() -> None:
    config = EnvConfig("CartPole-v1", reward=RewardConfig(failure=0.0), max_episode_steps=500)
    steps = rollout(make_envs(config, 2), [0, 1], np.zeros((12, 2), dtype=np.int64))
    feedback = told(config, steps)
    assert sum(int(step.terminated.sum()) for step in steps) == 2
    for step, learner in zip(steps, feedback, strict=True):
        assert (learner.terminated == step.terminated).all()
        assert not learner.truncated.any()
        assert (learner.reward == np.where(step.terminated, 0.0, step.reward)).all()
