"""An algorithm of stable-baselines3 as the trainer and the evaluation know a model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv

from snnrl.agents.trainable import Trainable
from snnrl.envs import EnvConfig
from snnrl.integrations.sb3.environments import CLIP, Screen
from snnrl.integrations.sb3.translation import Translation
from snnrl.spaces import as_batch


class SB3Agent(Trainable):
    """A policy of stable-baselines3 with all that lies between it and the environment.

    Args:
        model: the algorithm; it can be used as any of SB3's, on observations as its own environment gives them.
        statistics: of observations, by which they are normalised; ``None`` for none. Shared with ``VecNormalize``.
        frames: how many frames of an Atari game are seen together; 0 where there is no screen.
        seed: of the generator.
        translation: between the environment's spaces and the algorithm's.

    Attributes:
        model: the algorithm.
        policy: its policy.
        envs: that it has learned in and learns on in, once it has.
        learns_in: their recipe.
    """

    def __init__(
        self,
        model: BaseAlgorithm,
        statistics: RunningMeanStd | None,
        frames: int,
        seed: int,
        translation: Translation,
    ) -> None:
        super().__init__()
        self._translation = translation
        self.model, self.statistics = model, statistics
        self.policy = model.policy
        self.generator = torch.Generator().manual_seed(seed)
        self._screen = Screen(frames) if frames else None
        self.observation_space, self.action_space = translation.observation_space, translation.action_space
        self.envs: VecEnv | None = None
        self.learns_in: EnvConfig | None = None

    def become(self, other: SB3Agent) -> None:
        """Be what ``other`` is: its algorithm, which has environments to learn in, with these weights and counters."""
        other.load_state_dict(self.state_dict())
        other.take_learning_state(self.learning_state())
        self.model, self.policy, self.statistics = other.model, other.policy, other.statistics
        self._translation, self._screen = other._translation, other._screen

    def learning_state(self) -> dict[str, Any]:
        """Optimisers, what else the algorithm trains, and its counters; not what is replayed."""
        modules, variables = self.model._get_torch_save_params()
        return {
            "modules": {name: _find(self.model, name).state_dict() for name in modules if name != "policy"},
            "variables": {name: _find(self.model, name).detach().clone() for name in variables},
            "counters": {name: getattr(self.model, name) for name in _COUNTERS if hasattr(self.model, name)},
        }

    def take_learning_state(self, saved: Mapping[str, Any]) -> None:
        for name, state in saved["modules"].items():
            _find(self.model, name).load_state_dict(state)
        for name, value in saved["variables"].items():
            _find(self.model, name).data.copy_(value)
        for name, value in saved["counters"].items():
            setattr(self.model, name, value)

    def predict(
        self,
        observation: Any,
        state: Any | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
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
            seen: Any = state
        else:
            plain, batched = self._translation.seen(observation)
            seen = self._normalised(plain)
        action, _ = self.model.predict(seen, deterministic=deterministic)
        return self._translation.done(action, batched), state

    def as_seen(self, observation: Any, state: Any) -> Any:
        """What the policy is given for a batch of observations, ``state`` being what :meth:`predict` returned."""
        return state if self._screen is not None else self._normalised(self._translation.seen(observation)[0])

    def _normalised(self, observation: Any) -> Any:
        if self.statistics is None:
            return observation
        spread = np.sqrt(self.statistics.var + 1e-8)
        scaled = (np.asarray(observation) - self.statistics.mean) / spread
        return np.clip(scaled, -CLIP, CLIP).astype(np.float32)

    def take_statistics(self, other: SB3Agent) -> None:
        """Normalise observations as ``other`` does."""
        self.set_extra_state(other.get_extra_state())

    def get_extra_state(self) -> dict[str, Any]:
        """The statistics of observations, for ``state_dict``."""
        return {} if self.statistics is None else _as_tensors(self.statistics)

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` gave."""
        if self.statistics is not None:
            _fill(self.statistics, state)


_COUNTERS = (
    *("num_timesteps", "_n_updates", "_n_calls", "_episode_num"),
    *("_current_progress_remaining", "exploration_rate"),
)


def _find(algorithm: BaseAlgorithm, name: str) -> Any:
    return reduce(getattr, name.split("."), algorithm)


def _as_tensors(statistics: RunningMeanStd) -> dict[str, Any]:
    return {
        "mean": torch.as_tensor(np.array(statistics.mean)),
        "var": torch.as_tensor(np.array(statistics.var)),
        "count": float(statistics.count),
    }


def _fill(statistics: RunningMeanStd, state: Mapping[str, Any]) -> None:
    statistics.mean, statistics.var = state["mean"].cpu().numpy().copy(), state["var"].cpu().numpy().copy()
    statistics.count = state["count"]
