"""Small agents for tests, and tasks that they learn in no time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from snnrl.agents.rstdp import RSTDP, RSTDPConfig
from snnrl.agents.rstdp_state import RSTDPState
from snnrl.connections import Connection
from snnrl.envs import EnvConfig, Feedback, FeedbackBuilder
from snnrl.settings import read
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
ACTOR, CRITIC = (f"network.connections.input to {name}.weight" for name in ("actor", "critic"))
"""Names of weights."""
NOISY: dict[str, Any] = {"actor": {"neuron": {"name": "escape_noise", "v_threshold": 0.0}}}
PLAIN: dict[str, Any] = {
    "sim_steps": 8,
    "tau": 10.0,
    "value_range": (-2.0, 2.0),
    "trace_lambda": 0.9,
    "actor_lr": 3e-3,
    "critic_lr": 1e-3,
    "lr_per_input": False,
    "normalise_td": False,
    "entropy_coef": 0.0,
    "exploration_bonus": 0.0,
    "exploration_steps": 50,
    "postsynaptic_floor": 0.0,
    "habituation": None,
    "weight_mean": 0.15,
    "weight_std": 0.02,
}
"""Settings without what serves learning in the long run, so that each test adds what it is about."""
QUIET_CRITIC: dict[str, Any] = {"size": 20, "neuron": {"name": "saturating_if", "gain": 0.2, "tonic": 0.0}}
SILENT = {"weight_mean": 0.0, "weight_std": 0.0, "network": NOISY}
"""The actor fires by noise alone and the critic not at all, so that each value is the lowest of its range."""


def plain(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of which those that are not given are plain."""
    return {**PLAIN, **config, "network": {"critic": QUIET_CRITIC, **config.get("network", {})}}


def make(
    observation: spaces.Space[Any] = OBSERVATIONS["discrete"],
    action: spaces.Space[Any] = ACTIONS["choice"],
    seed: int = 0,
    *,
    calibrate: bool = True,
    **config: Any,
) -> RSTDP:
    """An agent, whose encoder need not see random play any more unless it shall."""
    agent = RSTDP(observation, action, read(RSTDPConfig, plain(config), "agent"), TOY, seed)
    if calibrate and not agent.network.encoder.calibrated:
        count, frames = 6, seen(observation, 6, 100)
        agent.network.encoder.calibrate(
            frames[:, None], np.zeros((count - 1, 1), dtype=np.int64), np.ones((count - 1, 1), dtype=np.bool_)
        )
    return agent


def to(agent: RSTDP, population: str) -> Connection:
    """What carries the input to a population."""
    return cast(Connection, agent.network.connections[f"input to {population}"])


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
    pre, post = state.decision.activity.seen["input to actor"]
    credit = state.decision.credit.repeat_interleave(neurons, dim=1)
    return torch.einsum("tbo,bo,tbi->boi", post, credit, pre)


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
