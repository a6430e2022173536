"""Algorithms of stable-baselines3 as the agents that recipes name."""

from __future__ import annotations

import warnings
from dataclasses import fields
from functools import reduce
from typing import Any, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv

from snnrl.agents.trainable import Layout, Question, Readings, Trainable
from snnrl.envs import EnvConfig
from snnrl.integrations.sb3.config import AlgorithmConfig
from snnrl.integrations.sb3.environments import CLIP, Screen
from snnrl.integrations.sb3.optimisers import fuse
from snnrl.integrations.sb3.policies import SpikingPolicy
from snnrl.integrations.sb3.translation import ActionKinds, Translation
from snnrl.networks.cost import Cost
from snnrl.settings import accepted
from snnrl.spaces import as_batch
from snnrl.spaces.leaves import Space
from snnrl.types import Action, Array, Observation, PolicyState, Saved, Settings

A = TypeVar("A", bound=BaseAlgorithm)
C = TypeVar("C", bound=AlgorithmConfig)


class Policies(NamedTuple):
    """The spiking policies of an algorithm, one for each kind of observation."""

    vectors: type[SpikingPolicy]
    images: type[SpikingPolicy]
    dicts: type[SpikingPolicy]
    """For Dict spaces, with images among their parts."""


class SB3Agent(Trainable, Generic[A, C]):
    """A policy of stable-baselines3 with all that lies between it and the environment.

    An algorithm is a subclass, of :class:`~snnrl.integrations.sb3.on_policy.OnPolicyAgent` or
    :class:`~snnrl.integrations.sb3.off_policy.OffPolicyAgent`, with what stands in capitals; SB3 then also knows its
    policies by ``"SpikingMlpPolicy"``, ``"SpikingCnnPolicy"`` and ``"SpikingMultiInputPolicy"``.

    Args:
        model: the algorithm; it can be used as any of SB3's, on observations as its own environment gives them.
        config: the settings that it was made by.
        statistics: of observations, by which they are normalised; ``None`` for none. Shared with ``VecNormalize``.
        frames: how many frames of an Atari game are seen together; 0 where there is no screen.
        seed: of the generator.
        translation: between the environment's spaces and the algorithm's.

    Attributes:
        model: the algorithm.
        policy: its policy.
        config: the settings that it was made by.
        envs: that it has learned in and learns on in, once it has.
        learns_in: their recipe.
        ALGORITHM: the class of SB3 or of a package that builds on it. A setting of ``Config`` is handed to its
            constructor if that has an argument of the same name; ``Config.arguments`` says the rest.
        POLICIES: spiking ones.
        ACTIONS: those that it can take.
        COUNTERS: attributes of ``ALGORITHM`` that a run has to keep in order to go on exactly.
    """

    TASK: ClassVar[str] = "snnrl.integrations.sb3.sb3_task:SB3Task"
    Config: ClassVar[type[AlgorithmConfig]]
    ALGORITHM: ClassVar[type[BaseAlgorithm]]
    POLICIES: ClassVar[Policies]
    ACTIONS: ClassVar[ActionKinds] = "any"
    COUNTERS: ClassVar[tuple[str, ...]] = (
        *("num_timesteps", "_n_updates", "_episode_num", "_current_progress_remaining"),
    )

    def __init_subclass__(cls, **others: object) -> None:
        super().__init_subclass__(**others)
        if hasattr(cls, "ALGORITHM") and hasattr(cls, "POLICIES"):
            names = ("SpikingMlpPolicy", "SpikingCnnPolicy", "SpikingMultiInputPolicy")
            known = cls.ALGORITHM.policy_aliases
            cls.ALGORITHM.policy_aliases = {**known, **dict(zip(names, cls.POLICIES, strict=True))}

    def __init__(
        self,
        model: A,
        config: C,
        statistics: RunningMeanStd | None,
        frames: int,
        seed: int,
        translation: Translation,
    ) -> None:
        super().__init__()
        self._translation = translation
        self.model, self.config, self.statistics = model, config, statistics
        self.policy: BasePolicy = model.policy
        self.generator = torch.Generator().manual_seed(seed)
        self._screen = Screen(frames) if frames else None
        self.observation_space, self.action_space = translation.observation_space, translation.action_space
        self.envs: VecEnv | None = None
        self.learns_in: EnvConfig | None = None

    def _get_name(self) -> str:
        """The name in checkpoints: weights have to fit the policy, whatever trains it."""
        return "SB3Agent"

    @classmethod
    def algorithm(cls, config: C, envs: VecEnv, seed: int, device: torch.device | str) -> A:
        """The algorithm of stable-baselines3 that a recipe describes, untrained.

        Args:
            config: the settings.
            envs: what it will learn in, their actions being of a kind in :attr:`ACTIONS`.
            seed: of its first weights and, through torch's and NumPy's global generators, of all its draws.
            device: to compute on.

        Raises:
            ConfigError: a setting that does not go with the environments.
        """
        config.check(envs)
        kind: Any = cls.ALGORITHM
        taken = accepted(kind)
        settings = {each.name: getattr(config, each.name) for each in fields(config) if each.name in taken}
        settings |= config.arguments(envs)
        policy = cls.policy_class(config, envs.observation_space)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="You have specified a mini-batch size")
            made: A = kind(policy, envs, policy_kwargs=config.policy_kwargs(), seed=seed, device=device, **settings)
        modules, _ = made._get_torch_save_params()
        fuse(_find(made, name) for name in modules)
        return made

    @classmethod
    def policy_class(cls, config: C, observation_space: Space) -> type[BasePolicy] | str:
        """The policy's class, or SB3's name for it."""
        if isinstance(observation_space, spaces.Dict):
            kind = 2
        else:
            kind = int(isinstance(observation_space, spaces.Box) and len(observation_space.shape) == 3)
        if config.network == "ann":
            return ("MlpPolicy", "CnnPolicy", "MultiInputPolicy")[kind]
        return cls.POLICIES[kind]

    def become(self, other: SB3Agent[A, C]) -> None:
        """Be what ``other`` is: its algorithm, which has environments to learn in, with these weights and counters."""
        other.load_state_dict(self.state_dict())
        other.take_learning_state(self.learning_state())
        self.model, self.policy, self.statistics = other.model, other.policy, other.statistics
        self._translation, self._screen = other._translation, other._screen

    def gather(self, envs: VecEnv, callback: BaseCallback) -> int:
        """Act for as long as the algorithm's ``learn`` does before it trains.

        Args:
            envs: that it learns in.
            callback: told of every step.

        Returns:
            How many steps were taken, in all environments together.
        """
        raise NotImplementedError

    def optimise(self, gathered: int, env_steps: int) -> None:
        """Train as the algorithm's ``learn`` does.

        Args:
            gathered: what :meth:`gather` returned.
            env_steps: length of the whole run.
        """
        raise NotImplementedError

    def memory(self) -> Saved:
        """What the algorithm replays, as tensors, where it does and a checkpoint is to hold it."""
        return {}

    def take_memory(self, saved: Settings) -> None:
        """Take over what :meth:`memory` gave."""

    def learning_state(self) -> Saved:
        """What it needs to learn on, besides the policy and what it replays: optimisers, variables, counters."""
        modules, variables = self.model._get_torch_save_params()
        return {
            "modules": {name: _find(self.model, name).state_dict() for name in modules if name != "policy"},
            "variables": {name: _find(self.model, name).detach().clone() for name in variables},
            "counters": {name: getattr(self.model, name) for name in self.COUNTERS},
        }

    def take_learning_state(self, saved: Settings) -> None:
        """Take over what :meth:`learning_state` gave."""
        for name, state in saved["modules"].items():
            _find(self.model, name).load_state_dict(state)
        for name, value in saved["variables"].items():
            _find(self.model, name).data.copy_(value)
        for name, value in saved["counters"].items():
            setattr(self.model, name, value)

    def predict(
        self,
        observation: Observation,
        state: PolicyState = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Action, Array | None]:
        """Act, as stable-baselines3's ``predict`` does, on observations as the environment's recipe gives them.

        Args:
            observation: one observation, or a batch of them with a leading dimension.
            state: what the last call returned; ``None`` at first. It holds the last frames of an Atari game.
            episode_start: ``[batch]``, true where the observation begins an episode.
            deterministic: take the best action rather than a random one.
        """
        if self._screen is not None:
            arrays, batched = as_batch(self._translation.observation_space, observation)
            state = self._screen.add(arrays[0], state, episode_start)
            seen = state
        else:
            plain, batched = self._translation.seen(observation)
            seen = self._normalised(plain)
        action, _ = self.model.predict(seen, deterministic=deterministic)
        return self._translation.done(action, batched), state

    def decision_cost(self, env: EnvConfig, decisions: int, seed: int) -> Cost | None:
        from snnrl.integrations.sb3.cost import decision_cost
        from snnrl.integrations.sb3.observing import gather

        if not isinstance(self.policy, SpikingPolicy):
            return None
        return decision_cost(self, gather(self, env, decisions, seed, setting="decisions"))

    def layout(self) -> Layout:
        from snnrl.integrations.sb3.readings import layout_of

        return layout_of(self.policy, self._translation.actions.names())

    def read(self, question: Question) -> tuple[Action, PolicyState, Readings]:
        from snnrl.integrations.sb3.readings import read_policy

        action, after = self.predict(*question[:4])
        seen = self.as_seen(question.observation, after)
        return action, after, read_policy(self.policy, seen, potentials=question.potentials)

    def prediction_error(self, raw: float, learned: float, value: float, next_value: float) -> float | None:
        if self.config.normalise_reward:
            return None  # the unit of reward is known to the environments of a training alone
        reward = float(np.sign(raw)) if self._screen is not None else raw
        return reward + self.config.gamma * next_value - value

    def as_seen(self, observation: Observation, state: Array | None) -> Observation:
        """What the policy is given for a batch of observations, ``state`` being what :meth:`predict` returned."""
        return state if self._screen is not None else self._normalised(self._translation.seen(observation)[0])

    def _normalised(self, observation: Observation) -> Observation:
        if self.statistics is None:
            return observation
        spread = np.sqrt(self.statistics.var + 1e-8)
        scaled = (np.asarray(observation) - self.statistics.mean) / spread
        return np.clip(scaled, -CLIP, CLIP).astype(np.float32)

    def take_statistics(self, other: SB3Agent[A, C]) -> None:
        """Normalise observations as ``other`` does."""
        self.set_extra_state(other.get_extra_state())

    def get_extra_state(self) -> Saved:
        """The statistics of observations, for ``state_dict``."""
        if self.statistics is None:
            return {}
        return {
            "mean": torch.as_tensor(np.array(self.statistics.mean)),
            "var": torch.as_tensor(np.array(self.statistics.var)),
            "count": float(self.statistics.count),
        }

    def set_extra_state(self, state: Settings) -> None:
        """Take over what :meth:`get_extra_state` gave."""
        if self.statistics is not None:
            self.statistics.mean = state["mean"].cpu().numpy().copy()
            self.statistics.var = state["var"].cpu().numpy().copy()
            self.statistics.count = float(state["count"])


AnySB3Agent: TypeAlias = SB3Agent[Any, Any]
"""An agent of whichever algorithm."""


def _find(algorithm: BaseAlgorithm, name: str) -> Any:
    """The module, optimiser or variable of an algorithm that SB3 calls ``name``, with dots."""
    return reduce(getattr, name.split("."), algorithm)
