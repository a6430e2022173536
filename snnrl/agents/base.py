"""What every agent offers to the trainer and to anybody's Gymnasium loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from inspect import signature
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from snnrl.agents.trainable import Readings, Recorder, Trainable
from snnrl.envs.feedback import Feedback, action_mask
from snnrl.ranks import Ranks
from snnrl.spaces import Space, as_batch, assemble, check_actions, check_observations
from snnrl.types import Action, Info, Observation, PolicyState, Setting

S = TypeVar("S")

Metrics = Mapping[str, Tensor | float]


def permitted(agent: object, info: Info) -> dict[str, NDArray[np.bool_]]:
    """What an agent's ``predict`` can be told besides, of what ``info`` of a vector environment says of actions."""
    mask = action_mask(info) if getattr(agent, "takes_masks", False) else None
    return {} if mask is None else {"action_masks": mask}


class Agent(Trainable, ABC, Generic[S]):
    """A policy that may learn.

    Training alternates :meth:`act` and :meth:`update`: the first sees an observation together with the outcome of the
    last action and decides, the second turns what has been seen into weight changes while the environments are already
    computing. Everything that lasts beyond an episode is in ``state_dict`` and in :attr:`generator`; everything else is
    in the explicit state.

    Args:
        observation_space: of one environment.
        action_space: of one environment.
        seed: of the agent's random generator.

    Attributes:
        takes_masks: whether it can be told which actions are permitted; see :meth:`predict`.

    Raises:
        ConfigError: a space that is not made of numbers, or unbounded actions.
    """

    TASK: ClassVar[str] = "snnrl.training.rl_task:RLTask"
    takes_masks: ClassVar[bool] = False

    def __init__(self, observation_space: Space, action_space: Space, seed: int) -> None:
        super().__init__()
        check_observations(observation_space)
        check_actions(action_space)
        self.observation_space, self.action_space = observation_space, action_space
        self.generator = torch.Generator().manual_seed(seed)
        self.logger = Recorder()

    def __init_subclass__(cls, **settings: Setting) -> None:
        """Refuse an agent of version 0.1, whose step of learning was called as the whole of it is now."""
        super().__init_subclass__(**settings)
        if list(signature(cls.learn).parameters) == ["self", "state"]:
            raise TypeError(f"{cls.__name__}.learn(state): is called update(state) now")

    @abstractmethod
    def begin(self, num_envs: int) -> S:
        """The training state of ``num_envs`` environments that are about to start their episodes."""

    @abstractmethod
    def act(self, observation: Observation, feedback: Feedback, state: S) -> tuple[Action, S]:
        """Choose an action for each environment.

        Args:
            observation: ``[num_envs, *observation_shape]``, of a Tuple or Dict a tuple or dict of such arrays.
            feedback: the outcome of the actions chosen last, and which are permitted now.
            state: from :meth:`begin` or :meth:`update`.

        Returns:
            Actions ``[num_envs, *action_shape]``, of a Tuple or Dict a tuple or dict of such arrays; the new state.
        """

    def act_and_read(
        self, observation: Observation, feedback: Feedback, state: S, *, potentials: bool = False
    ) -> tuple[Action, S, Readings]:
        """:meth:`act`, and what went on inside; draws and what is learned are those of :meth:`act`."""
        action, state = self.act(observation, feedback, state)
        return action, state, Readings()

    def update(self, state: S) -> tuple[S, Metrics]:
        """Learn from what :meth:`act` has gathered. The default learns nothing."""
        return state, {}

    def decision_bytes(self) -> int:
        """Memory that one decision takes at least in each environment, beyond the state of :meth:`begin`."""
        return 0

    @property
    def can_checkpoint(self) -> bool:
        """Whether nothing is being gathered that :meth:`begin` would throw away; until then no checkpoint is due."""
        return True

    def share(self, ranks: Ranks) -> None:
        """Told, before a run begins, of the processes that train it together, each with environments of its own.

        All processes compute for all rows unless the agent shares out a part of that. What lasts must come out alike.
        """
        return

    @property
    def sees_own_rows(self) -> bool:
        """Whether :meth:`act` needs the observations of its process's own rows alone, of those that are shared."""
        return False

    def anneal(self, progress: float) -> None:
        """Told how much of the training is done, in [0, 1], so that schedules may follow."""
        return

    @abstractmethod
    def predict(
        self,
        observation: Observation,
        state: PolicyState = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Action, PolicyState]:
        """Act without learning, as stable-baselines3's ``predict`` does.

        Args:
            observation: one observation, or a batch of them with a leading dimension.
            state: what the last call returned; ``None`` at first.
            episode_start: ``[batch]``, true where the observation begins an episode.
            deterministic: take the best action rather than a random one.

        Agents that have :attr:`takes_masks` also take ``action_masks``, as those of sb3-contrib do: true for each value
        of each number of the action that is permitted, ``[values]`` or ``[batch, values]``.

        Returns:
            The action, or a batch of them, and the state for the next call.
        """

    def as_batch(self, observation: Observation) -> tuple[Observation, bool]:
        """The observation with a leading batch dimension, and whether it had one already.

        Raises:
            ValueError: the shape is neither that of one observation nor that of a batch.
        """
        arrays, batched = as_batch(self.observation_space, observation)
        return assemble(self.observation_space, arrays), batched


AnyAgent: TypeAlias = Agent[Any]
"""An agent with a training state that is known only when it runs."""
