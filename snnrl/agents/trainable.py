"""What a program calls on an agent: learn, save, load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from snnrl.agents.look import Look, weights_of
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, require
from snnrl.networks.cost import Cost
from snnrl.settings import changed_settings
from snnrl.spaces.leaves import Space
from snnrl.trajectory import Trace
from snnrl.types import Action, Observation, PolicyState, Saved, Setting, Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Origin:
    """What an agent was made for.

    Attributes:
        settings: of a whole run, as a ``config.yaml`` holds them; the agent's recipe is among them.
        env: the environment that it learns in.
    """

    settings: Settings
    env: EnvConfig


class Layout(NamedTuple):
    """Of what an agent's decisions are made."""

    populations: Mapping[str, tuple[int, ...]] = {}
    """The shapes of its populations of neurons, by name, the input's first."""
    choices: Sequence[str] = ()
    """What each of its preferences stands for, in words; the actor's neurons belong to them in equal shares."""
    sim_steps: int = 0
    """Simulation steps of one decision."""
    dt: float = 1.0
    """Length of a simulation step in ms."""


class Question(NamedTuple):
    """What :meth:`Trainable.read` is asked: the arguments of ``predict``, and what is to be told besides."""

    observation: Observation
    """A batch."""
    state: PolicyState = None
    """What the last call returned; ``None`` at first."""
    episode_start: NDArray[np.bool_] | None = None
    """``[batch]``, true where the observation begins an episode."""
    deterministic: bool = False
    """Take the best action rather than a random one."""
    potentials: bool = False
    """Tell the neurons' potentials too."""
    action_masks: NDArray[np.bool_] | None = None
    """What is permitted, where the agent takes that."""


class Readings(NamedTuple):
    """What went on inside an agent while it decided, for a batch of observations."""

    spikes: Mapping[str, Tensor] = {}
    """Of each population ``[time, batch, *shape]``, by its name; 0 where a neuron is silent."""
    probabilities: Mapping[str, Tensor] = {}
    """Of each population whose firing probabilities were taken in place of drawn spikes, ``[time, batch, *shape]``."""
    potentials: Mapping[str, Tensor] = {}
    """Of each population of neurons, where they were asked for, ``[time, batch, *shape]``."""
    preferences: Tensor | None = None
    """``[batch, choices]``: what each of :attr:`Layout.choices` was worth to it."""
    value: Tensor | None = None
    """``[batch]``: the return that it predicted."""
    td_error: Tensor | None = None
    """``[batch]``: how wrong the prediction of the decision before was, where it learns from that."""


@dataclass
class Recorder:
    """Where callbacks record values of their own; they stand in the next row of metrics.

    Its methods are those of stable-baselines3's ``Logger`` that callbacks use.
    """

    values: dict[str, float] = field(default_factory=dict)

    def record(self, key: str, value: Setting, exclude: str | tuple[str, ...] | None = None) -> None:
        """Keep a number under its name; anything else has no place in a row."""
        if isinstance(value, (int, float)) or getattr(value, "shape", None) == ():
            self.values[key] = float(value)

    def record_mean(self, key: str, value: float | None, exclude: str | tuple[str, ...] | None = None) -> None:
        """As :meth:`record`."""
        if value is not None:
            self.record(key, value)

    def dump(self, step: int = 0) -> None:
        """Rows are written as the run goes on."""

    def take(self) -> dict[str, float]:
        """What was recorded since the last call."""
        values, self.values = self.values, {}
        return values


class Training(Protocol):
    """What trains and keeps agents."""

    def learn(
        self,
        agent: Trainable,
        total_timesteps: int,
        callback: object,
        log_interval: int | None,
        reset_num_timesteps: bool,
        progress_bar: bool,
    ) -> None: ...
    def save(self, agent: nn.Module, path: str | Path) -> None: ...
    def load(self, path: str | Path, *, env: object, device: str, trust: bool) -> object: ...
    def set_env(self, agent: Trainable, env: object) -> None: ...
    def record(self, agent: Trainable, env: object, **settings: Setting) -> Trace: ...


def training() -> Training:
    """What trains and keeps agents; it is built on them, so it is imported when it is first asked for."""
    return cast(Training, import_module("snnrl.api"))


def of_class(kind: type[T], loaded: object, path: str | Path) -> T:
    """What was loaded, found to be of a class.

    Raises:
        ConfigError: it is of another.
    """
    expected = f"the file of a {kind.__name__}, this is one of a {type(loaded).__name__}"
    require(isinstance(loaded, kind), "path", path, expected)
    assert isinstance(loaded, kind)
    return loaded


class Trainable(nn.Module):
    """What acts and learns, and is trained, saved and loaded as stable-baselines3's algorithms are.

    Attributes:
        Config: the dataclass of its settings.
        TASK: ``module:Class`` of the task that trains it.
        num_timesteps: environment steps that it has learned from, as callbacks read it.
        epoch: how often it has begun fresh episodes of training; none is played twice.
        history: rows of metrics of the last :meth:`learn`: ``{"step": 1000, "rollout/return_mean": 21.5}``.
        logger: takes what callbacks record.
        envs: that it is learning in at the moment.
        origin: what it was made for; ``None`` of an agent that was made by its class alone.
    """

    Config: ClassVar[type]
    TASK: ClassVar[str]
    origin: Origin | None = None
    envs: object = None
    num_timesteps: int = 0
    epoch: int = 0
    history: list[dict[str, float]] | tuple[()] = ()
    observation_space: Space
    action_space: Space

    def predict(
        self,
        observation: Observation,
        state: PolicyState = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Action, PolicyState]:
        """Act without learning, as stable-baselines3's ``predict`` does."""
        raise NotImplementedError

    def layout(self) -> Layout:
        """What :meth:`read` tells of; nothing, where an agent does not spike."""
        return Layout()

    def read(self, question: Question) -> tuple[Action, PolicyState, Readings]:
        """:meth:`predict` a batch, and what went on inside while it was made; draws are those of :meth:`predict`."""
        asked = question
        told = {} if asked.action_masks is None else {"action_masks": asked.action_masks}
        action, state = self.predict(asked.observation, asked.state, asked.episode_start, asked.deterministic, **told)
        return action, state, Readings()

    def prediction_error(self, raw: float, learned: float, value: float, next_value: float) -> float | None:
        """How wrong a prediction was, in the unit of values; ``None`` where nothing is predicted.

        Args:
            raw: the environment's reward for the decision.
            learned: the same as the environment's recipe says to learn from it.
            value: that was predicted.
            next_value: that is predicted now, 0 after the end of an episode.
        """
        return None

    def decision_cost(self, env: EnvConfig, decisions: int, seed: int) -> Cost | None:
        """What a decision costs in operations, a mean over its own play; ``None`` where that is not counted.

        Args:
            env: the environment's recipe.
            decisions: how many to look at.
            seed: of the environments.
        """
        return None

    def learn(
        self,
        total_timesteps: int,
        callback: object = None,
        log_interval: int | None = None,
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Learn in the agent's environments, from fresh episodes on; nothing is written, and nothing is evaluated.

        The same seed gives the same weights as ``python -m snnrl.train`` with ``eval.every=0 checkpoint.every=0``; a
        run with checkpoints also begins fresh episodes at each of them.

        Args:
            total_timesteps: environment steps, summed over the environments.
            callback: a function ``(locals, globals) -> bool``, an object like stable-baselines3's ``BaseCallback``, or
                a list of these; ``False`` ends learning.
            log_interval: environment steps between two rows of :attr:`history`; ``None`` is a 200th of all.
            reset_num_timesteps: count :attr:`num_timesteps`, and run schedules, from the start. The weights are
                those that were learned before, either way.
            progress_bar: show how far it is.

        Returns:
            The agent.

        Raises:
            ConfigError: the agent has no environment, see :meth:`set_env`, or a value is out of range.
            KeyboardInterrupt: at Ctrl-C, after the step that is under way.
        """
        training().learn(self, total_timesteps, callback, log_interval, reset_num_timesteps, progress_bar)
        return self

    def record(
        self,
        env: object = None,
        *,
        episodes: int | None = None,
        steps: int | None = None,
        deterministic: bool | None = None,
        seed: int | None = None,
        learn: bool = False,
        potentials: bool = False,
        frames: bool = True,
        max_bytes: int = 1 << 30,
    ) -> Trace:
        """Play and keep every decision: frames, observations, spikes, preferences, values, TD errors, rewards.

        The episodes are those that ``snnrl.evaluate`` plays with the same seed and ``num_envs=1``; neither the agent
        nor its generator are changed by it, unless it shall ``learn``.

        Args:
            env: a recipe's name, a registered Gymnasium id, an environment or a function that makes one; ``None`` is
                the one that the agent was made for.
            episodes: how many; 1 unless there are ``steps``.
            steps: how many decisions at most, of as many episodes as there are.
            deterministic: best actions rather than random ones; ``None`` is as in evaluations of its run.
            seed: of the environment; ``None`` is the agent's own.
            learn: learn as in training, from fresh episodes of training, and keep the weights before and after.
            potentials: keep the neurons' potentials too; every window is then run twice.
            frames: keep pictures of the environment, where it can be drawn.
            max_bytes: memory that the decisions may take; what does not fit is cut, and the trace says so.

        Raises:
            ConfigError: the agent has no environment, its spaces are not the agent's, or a value is out of range.
        """
        return training().record(
            self,
            env,
            episodes=episodes,
            steps=steps,
            deterministic=deterministic,
            seed=seed,
            learn=learn,
            potentials=potentials,
            frames=frames,
            max_bytes=max_bytes,
        )

    def save(self, path: str | Path) -> None:
        """Write settings, spaces, weights and generator into one file, which :meth:`load` and ``snnrl.load`` read.

        Args:
            path: the file; ``.pt`` is added where it has no suffix.

        Raises:
            ConfigError: the agent was made by its class alone, so that nothing says how to make it anew.
            OSError: the file cannot be written.
        """
        training().save(self, path)

    @classmethod
    def load(cls, path: str | Path, env: object = None, device: str = "auto", *, trust: bool = False) -> Self:
        """The agent that :meth:`save` wrote; no object in the file is unpickled.

        Args:
            path: the file, or the folder of a run.
            env: to learn on in: a recipe, an id, an environment or a function that makes one; ``None`` is the one that
                the file names.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
            trust: whether code may run that the file names, such as an agent ``my_module:MyAgent``.

        Raises:
            ConfigError: no such file, one that does not fit, or of an agent of another class.
            UntrustedCodeError: it names code that may not run.
        """
        return of_class(cls, training().load(path, env=env, device=device, trust=trust), path)

    def set_env(self, env: object) -> None:
        """Learn in other environments from now on.

        Args:
            env: a recipe, an id, an environment, a function that makes one, or a vector of environments.

        Raises:
            ConfigError: there is no such environment, or its spaces are not the agent's.
        """
        training().set_env(self, env)

    def get_env(self) -> object:
        """The environments that it is learning in at the moment; ``None`` outside of :meth:`learn`."""
        return self.envs

    def get_vec_normalize_env(self) -> None:
        """Agents of ours learn from environments as they are."""
        return

    def made_for(self) -> Origin:
        """:attr:`origin`.

        Raises:
            ConfigError: the agent was made by its class alone.
        """
        if self.origin is None:
            raise ConfigError(
                f"{type(self).__name__}: was made without an environment; must be made by snnrl.make_agent(env, ...)"
            )
        return self.origin

    def __repr__(self) -> str:
        """The agent's environment and settings in short; its parts have the long representation of torch."""
        if self.origin is None:
            return f"{type(self).__name__}()"
        chosen = changed_settings(self.Config, self.origin.settings["agent"], limit=200)
        return f"{type(self).__name__}(env={self.origin.env.id}, num_timesteps={self.num_timesteps:,}{chosen})"

    def look(self, state: object = None) -> Look:
        """What is logged of it at evaluations: its weights, and what it does.

        Args:
            state: of its training, where there is one.
        """
        return Look({}, weights_of(self))

    def learning_state(self) -> Saved:
        """What it needs to learn on, besides weights and generator: tensors and plain containers."""
        return {}

    def take_learning_state(self, saved: Saved) -> None:
        """Take over what :meth:`learning_state` gave."""
        return
