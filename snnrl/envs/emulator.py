"""Atari games as ``ale_py`` itself shows them: the bytes of the console's memory, or frames in colour."""

from __future__ import annotations

from snnrl.envs.atari import MAX_FRAMES
from snnrl.envs.config import AtariConfig
from snnrl.envs.types import Env, Wrapper
from snnrl.types import Info, Observation, Setting


def emulator_arguments(config: AtariConfig, max_episode_steps: int | None) -> dict[str, int | float]:
    """The settings of a game in the words of ``ale_py``.

    Args:
        config: how the game is played.
        max_episode_steps: time limit in environment steps; None for 108,000 emulator frames.
    """
    return {
        "frameskip": config.frame_skip,
        "repeat_action_probability": config.sticky_actions,
        "max_num_frames_per_episode": MAX_FRAMES
        if max_episode_steps is None
        else max_episode_steps * config.frame_skip,
    }


class IdleStart(Wrapper):
    """Games that begin with a random number of steps without action.

    Args:
        env: the game.
        config: how it is played; idle are at most ``noop_max`` frames, in steps of ``frame_skip``.
    """

    def __init__(self, env: Env, config: AtariConfig) -> None:
        super().__init__(env)
        self._most = config.noop_max // config.frame_skip

    def reset(self, *, seed: int | None = None, options: dict[str, Setting] | None = None) -> tuple[Observation, Info]:
        """Start a game."""
        observation, info = self.env.reset(seed=seed, options=options)
        for _ in range(int(self.np_random.integers(self._most + 1))):
            observation, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                return self.env.reset(options=options)
        return observation, info
