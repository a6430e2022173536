from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from snnrl.agents.rstdp import RSTDP, RSTDPConfig, RSTDPState
from snnrl.encoders import ObjectEncoder
from snnrl.envs import EnvConfig, Feedback, FeedbackBuilder
from snnrl.errors import ConfigError
from snnrl.kernels.objects import Avatar
from snnrl.plasticity import Shuffler
from snnrl.spikes import SparseSpikes

TOY = EnvConfig("Toy-v0")
OBSERVATIONS = {
    "discrete": spaces.Discrete(3, start=1),
    "vector": spaces.Box(-1.0, 1.0, (3,)),
    "unbounded": spaces.Box(-np.inf, np.inf, (2,)),
    "frames": spaces.Box(0, 255, (1, 16, 16), np.uint8),
}
ACTIONS = {"choice": spaces.Discrete(3, start=2), "continuous": spaces.Box(-2.0, 2.0, (2,))}
every_observation = pytest.mark.parametrize("observation", OBSERVATIONS.values(), ids=OBSERVATIONS)
every_action = pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
SILENT = {"weight_mean": 0.0, "weight_std": 0.0, "actor_threshold": 0.0}
"""The actor fires by noise alone and the critic not at all, so that each value is the lowest of its range."""


def make(
    observation: spaces.Space[Any] = OBSERVATIONS["discrete"],
    action: spaces.Space[Any] = ACTIONS["choice"],
    seed: int = 0,
    **config: Any,
) -> RSTDP:
    """An agent; one that sees frames has looked around."""
    agent = RSTDP(observation, action, RSTDPConfig(**{"sim_steps": 8, **config}), TOY, seed)
    if isinstance(agent.network.encoder, ObjectEncoder):
        count, frames = 6, seen(observation, 6, 100)
        agent.network.encoder.calibrate(
            frames, np.zeros((count - 1, 1), dtype=np.int64), np.ones((count - 1, 1), dtype=np.bool_)
        )
    return agent


def told(reward: Any, terminated: Any = (), truncated: Any = (), reset: Any = ()) -> Feedback:
    """What a step brought in each environment; the flags list the rows in which they are up."""
    rewards = np.asarray(reward, dtype=np.float32)
    return Feedback(rewards, *(np.isin(np.arange(len(rewards)), rows) for rows in (terminated, truncated, reset)))


def begins(count: int) -> Feedback:
    return told([0.0] * count, reset=range(count))


def step(
    agent: RSTDP, observation: Any, feedback: Feedback, state: RSTDPState
) -> tuple[NDArray[Any], RSTDPState, dict[str, float]]:
    action, state = agent.act(np.asarray(observation), feedback, state)
    state, metrics = agent.update(state)
    return action, state, {name: float(value) for name, value in metrics.items()}


def seen(space: spaces.Space[Any], count: int, seed: int) -> NDArray[Any]:
    """A batch of ``count`` observations; frames are mostly black."""
    space.seed(seed)
    batch = np.stack([np.asarray(space.sample()) for _ in range(count)])
    if space == OBSERVATIONS["frames"]:
        batch[np.random.default_rng(seed).random(batch.shape) < 0.8] = 0
    return batch


def practise(agent: RSTDP, steps: int = 8, count: int = 4) -> tuple[list[NDArray[Any]], RSTDPState]:
    """Random observations and rewards, with an episode's end in the middle; the actions and the last state."""
    generator = np.random.default_rng(7)
    feedback, state, actions = begins(count), agent.begin(count), []
    for number in range(steps):
        action, state, _ = step(agent, seen(agent.observation_space, count, number), feedback, state)
        actions.append(action)
        ended = [0] if number == steps // 2 else []
        feedback = told(generator.normal(size=count), ended, reset=[0] if number == steps // 2 + 1 else [])
    return actions, state


def leaves(state: Any) -> Iterator[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, SparseSpikes):
        yield state.value
    elif isinstance(state, tuple):
        for part in state:
            yield from leaves(part)


def snapshot(agent: RSTDP) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in agent.state_dict().items()}


def changed(agent: RSTDP, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in agent.state_dict().items() if not torch.equal(value, before[name])}


def coincidences(state: RSTDPState, neurons: int) -> torch.Tensor:
    """The actor's Hebbian product of the last decision in each environment, by the definition."""
    assert state.decision is not None
    activity = state.decision.activity
    credit = state.decision.credit.repeat_interleave(neurons, dim=1)
    return torch.einsum("tbo,bo,tbi->boi", activity.actor, credit, activity.pre)


class Cue(gymnasium.Env[Any, Any]):
    """Reward for the action that matches what is shown, four times an episode."""

    action_space = spaces.Discrete(2)

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.observation_space = spaces.Discrete(2) if kind == "discrete" else spaces.Box(-1.0, 1.0, (2,))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.left = 4
        return self._show(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == self.cue)
        self.left -= 1
        return self._show(), reward, self.left == 0, False, {}

    def _show(self) -> Any:
        self.cue = int(self.np_random.integers(2))
        return self.cue if self.kind == "discrete" else np.array([1 - 2 * self.cue, 2 * self.cue - 1], dtype=np.float32)


def learner(kind: str, seed: int, **config: Any) -> RSTDP:
    env, rates = Cue(kind), {"gamma": 0.5, "value_range": (0.0, 2.0), "actor_lr": 0.01}
    return make(env.observation_space, env.action_space, seed, **{"sim_steps": 20, "tau": 5.0, **rates, **config})


def practise_cues(agent: RSTDP, kind: str, seed: int, steps: int = 100) -> float:
    """The share of rewarded actions in the last quarter."""
    envs = SyncVectorEnv([lambda: Cue(kind)] * 32, autoreset_mode=AutoresetMode.NEXT_STEP)
    build = FeedbackBuilder(TOY.reward, 32)
    observation, info = envs.reset(seed=1000 * seed)
    feedback, state = build.start(info), agent.begin(32)
    rewarded = decisions = 0.0
    for number in range(steps):
        action, state, _ = step(agent, observation, feedback, state)
        observation, reward, terminated, truncated, info = envs.step(action)
        feedback = build(reward, terminated, truncated, info)
        if number >= 3 * steps // 4:
            rewarded += feedback.reward.sum()
            decisions += (~feedback.reset).sum()
    envs.close()
    return rewarded / decisions


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
        before = agent.network.to_actor.weight.clone()
        scores.append(practise_cues(agent, kind, seed))
        assert (agent.network.to_actor.weight - before).abs().max() > 0.01
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
    weights = {"network.to_actor.weight", "network.to_critic.weight"}
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
    torch.testing.assert_close(agent.network.to_actor.weight.data, 0.01 * 0.5 * first.sum(0))
    second = coincidences(state, 10)
    step(agent, [1, 1], told([-2.0, -2.0]), state)
    kept = torch.tensor([0.0 if ends else 1.0, 1.0])[:, None, None]
    expected = 0.01 * (0.5 * first - 2.0 * (0.72 * kept * first + second)).sum(0)
    torch.testing.assert_close(agent.network.to_actor.weight.data, expected)


def test_a_rewarded_action_becomes_likelier_and_a_punished_one_less_likely() -> None:
    for reward in (1.0, -1.0):
        agent = make(**SILENT, value_range=(0.0, 1.0))
        action, state, _ = step(agent, [1], begins(1), agent.begin(1))
        step(agent, [1], told([reward], [0]), state)
        drive = agent.network.to_actor.weight[:, 0].view(3, 10).mean(1)
        chosen = int(action[0]) - 2
        others = [other for other in range(3) if other != chosen]
        assert all((drive[chosen] - drive[other]) * reward > 0 for other in others)


def test_only_the_synapses_of_the_rewarded_environment_change() -> None:
    agent = make(**SILENT, value_range=(0.0, 1.0), postsynaptic_floor=0.1)
    _, state, _ = step(agent, [1, 2], begins(2), agent.begin(2))
    step(agent, [1, 2], told([0.0, 1.0]), state)
    for connection in (agent.network.to_actor, agent.network.to_critic):
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
    for connection in (agent.network.to_actor, agent.network.to_critic):
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
    assert changed(agent, before) >= {"network.to_actor.weight", "network.to_critic.weight"}


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
    assert "network.to_actor.weight" in changed(agent, before)


@pytest.mark.parametrize(("progress", "left"), [(0.0, 1.0), (0.5, 0.55), (1.0, 0.1)])
def test_learning_rates_fall_linearly_to_their_end(progress: float, left: float) -> None:
    changes = []
    for annealed in (False, True):
        agent = make(**SILENT, value_range=(0.0, 1.0), lr_end_factor=0.1, postsynaptic_floor=0.1)
        if annealed:
            agent.anneal(progress)
        _, state, _ = step(agent, [1], begins(1), agent.begin(1))
        step(agent, [1], told([1.0], [0]), state)
        changes.append(torch.cat([agent.network.to_actor.weight, agent.network.to_critic.weight]))
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
        weights.append(agent.network.to_actor.weight)
    assert weights[0].any()
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-7)


def test_a_rate_for_each_input_divides_by_the_mean_squared_length_of_the_traces() -> None:
    changes, lengths = [], []
    for per_input in (False, True):
        agent = make(OBSERVATIONS["vector"], **SILENT, value_range=(0.0, 1.0), lr_per_input=per_input)
        _, state, _ = step(agent, seen(OBSERVATIONS["vector"], 2, 0), begins(2), agent.begin(2))
        assert state.decision is not None
        lengths.append(state.decision.activity.pre.square().sum(-1).mean())  # type: ignore[union-attr]
        step(agent, seen(OBSERVATIONS["vector"], 2, 1), told([1.0, 1.0]), state)
        changes.append(agent.network.to_actor.weight)
    assert lengths[0] == lengths[1]
    torch.testing.assert_close(changes[0], lengths[0] * changes[1])


def test_entropy_alone_draws_a_lopsided_policy_towards_uniform() -> None:
    agent = make(**SILENT, value_range=(0.0, 1.0), entropy_coef=0.5, actor_lr=3e-3, weight_bound=1.0)
    agent.network.to_actor.weight[:10, 0] = 0.3
    feedback, state = begins(16), agent.begin(16)
    for _ in range(40):
        _, state, _ = step(agent, [1] * 16, feedback, state)
        feedback = told([0.0] * 16)
    drive = agent.network.to_actor.weight[:, 0].view(3, 10).mean(1)
    assert drive[0] - drive[1:].mean() < 0.15


def test_an_urge_lasts_and_credit_is_given_relative_to_the_policy_without_it() -> None:
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


def test_predictions_have_no_urge() -> None:
    plain, urged = (make(exploration_bonus=exploration_bonus, seed=3) for exploration_bonus in (0.0, 100.0))
    observation = np.full(50, 2)
    expected, _ = plain.predict(observation)
    found, _ = urged.predict(observation)
    assert np.array_equal(expected, found)


def test_weights_stay_in_their_bounds() -> None:
    agent = make(actor_lr=10.0, critic_lr=10.0, weight_bound=0.3)
    practise(agent)
    for connection in (agent.network.to_actor, agent.network.to_critic):
        assert connection.weight.abs().max().item() == pytest.approx(0.3)


def test_without_plasticity_weights_stay_and_metrics_are_told() -> None:
    agent = make(plasticity=False)
    before = snapshot(agent)
    _, state = practise(agent)
    assert not {name for name in changed(agent, before) if name.endswith("weight")}
    _, _, metrics = step(agent, [1] * 4, told([1.0] * 4), state)
    assert set(metrics) == {"train/td_error_rms", "train/value_mean"}


@every_action
@every_observation
def test_equal_seeds_give_equal_actions_and_weights_bit_for_bit(
    observation: spaces.Space[Any], action: spaces.Space[Any]
) -> None:
    one, two, other = (make(observation, action, seed) for seed in (3, 3, 4))
    actions, again, different = (np.stack(practise(agent)[0]) for agent in (one, two, other))
    assert np.array_equal(actions, again)
    assert not changed(one, snapshot(two))
    assert torch.equal(one.generator.get_state(), two.generator.get_state())
    assert not np.array_equal(actions, different)
    assert changed(one, snapshot(other)) >= {"network.to_actor.weight", "network.to_critic.weight"}


@every_observation
@pytest.mark.parametrize("modulator", ["td", "shuffled"])
def test_state_dict_and_generator_are_all_that_lasts_beyond_an_episode(
    observation: spaces.Space[Any], modulator: str
) -> None:
    old, new = make(observation, modulator=modulator), make(observation, seed=9, modulator=modulator)
    practise(old)
    new.load_state_dict(old.state_dict())
    new.generator.set_state(old.generator.get_state())
    expected, found = np.stack(practise(old)[0]), np.stack(practise(new)[0])
    assert np.array_equal(expected, found)
    assert not changed(new, snapshot(old))


@every_action
@every_observation
def test_actions_of_a_batch_lie_in_the_space(observation: spaces.Space[Any], action: spaces.Space[Any]) -> None:
    actions, _ = practise(make(observation, action), count=5)
    for batch in actions:
        assert len(batch) == 5
        assert all(action.contains(one) for one in batch)


@every_observation
def test_nothing_asks_for_gradients_and_no_graph_is_built(observation: spaces.Space[Any]) -> None:
    agent = make(observation)
    assert not any(parameter.requires_grad for parameter in agent.parameters())
    agent.requires_grad_(True)
    enabled: list[bool] = []
    agent.network.register_forward_hook(lambda *_: enabled.append(torch.is_grad_enabled()))
    with torch.enable_grad():
        _, state = practise(agent)
        _, network = agent.predict(seen(observation, 2, 0))
        assert torch.is_grad_enabled()
    assert len(enabled) == 8 + 1
    assert not any(enabled)
    assert all(leaf.grad_fn is None for leaf in leaves((state, network)))
    assert all(parameter.grad is None for parameter in agent.parameters())


def test_predict_has_stable_baselines3s_signature_and_then_the_masks_of_its_maskable_algorithms() -> None:
    ours, theirs = (dict(inspect.signature(kind.predict).parameters) for kind in (RSTDP, BaseAlgorithm))
    assert ours.pop("action_masks").default is None
    assert [(name, p.default, p.kind) for name, p in ours.items()] == [
        (name, p.default, p.kind) for name, p in theirs.items()
    ]


@pytest.mark.parametrize("deterministic", [False, True])
@every_action
@every_observation
def test_predict_takes_one_observation_or_a_batch(
    observation: spaces.Space[Any], action: spaces.Space[Any], deterministic: bool
) -> None:
    agent = make(observation, action)
    batch = seen(observation, 3, 0)
    one, state = agent.predict(batch[0], deterministic=deterministic)
    assert action.contains(one)
    one, _ = agent.predict(batch[1], state, np.array([False]), deterministic)
    assert action.contains(one)
    many, state = agent.predict(batch, deterministic=deterministic)
    assert len(many) == 3
    many, _ = agent.predict(batch, state, np.array([True, False, False]), deterministic)
    assert all(action.contains(each) for each in many)


@every_observation
def test_episode_start_resets_only_its_row(observation: spaces.Space[Any]) -> None:
    agent = make(observation, ACTIONS["continuous"])
    practise(agent)
    _, state = agent.predict(seen(observation, 3, 0), deterministic=True)
    batch, nowhere = seen(observation, 3, 1), np.zeros(3, dtype=np.bool_)
    started = agent.predict(batch, state, np.array([False, True, False]), True)
    going_on = agent.predict(batch, state, nowhere, True)
    afresh = agent.predict(batch, None, nowhere, True)
    parts = [[torch.as_tensor(action), *leaves(after)] for action, after in (started, going_on, afresh)]
    for mixed, kept, fresh in zip(*parts, strict=True):
        assert torch.equal(mixed[[0, 2]], kept[[0, 2]])
        assert torch.equal(mixed[1], fresh[1])
    assert not all(map(torch.equal, parts[1], parts[2])), "or else there is nothing to reset"


def test_an_episode_remembers_what_it_saw_before() -> None:
    agent = make(action=ACTIONS["continuous"], weight_std=0.2)
    _, state = agent.predict(np.array([1]), deterministic=True)
    after, _ = agent.predict(np.array([2]), state, deterministic=True)
    fresh, _ = agent.predict(np.array([2]), deterministic=True)
    assert not np.array_equal(after, fresh)


@every_action
@every_observation
def test_deterministic_predictions_repeat_and_draw_nothing(
    observation: spaces.Space[Any], action: spaces.Space[Any]
) -> None:
    agent = make(observation, action)
    practise(agent)
    before = agent.generator.get_state()
    batch = seen(observation, 4, 0)
    (one, first), (two, second) = (agent.predict(batch, deterministic=True) for _ in range(2))
    assert np.array_equal(one, two)
    assert all(map(torch.equal, leaves(first), leaves(second)))
    assert torch.equal(before, agent.generator.get_state())


def test_predictions_that_are_not_deterministic_explore() -> None:
    agent = make()
    actions, _ = agent.predict(np.ones(200, dtype=np.int64))
    assert set(actions.tolist()) == {2, 3, 4}


@pytest.mark.parametrize("deterministic", [False, True])
@every_observation
def test_predict_changes_neither_weights_nor_statistics(observation: spaces.Space[Any], deterministic: bool) -> None:
    agent = make(observation)
    practise(agent)
    before, state = snapshot(agent), None
    for number in range(4):
        _, state = agent.predict(seen(observation, 3, 50 + number), state, None, deterministic)
    assert not changed(agent, before)


@pytest.mark.parametrize("observation", [OBSERVATIONS["unbounded"], OBSERVATIONS["frames"]], ids=["vector", "frames"])
def test_acting_after_predicting_learns_statistics_again(observation: spaces.Space[Any]) -> None:
    agent = make(observation)
    practise(agent)
    agent.predict(seen(observation, 3, 0))
    before = snapshot(agent)
    agent.act(seen(observation, 3, 1), begins(3), agent.begin(3))
    assert {name for name in changed(agent, before) if "encoder" in name}


@pytest.mark.parametrize("observation", [np.zeros(4), np.zeros((2, 2)), np.zeros((1, 1, 3))], ids=str)
def test_an_observation_of_another_shape_is_an_error(observation: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="observation of shape"):
        make(OBSERVATIONS["vector"]).predict(observation)


vectors = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3)
AGENT = make(OBSERVATIONS["vector"], ACTIONS["continuous"], weight_std=0.2)


@settings(deadline=None, max_examples=40)
@given(batch=st.lists(vectors, min_size=2, max_size=4), row=st.integers(0, 3))
def test_rows_of_a_batch_are_decided_as_if_alone(batch: list[list[float]], row: int) -> None:
    row %= len(batch)
    observation = np.array(batch, dtype=np.float32)
    together, _ = AGENT.predict(observation, deterministic=True)
    alone, _ = AGENT.predict(observation[row], deterministic=True)
    np.testing.assert_allclose(together[row], alone, atol=1e-4)


@pytest.mark.parametrize(
    ("observation", "action", "named"),
    [
        (spaces.Sequence(spaces.Discrete(2)), ACTIONS["choice"], "observation space Sequence"),
        (spaces.Dict({"a": spaces.Text(2)}), ACTIONS["choice"], "observation space Dict"),
        (spaces.Box(0.0, 1.0, (210, 160, 3)), ACTIONS["choice"], "observation space Box"),
        (OBSERVATIONS["vector"], spaces.Text(2), "action space Text"),
        (OBSERVATIONS["vector"], spaces.Box(-np.inf, np.inf, (2,)), "action space Box"),
    ],
)
def test_a_space_that_cannot_be_taken_is_an_error_that_names_it(
    observation: spaces.Space[Any], action: spaces.Space[Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        make(observation, action)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("sim_steps", 0),
        ("actor_neurons", 0),
        ("critic_neurons", 0),
        ("update_every", 0),
        ("warmup_steps", 0),
        ("warmup_steps", 100.0),
        ("temperature", 0.0),
        ("actor_width", 0.0),
        ("critic_gain", -1.0),
        ("weight_bound", 0.0),
        ("spikes_per_step", 0.0),
        ("gamma", 1.1),
        ("trace_lambda", -0.1),
        ("lr_end_factor", 2.0),
        ("actor_lr", -1.0),
        ("critic_lr", float("nan")),
        ("entropy_coef", -1.0),
        ("postsynaptic_floor", -1.0),
        ("weight_std", -1.0),
        ("value_range", (1.0, 1.0)),
        ("modulator", "reward"),
    ],
)
def test_settings_out_of_range_are_errors(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"agent\.{setting}="):
        RSTDPConfig(**{setting: value})


def test_the_recipe_of_the_environment_has_the_last_word_on_the_range_of_values() -> None:
    env = EnvConfig("Toy-v0", value_range=(-7.0, 7.0))
    agent = RSTDP(
        OBSERVATIONS["discrete"],
        ACTIONS["choice"],
        RSTDPConfig(**SILENT, value_range=(-1.0, 1.0)),
        env,  # type: ignore[arg-type]
    )
    _, state, _ = step(agent, [1], begins(1), agent.begin(1))
    _, _, metrics = step(agent, [1], told([0.0]), state)
    assert metrics["train/value_mean"] == -7


ME = 90


class Paddle:
    """Copies of a game whose figure is moved by the action, in episodes of 20 steps; frames share one array."""

    def __init__(self, count: int, start: int = 2, luminance: int = ME) -> None:
        self.count, self.start, self.luminance = count, start, luminance
        self.frames = np.zeros((count, 1, 16, 32), dtype=np.uint8)
        self.place, self.time = np.full(count, 14), np.arange(count)
        self.feedback = begins(count)
        self.shown: list[NDArray[np.uint8]] = []
        self.done: list[NDArray[Any]] = []
        self.began: list[NDArray[np.bool_]] = []
        self._show()

    def step(self, action: NDArray[Any]) -> None:
        self.done.append(np.array(action))
        self.time += 1
        begun = self.time % 21 == 0
        move = 2 * (np.sign(action.reshape(self.count) - self.start).astype(int))
        self.place = np.where(begun, 14, np.clip(self.place + move, 0, 29))
        ended, reward = np.flatnonzero(self.time % 21 == 20), (self.place > 14).astype(float)
        self.feedback = told(reward * ~begun, ended, reset=np.flatnonzero(begun))
        self._show()

    def _show(self) -> None:
        self.frames[:] = 0
        for row, place in enumerate(self.place):
            self.frames[row, 0, 9:12, place : place + 3] = self.luminance
        self.shown.append(self.frames[:, 0].copy())
        self.began.append(self.feedback.reset)


FRAMES = spaces.Box(0, 255, (1, 16, 32), np.uint8)
OBEDIENT = Avatar(ME, 8, 16, 0, 32, False, True)


def newborn(warmup_steps: int, seed: int = 0, action: spaces.Space[Any] | None = None, **config: Any) -> RSTDP:
    """An agent that has not looked around yet."""
    setting = RSTDPConfig(**{"sim_steps": 4, "warmup_steps": warmup_steps, "weight_std": 0.1, **config})
    return RSTDP(FRAMES, action or spaces.Discrete(3, start=1), setting, TOY, seed)


def calibrated(agent: RSTDP) -> bool:
    assert isinstance(agent.network.encoder, ObjectEncoder)
    return agent.network.encoder.calibrated


def figure(agent: RSTDP) -> Avatar:
    return Avatar(*agent.state_dict()["network.encoder.avatar"].tolist())


def go_on(agent: RSTDP, game: Paddle, state: RSTDPState, steps: int) -> tuple[list[dict[str, float]], RSTDPState]:
    """Play on; what each step told, and the last state."""
    metrics = []
    for _ in range(steps):
        action, state, told_now = step(agent, game.frames, game.feedback, state)
        metrics.append(told_now)
        game.step(action)
    return metrics, state


@pytest.mark.parametrize(("warmup_steps", "count", "steps"), [(40, 4, 10), (41, 4, 11), (7, 1, 7), (6, 3, 2)])
def test_an_agent_looks_around_for_its_decisions_and_learns_nothing_else(
    warmup_steps: int, count: int, steps: int
) -> None:
    agent, game = newborn(warmup_steps), Paddle(count)
    before = snapshot(agent)
    metrics, state = go_on(agent, game, agent.begin(count), steps - 1)
    assert not changed(agent, before)
    assert not calibrated(agent)
    more, state = go_on(agent, game, state, 1)
    assert calibrated(agent)
    assert not any(metrics + more)
    assert (
        "network.encoder._calibrated"
        in changed(agent, before)
        <= {f"network.encoder.{name}" for name in ("_calibrated", "background", "table", "avatar")}
    )
    assert state.glimpses == ()
    more, state = go_on(agent, game, state, 3)
    assert [bool(told_now) for told_now in more] == [False, True, True]
    assert changed(agent, before) >= {"network.to_actor.weight", "network.encoder.adaptation.rate"}


def test_actions_are_even_while_looking_around_and_the_agents_own_afterwards() -> None:
    agent, game = newborn(1200, actor_lr=0.0, critic_lr=0.0), Paddle(4)
    agent.network.to_actor.weight[10:20] = 2.0
    _, state = go_on(agent, game, agent.begin(4), 300)
    taken = np.bincount(np.concatenate(game.done), minlength=4)
    assert taken[0] == 0
    assert abs(taken[1:] - 400).max() < 5 * (1200 * 2 / 9) ** 0.5
    together = np.corrcoef(np.stack(game.done).T.astype(float)) - np.eye(4)
    assert abs(together).max() < 5 / 300**0.5, "each environment has draws of its own"
    go_on(agent, game, state, 50)
    own = np.bincount(np.concatenate(game.done[300:]), minlength=4)
    assert own[2] > 110


def test_what_is_looked_at_are_frames_what_was_done_between_them_and_where_episodes_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[tuple[NDArray[Any], ...]] = []
    look = ObjectEncoder.calibrate

    def remembering(self: ObjectEncoder, *arguments: Any) -> Any:
        looked.append(arguments)
        return look(self, *arguments)

    monkeypatch.setattr(ObjectEncoder, "calibrate", remembering)
    agent, game = newborn(160), Paddle(4)
    go_on(agent, game, agent.begin(4), 45)
    ((frames, actions, joined),) = looked
    assert np.array_equal(frames, np.stack(game.shown[:40]))
    assert np.array_equal(actions, np.stack(game.done[:39]) - agent.action_space.start)
    assert np.array_equal(joined, ~np.stack(game.began[1:40]))
    assert (~joined).any(0).all()


def test_an_agent_that_has_looked_around_knows_its_figure() -> None:
    agent, game = newborn(800), Paddle(4)
    go_on(agent, game, agent.begin(4), 200)
    assert figure(agent) == OBEDIENT
    assert agent.state_dict()["network.encoder.table"][ME] == 0


def test_looking_around_starts_over_when_episodes_begin_anew() -> None:
    agent = newborn(800)
    go_on(agent, Paddle(4, luminance=150), agent.begin(4), 150)
    game = Paddle(4)
    _, state = go_on(agent, game, agent.begin(4), 199)
    assert not calibrated(agent)
    go_on(agent, game, state, 1)
    assert calibrated(agent)
    assert figure(agent) == OBEDIENT
    scene = snapshot(agent)
    go_on(agent, Paddle(4, luminance=150), agent.begin(4), 250)
    assert not changed(agent, scene) & {f"network.encoder.{name}" for name in ("background", "table", "figure")}, (
        "once is enough"
    )


def test_a_loaded_agent_need_not_look_around_again() -> None:
    old, new, game = newborn(800), newborn(800, seed=9), Paddle(4)
    go_on(old, game, old.begin(4), 230)
    new.load_state_dict(old.state_dict())
    new.generator.set_state(old.generator.get_state())
    assert calibrated(new)
    assert figure(new) == OBEDIENT
    one, other = Paddle(4), Paddle(4)
    go_on(old, one, old.begin(4), 20)
    metrics, _ = go_on(new, other, new.begin(4), 20)
    assert all(metrics[1:])
    assert np.array_equal(one.done, other.done)
    assert not changed(new, snapshot(old))


def test_equal_seeds_look_around_and_learn_alike_bit_for_bit() -> None:
    agents, games = [newborn(400, seed) for seed in (3, 3, 4)], [Paddle(4) for _ in range(3)]
    for agent, game in zip(agents, games, strict=True):
        go_on(agent, game, agent.begin(4), 130)
    assert np.array_equal(games[0].done, games[1].done)
    assert not changed(agents[0], snapshot(agents[1]))
    assert torch.equal(agents[0].generator.get_state(), agents[1].generator.get_state())
    assert not np.array_equal(games[0].done[:100], games[2].done[:100])


def test_predictions_while_looking_around_neither_help_nor_disturb() -> None:
    plain, asked = newborn(80), newborn(80)
    games = Paddle(4), Paddle(4)
    states = [plain.begin(4), asked.begin(4)]
    for _ in range(30):
        asked.predict(games[1].frames, deterministic=True)
        for number, agent in enumerate((plain, asked)):
            _, states[number] = go_on(agent, games[number], states[number], 1)
        assert calibrated(plain) == calibrated(asked)
    assert calibrated(asked)
    assert np.array_equal(games[0].done, games[1].done)
    assert not changed(plain, snapshot(asked))


@pytest.mark.parametrize("kind", ["discrete", "vector", "unbounded"])
def test_who_sees_no_frames_does_not_look_around(kind: str) -> None:
    agent = make(OBSERVATIONS[kind], warmup_steps=1000)
    _, state, _ = step(agent, seen(OBSERVATIONS[kind], 2, 0), begins(2), agent.begin(2))
    assert state.decision is not None
    assert state.glimpses == ()


def test_an_agent_with_continuous_actions_looks_around() -> None:
    agent, game = newborn(800, action=spaces.Box(-1.0, 1.0, (1,)), action_bins=3), Paddle(4, start=0)
    go_on(agent, game, agent.begin(4), 200)
    assert figure(agent) == OBEDIENT


@pytest.mark.parametrize("warmup_steps", [1, 4])
def test_a_single_glimpse_is_enough_if_so_it_is_set(warmup_steps: int) -> None:
    agent, game = newborn(warmup_steps), Paddle(4)
    go_on(agent, game, agent.begin(4), 5)
    assert calibrated(agent)
