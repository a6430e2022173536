"""What the R-STDP agent learns from what it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from snnrl.plasticity import Shuffler
from tests.agents.rstdp_toy import (
    ACTOR,
    CRITIC,
    OBSERVATIONS,
    SILENT,
    Cue,
    begins,
    changed,
    coincidences,
    learner,
    make,
    practise,
    practise_cues,
    seen,
    snapshot,
    step,
    to,
    told,
)

each_kind_of_cue = pytest.mark.parametrize("kind", ["discrete", "vector"])


@each_kind_of_cue
def test_the_matching_action_is_learnt_with_every_seed(kind: str) -> None:
    scores = [practise_cues(learner(kind, seed), kind, seed) for seed in range(4)]
    assert min(scores) > 0.95


@each_kind_of_cue
def test_without_plasticity_the_score_stays_at_chance(kind: str) -> None:
    scores = [practise_cues(learner(kind, seed, plasticity=False), kind, seed) for seed in range(2)]
    assert max(scores) < 0.6


@each_kind_of_cue
def test_with_shuffled_errors_weights_move_but_the_score_stays_at_chance_in_the_mean(kind: str) -> None:
    """A few seeds hit on a policy of two, one or no matching actions: chance is in the mean."""
    scores = []
    for seed in range(6):
        agent = learner(kind, seed, modulator="shuffled")
        agent.shuffler = Shuffler(64, generator=agent.generator)
        before = to(agent, "actor").weight.clone()
        scores.append(practise_cues(agent, kind, seed))
        assert (to(agent, "actor").weight - before).abs().max() > 0.01
    assert np.mean(scores) < 0.75


def test_what_is_learnt_shows_in_stable_baselines3s_evaluation() -> None:
    agent = learner("vector", 0)
    practise_cues(agent, "vector", 0)
    mean, _ = evaluate_policy(agent, DummyVecEnv([lambda: Cue("vector")] * 2), n_eval_episodes=10, warn=False)  # type: ignore[arg-type, list-item]
    assert mean > 3.8


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({}, 0.5 + 0.9 * -2 + 2),
        ({"truncated": [0]}, 0.5 + 0.9 * -2 + 2),
        ({"terminated": [0]}, 0.5 + 2),
        ({"reset": [0]}, 0.0),
    ],
    ids=["running", "truncated", "terminated", "reset"],
)
def test_truncation_bootstraps_and_termination_does_not(ends: dict[str, Any], expected: float) -> None:
    agent = make(**SILENT, value_range=(-2.0, 2.0), gamma=0.9)
    _, state, metrics = step(agent, [1], begins(1), agent.begin(1))
    assert metrics == {}
    _, _, metrics = step(agent, [1], told([0.5], **ends), state)
    assert metrics == {"train/td_error_rms": pytest.approx(expected), "train/value_mean": pytest.approx(-2)}


@pytest.mark.parametrize("ends", ["truncated", "terminated"])
def test_the_error_is_reward_and_discounted_next_value_less_value(ends: str) -> None:
    agent = make(value_range=(-1.0, 3.0), gamma=0.7, weight_mean=0.3, weight_std=0.1)
    _, state, _ = step(agent, [1], begins(1), agent.begin(1))
    _, state, first = step(agent, [2], told([0.0]), state)
    _, _, second = step(agent, [3], told([5.0], **{ends: [0]}), state)
    before, after = first["train/value_mean"], second["train/value_mean"]
    assert before != pytest.approx(after)
    ahead = 0.7 * after if ends == "truncated" else 0.0
    assert second["train/td_error_rms"] == pytest.approx(abs(5.0 + ahead - before), rel=1e-5)


def test_the_error_is_averaged_over_environments_by_its_square() -> None:
    agent = make(**SILENT, value_range=(0.0, 1.0))
    _, state, _ = step(agent, [1, 2], begins(2), agent.begin(2))
    _, _, metrics = step(agent, [1, 2], told([3.0, -1.0]), state)
    assert metrics["train/td_error_rms"] == pytest.approx(5**0.5)


def test_without_reward_and_value_weights_stay_bit_for_bit() -> None:
    agent = make(**SILENT, value_range=(0.0, 1.0), postsynaptic_floor=0.1)
    before = snapshot(agent)
    _, state, _ = step(agent, [1, 2], begins(2), agent.begin(2))
    for _ in range(5):
        _, state, _ = step(agent, [3, 1], told([0.0, 0.0]), state)
    weights = {ACTOR, CRITIC}
    assert not changed(agent, before) & weights
    step(agent, [3, 1], told([1.0, 0.0]), state)
    assert changed(agent, before) >= weights


@pytest.mark.parametrize("ends", ["", "terminated", "truncated"])
def test_a_change_is_rate_times_error_times_coincidences_decayed_since_the_episode_began(ends: str) -> None:
    """Without a reset after the end, as a lost life is told."""
    agent = make(**SILENT, value_range=(0.0, 1.0), gamma=0.9, trace_lambda=0.8, actor_lr=0.01, critic_lr=0.0)
    _, state, _ = step(agent, [1, 2], begins(2), agent.begin(2))
    first = coincidences(state, 10)
    _, state, _ = step(agent, [3, 2], told([0.5, 0.5], **({ends: [0]} if ends else {})), state)
    torch.testing.assert_close(to(agent, "actor").weight.data, 0.01 * 0.5 * first.sum(0))
    second = coincidences(state, 10)
    step(agent, [1, 1], told([-2.0, -2.0]), state)
    kept = torch.tensor([0.0 if ends else 1.0, 1.0])[:, None, None]
    expected = 0.01 * (0.5 * first - 2.0 * (0.72 * kept * first + second)).sum(0)
    torch.testing.assert_close(to(agent, "actor").weight.data, expected)


def test_a_rewarded_action_becomes_likelier_and_a_punished_one_less_likely() -> None:
    for reward in (1.0, -1.0):
        agent = make(**SILENT, value_range=(0.0, 1.0))
        action, state, _ = step(agent, [1], begins(1), agent.begin(1))
        step(agent, [1], told([reward], [0]), state)
        drive = to(agent, "actor").weight[:, 0].view(3, 10).mean(1)
        chosen = int(action[0]) - 2
        others = [other for other in range(3) if other != chosen]
        assert all((drive[chosen] - drive[other]) * reward > 0 for other in others)


def test_only_the_synapses_of_the_rewarded_environment_change() -> None:
    agent = make(**SILENT, value_range=(0.0, 1.0), postsynaptic_floor=0.1)
    _, state, _ = step(agent, [1, 2], begins(2), agent.begin(2))
    step(agent, [1, 2], told([0.0, 1.0]), state)
    for connection in (to(agent, "actor"), to(agent, "critic")):
        assert connection.weight.abs().sum(0).bool().tolist() == [False, True, False]


@pytest.mark.parametrize("update_every", [1, 3])
@pytest.mark.parametrize("ends", ["terminated", "truncated"])
def test_nothing_is_learnt_across_an_episodes_end(ends: str, update_every: int) -> None:
    """The first environment shows 1 until it ends, the second 2 and goes on; reward comes when both have shown 3."""
    agent = make(**SILENT, value_range=(0.0, 1.0), postsynaptic_floor=0.1, update_every=update_every)
    _, state, _ = step(agent, [1, 2], begins(2), agent.begin(2))
    _, state, _ = step(agent, [1, 2], told([0.0, 0.0], **{ends: [0]}), state)
    _, state, _ = step(agent, [3, 3], told([0.0, 0.0], reset=[0]), state)
    step(agent, [3, 3], told([1.0, 1.0]), state)
    for connection in (to(agent, "actor"), to(agent, "critic")):
        assert connection.weight.abs().sum(0).bool().tolist() == [False, True, True]


@pytest.mark.parametrize("modulator", ["td", "shuffled"])
def test_what_is_done_after_an_end_and_before_the_reset_is_no_decision(modulator: str) -> None:
    agent = make(**SILENT, value_range=(0.0, 1.0), postsynaptic_floor=0.1, modulator=modulator)
    _, state, _ = step(agent, [1], begins(1), agent.begin(1))
    _, state, _ = step(agent, [2], told([0.0], [0]), state)
    if agent.shuffler is not None:
        agent.shuffler.memory.fill_(1.0)
        agent.shuffler.written.fill_(len(agent.shuffler.memory))
    before = snapshot(agent)
    _, state, metrics = step(agent, [3], told([9.0], reset=[0]), state)
    assert metrics["train/td_error_rms"] == 0
    assert not {name for name in changed(agent, before) if name.endswith("weight")}
    step(agent, [3], told([1.0]), state)
    assert changed(agent, before) >= {ACTOR, CRITIC}


def test_changes_wait_for_a_whole_window() -> None:
    agent = make(**SILENT, value_range=(0.0, 1.0), update_every=3)
    before, told_metrics = snapshot(agent), []
    feedback, state = begins(1), agent.begin(1)
    for number in range(4):
        assert not changed(agent, before), f"before step {number}"
        _, state, metrics = step(agent, [1], feedback, state)
        told_metrics.append(bool(metrics))
        feedback = told([1.0])
    assert told_metrics == [False, False, False, True]
    assert ACTOR in changed(agent, before)


@pytest.mark.parametrize(("progress", "left"), [(0.0, 1.0), (0.5, 0.55), (1.0, 0.1)])
def test_learning_rates_fall_linearly_to_their_end(progress: float, left: float) -> None:
    changes = []
    for annealed in (False, True):
        agent = make(**SILENT, value_range=(0.0, 1.0), lr_end_factor=0.1, postsynaptic_floor=0.1)
        if annealed:
            agent.anneal(progress)
        _, state, _ = step(agent, [1], begins(1), agent.begin(1))
        step(agent, [1], told([1.0], [0]), state)
        changes.append(torch.cat([to(agent, "actor").weight, to(agent, "critic").weight]))
    assert changes[0].any()
    torch.testing.assert_close(changes[1], left * changes[0])


def test_normalised_errors_make_the_actor_blind_to_the_scale_of_reward() -> None:
    weights = []
    for scale in (1.0, 100.0):
        agent = make(**SILENT, value_range=(0.0, 1.0), normalise_td=True, actor_lr=1e-3, critic_lr=0.0)
        feedback, state = begins(2), agent.begin(2)
        for reward in (0.0, 1.0, -0.5, 2.0):
            _, state, _ = step(agent, [1, 2], feedback, state)
            feedback = told([scale * reward, scale])
        weights.append(to(agent, "actor").weight)
    assert weights[0].any()
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-7)


def test_the_actor_takes_an_error_beyond_the_limit_for_as_many_usual_ones() -> None:
    weights = []
    for reward in (50.0, 5000.0):
        agent = make(**SILENT, value_range=(0.0, 1.0), normalise_td=True, td_limit=2.0, actor_lr=1e-3, critic_lr=0.0)
        agent.td_scale.mean_square.fill_(1.0)
        agent.td_scale.seen.fill_(10**9)
        agent.td_scale.horizon = 10**9
        feedback, state = begins(2), agent.begin(2)
        for _ in range(2):
            _, state, _ = step(agent, [1, 2], feedback, state)
            feedback = told([reward, reward])
        weights.append(to(agent, "actor").weight)
    assert weights[0].any()
    torch.testing.assert_close(weights[0], weights[1])


def test_a_rate_for_each_input_divides_by_the_mean_squared_length_of_the_traces() -> None:
    changes, lengths = [], []
    for per_input in (False, True):
        agent = make(OBSERVATIONS["vector"], **SILENT, value_range=(0.0, 1.0), lr_per_input=per_input)
        _, state, _ = step(agent, seen(OBSERVATIONS["vector"], 2, 0), begins(2), agent.begin(2))
        assert state.decision is not None
        lengths.append(state.decision.activity.seen["input to actor"].pre.square().sum(-1).mean())  # type: ignore[union-attr]
        step(agent, seen(OBSERVATIONS["vector"], 2, 1), told([1.0, 1.0]), state)
        changes.append(to(agent, "actor").weight)
    assert lengths[0] == lengths[1]
    torch.testing.assert_close(changes[0], lengths[0] * changes[1])


def test_entropy_alone_draws_a_lopsided_policy_towards_uniform() -> None:
    agent = make(**SILENT, value_range=(0.0, 1.0), entropy_coef=0.5, actor_lr=3e-3, weight_bound=1.0)
    to(agent, "actor").weight[:10, 0] = 0.3
    feedback, state = begins(16), agent.begin(16)
    for _ in range(40):
        _, state, _ = step(agent, [1] * 16, feedback, state)
        feedback = told([0.0] * 16)
    drive = to(agent, "actor").weight[:, 0].view(3, 10).mean(1)
    assert drive[0] - drive[1:].mean() < 0.15


def test_an_exploration_bonus_lasts_and_credit_is_given_relative_to_the_policy_without_it() -> None:
    agent = make(exploration_bonus=100.0, exploration_steps=20, temperature=0.5, seed=3)
    state, batch = agent.begin(200), 200
    observation = np.full(batch, 2)
    taken = []
    for _ in range(60):
        action, state = agent.act(observation, told(np.zeros(batch)), state)
        taken.append(action)
        assert state.decision is not None
        policy = agent.code.policy(state.decision.activity.preference, 0.5)
        choice = torch.from_numpy(action - 2).unsqueeze(1)
        assert torch.equal(state.decision.credit, agent.code.credit(choice, policy))
        state, _ = agent.update(state)
    actions = np.stack(taken)
    changes = (actions[1:] != actions[:-1]).mean()
    assert changes == pytest.approx(2 / 3 / 20, rel=0.15)
    assert np.allclose(np.bincount(actions.ravel() - 2) / actions.size, 1 / 3, atol=0.05)


def test_predictions_have_no_exploration_bonus() -> None:
    plain, exploring = (make(exploration_bonus=exploration_bonus, seed=3) for exploration_bonus in (0.0, 100.0))
    observation = np.full(50, 2)
    expected, _ = plain.predict(observation)
    found, _ = exploring.predict(observation)
    assert np.array_equal(expected, found)


def test_weights_stay_in_their_bounds() -> None:
    agent = make(actor_lr=10.0, critic_lr=10.0, weight_bound=0.3)
    practise(agent)
    for connection in (to(agent, "actor"), to(agent, "critic")):
        assert connection.weight.abs().max().item() == pytest.approx(0.3)


def test_without_plasticity_weights_stay_and_metrics_are_told() -> None:
    agent = make(plasticity=False)
    before = snapshot(agent)
    _, state = practise(agent)
    assert not {name for name in changed(agent, before) if name.endswith("weight")}
    _, _, metrics = step(agent, [1] * 4, told([1.0] * 4), state)
    assert set(metrics) == {"train/td_error_rms", "train/value_mean"}
