"""What policies of stable-baselines3 see of an environment, and what they are rewarded with."""

from __future__ import annotations

from functools import partial
from typing import SupportsFloat

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecFrameStack, VecNormalize
from torch.nn import functional

from snnrl.envs import EnvConfig, make_env
from snnrl.envs.types import Env, Wrapper
from snnrl.errors import require
from snnrl.integrations.sb3.translation import Translation
from snnrl.types import Action, Info, Observation

SIDE = 84
"""Pixels along each side of what is left of a screen (Mnih et al. 2015, Nature 518:529)."""
CLIP = 10.0
"""Standard deviations beyond which a normalised observation is cut, as SB3 does by default."""


def make_vec_env(env: EnvConfig, num_envs: int, frames: int, translation: Translation | None = None) -> VecEnv:
    """Environments as stable-baselines3 takes them, with a ``Monitor`` around each.

    Atari games are shrunk and stacked, their rewards clipped to their signs, and a lost life ends the learner's
    episode, as in SB3's ``AtariWrapper``; others keep their raw rewards.

    Args:
        env: the environment's recipe.
        num_envs: how many.
        frames: of an Atari game, seen together.
        translation: into the algorithm's own spaces; ``None`` keeps the environment's.

    Raises:
        ConfigError: environments that are computed in torch.
    """
    expected = "gymnasium for algorithms of stable-baselines3, which step environments one by one"
    require(env.backend == "gymnasium", "env.backend", env.backend, expected)

    def make(row: int) -> Env:
        monitored: Env = Monitor(make_env(env, row=row))
        if env.is_atari:
            monitored = AtariLearning(monitored, shrinks=env.shows_frames)
        return monitored if translation is None else translation.wrapped(monitored)

    envs: VecEnv = DummyVecEnv([partial(make, row) for row in range(num_envs)])
    return VecFrameStack(envs, frames, channels_order="first") if env.shows_frames else envs


def normalised(envs: VecEnv, observation: bool, reward: bool, gamma: float) -> VecEnv:
    """The environments with observations or rewards normalised, or as they are."""
    if not (observation or reward):
        return envs
    return VecNormalize(envs, norm_obs=observation, norm_reward=reward, clip_obs=CLIP, gamma=gamma)


class AtariLearning(Wrapper):
    """A game as it is learned from: signs of rewards, episodes that end with a life.

    Args:
        env: the game.
        shrinks: whether it shows frames, which are shrunk.
    """

    def __init__(self, env: Env, shrinks: bool = True) -> None:
        super().__init__(env)
        self._shrinks = shrinks
        if shrinks:
            self.observation_space = spaces.Box(0, 255, (1, SIDE, SIDE), np.uint8)
        self._lives, self._over = 0, True
        self._last: tuple[Observation, Info] = (None, {})

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[Observation, Info]:
        """Start a game, or go on with the one of which a life was lost."""
        if self._over or seed is not None:
            frame, info = self.env.reset(seed=seed, options=options)
        else:
            frame, info = self._last
        self._over, self._lives = False, info["lives"]
        return self._seen(frame), info

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Play on; ``terminated`` is true when a life is lost as well."""
        frame, reward, terminated, truncated, info = self.env.step(action)
        self._over = terminated or truncated
        lost = 0 < info["lives"] < self._lives
        self._lives, self._last = info["lives"], (frame, info)
        return self._seen(frame), float(np.sign(float(reward))), terminated or lost, truncated, info

    def _seen(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return shrink(frame[None])[0] if self._shrinks else frame


class Screen:
    """The last frames of Atari games, for policies that play without learning.

    Args:
        frames: how many are seen together.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def add(
        self, observation: NDArray[np.uint8], stack: NDArray[np.uint8] | None, begins: NDArray[np.bool_] | None
    ) -> NDArray[np.uint8]:
        """The stack ``[batch, frames, 84, 84]`` after new frames ``[batch, 1, 210, 160]``; empty where one begins."""
        newest = shrink(observation)
        if stack is None:
            stack = np.zeros((len(newest), self.frames, SIDE, SIDE), np.uint8)
        stack = np.concatenate([stack[:, 1:], newest], 1)
        if begins is not None:
            stack[np.asarray(begins, bool), :-1] = 0
        return stack


def shrink(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames ``[batch, 1, height, width]`` as ``[batch, 1, 84, 84]``, each pixel the mean of what it covers."""
    small = functional.interpolate(torch.from_numpy(frames).float(), (SIDE, SIDE), mode="area")
    return np.asarray(small.round().to(torch.uint8).numpy(), np.uint8)
