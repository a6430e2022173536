"""An agent that plays and is looked at, decision by decision."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from snnrl.agents.base import Agent, AnyAgent, permitted
from snnrl.agents.trainable import Question, Readings, Trainable
from snnrl.envs import EnvConfig, env_seeds, for_evaluation
from snnrl.envs.seeding import AFTERWARDS
from snnrl.errors import ConfigError, require
from snnrl.recording.draws import Draws
from snnrl.recording.row import Outcome, Row
from snnrl.settings import require_whole
from snnrl.spaces import first
from snnrl.trajectory.moment import About, Moment
from snnrl.types import Action, Array, Observation, PolicyState


class Moments(Iterator[Moment]):
    """The decisions of an agent that plays in one environment, one after the other.

    The episodes are those that ``snnrl.evaluate(agent, episodes=..., seed=seed, num_envs=1)`` plays, decision by
    decision. Neither the agent nor its generator are changed, whenever the caller stops, so that a training may go on
    between two moments. With ``learn`` the agent learns as it does in training, from fresh episodes of training.

    Args:
        agent: who plays.
        env: the environment's recipe.
        episodes: how many; 1 unless there are ``steps``.
        steps: how many decisions at most, of as many episodes as there are.
        deterministic: best actions rather than random ones; ``None`` is as in evaluations of the environment.
        seed: of the environment.
        learn: whether the agent learns as it plays; actions are then drawn.
        potentials: whether to note the neurons' potentials too; every window is then run twice, the second time step by
            step.
        frames: whether to draw the environment, where it can be drawn.

    Attributes:
        about: what they have in common.

    Raises:
        ConfigError: a number out of range, or ``learn`` for an agent that learns from many decisions at once.
    """

    def __init__(
        self,
        agent: Trainable,
        env: EnvConfig,
        *,
        episodes: int | None = None,
        steps: int | None = None,
        deterministic: bool | None = None,
        seed: int = 0,
        learn: bool = False,
        potentials: bool = False,
        frames: bool = True,
    ) -> None:
        for name, given in (("episodes", episodes), ("steps", steps)):
            if given is not None:
                require_whole(name, given)
        require_whole("seed", seed, at_least=0)
        require(not learn or deterministic is not True, "deterministic", "true", "false for an agent that learns")
        best = not learn and (env.eval_deterministic if deterministic is None else deterministic)
        self._agent, self._steps = agent, steps
        self._episodes = 1 if episodes is None and steps is None else episodes
        self._potentials, self._seed = potentials, seed
        decider = _learner(agent, potentials) if learn else _Player(agent, best, potentials)
        self._row = Row(env if learn else for_evaluation(env), frames=frames)
        self._random = np.random.default_rng(seed)
        layout = agent.layout()
        choices, meanings = list(layout.choices), self._row.meanings()
        self.about = About(
            env=env.id,
            agent=_name(agent),
            seed=seed,
            deterministic=best,
            learn=learn,
            populations={name: list(shape) for name, shape in layout.populations.items()},
            choices=meanings if len(meanings) == len(choices) else choices,
            sim_steps=layout.sim_steps,
            dt=layout.dt,
            frames_per_second=self._row.frames_per_second,
        )
        self._moments = self._all(decider)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Moment:
        return next(self._moments)

    def close(self) -> None:
        """Stop playing, and close the environment; it is closed by itself where all was played."""
        self._moments.close()
        self._row.close()

    def _all(self, decider: _Player | _Learner) -> Generator[Moment]:
        row, over, taken = self._row, 0, 0
        pending: Moment | None = None
        try:
            row.start(decider.first_seed(self._seed))
            while True:
                last = row.ended
                action, readings = decider.decide(row)
                if pending is not None:
                    yield replace(pending, td_error=decider.error(pending, readings, row))
                    pending, over, taken = None, over + last, taken + 1
                    if over == self._episodes or taken == self._steps:
                        return
                if last:
                    row.step(action)
                    continue
                seen = row.frame(), row.single, bool(row.feedback.reset[0])
                pending = self._moment(*seen, readings, first(self._agent.action_space, action), row.step(action))
        finally:
            row.close()

    def _moment(
        self,
        frame: NDArray[np.uint8] | None,
        observation: Observation,
        start: bool,
        readings: Readings,
        action: Action,
        outcome: Outcome,
    ) -> Moment:
        spikes = {name: _flat(fired) != 0 for name, fired in readings.spikes.items()}
        for name, probability in readings.probabilities.items():
            spikes[name] = self._random.random(_flat(probability).shape) < _flat(probability)
        return Moment(
            frame=frame,
            observation=observation,
            spikes={name: spikes[name] for name in self.about.populations if name in spikes},
            potentials={name: _flat(v).astype(np.float32) for name, v in readings.potentials.items()},
            preferences=None if readings.preferences is None else _row(readings.preferences).astype(np.float32),
            value=None if readings.value is None else float(readings.value[0]),
            td_error=None,
            action=action,
            reward=outcome.reward,
            episode_start=start,
            terminated=outcome.terminated,
            truncated=outcome.truncated,
        )


class _Player:
    """Decides without learning, and leaves no trace in the agent."""

    def __init__(self, agent: Trainable, deterministic: bool, potentials: bool) -> None:
        self._agent, self._deterministic, self._potentials = agent, deterministic, potentials
        self._draws = Draws(agent)
        self._state: PolicyState = None

    def first_seed(self, seed: int) -> int:
        """Of the environment."""
        return env_seeds(seed, "eval", AFTERWARDS, 1)[0]

    def decide(self, row: Row) -> tuple[Action, Readings]:
        """A batch of one action."""
        agent, training = self._agent, self._agent.training
        told = permitted(agent, row.info).get("action_masks")
        with self._draws:
            action, self._state, readings = agent.read(
                Question(row.observation, self._state, row.feedback.reset, self._deterministic, self._potentials, told)
            )
        if agent.training != training:
            agent.train(training)
        return action, readings

    def error(self, before: Moment, readings: Readings, row: Row) -> float | None:
        """The temporal-difference error of a decision, what came of it being known."""
        if before.value is None or readings.value is None:
            return None
        following = 0.0 if row.feedback.terminated[0] else float(readings.value[0])
        return self._agent.prediction_error(before.reward, float(row.feedback.reward[0]), before.value, following)


class _Learner:
    """Decides and learns as in training."""

    def __init__(self, agent: AnyAgent, potentials: bool) -> None:
        self._agent, self._potentials = agent, potentials
        self._state: object = agent.begin(1)

    def first_seed(self, seed: int) -> int:
        """Of the environment: episodes that the agent has not learned from."""
        self._agent.epoch += 1
        return env_seeds(seed, "train", self._agent.epoch - 1, 1)[0]

    def decide(self, row: Row) -> tuple[Action, Readings]:
        """A batch of one action, after which the agent has learned what it could."""
        action, state, readings = self._agent.act_and_read(
            row.observation, row.feedback, self._state, potentials=self._potentials
        )
        self._state, _ = self._agent.update(state)
        self._agent.num_timesteps += not row.ended
        return action, readings

    def error(self, before: Moment, readings: Readings, row: Row) -> float | None:
        """The temporal-difference error that the agent has learned from."""
        return None if readings.td_error is None else float(readings.td_error[0])


def _learner(agent: Trainable, potentials: bool) -> _Learner:
    if not isinstance(agent, Agent):
        raise ConfigError(f"learn=true: must be false for {_name(agent)}, which learns from many decisions at once")
    return _Learner(agent, potentials)


def _flat(values: Tensor) -> Array:
    """``[time, neurons]`` of ``[time, batch, *shape]``, the batch being one."""
    return np.asarray(values[:, 0].flatten(1).cpu().numpy())


def _row(values: Tensor) -> Array:
    return np.asarray(values[0].cpu().numpy())


def _name(agent: Trainable) -> str:
    """The agent's name in recipes, or its class."""
    return type(agent).__name__ if agent.origin is None else str(agent.origin.settings["agent"]["name"])
