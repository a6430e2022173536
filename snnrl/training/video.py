"""One episode as an animated picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray
from PIL import Image

from snnrl.agents.base import Agent
from snnrl.envs import EnvConfig, env_seeds, make_env
from snnrl.errors import ConfigError
from snnrl.training.evaluation import AFTERWARDS


def record_episode(agent: Agent[Any], env: EnvConfig, path: Path, *, seed: int = 0, most_frames: int = 2000) -> Path:
    """Play one episode deterministically and write its frames to ``path`` as a GIF; returns ``path``.

    Args:
        agent: who plays.
        env: the environment's recipe.
        path: where to write.
        seed: of the environment.
        most_frames: the episode is cut after so many.

    Raises:
        ConfigError: a package that draws the environment is not installed.
    """
    one = make_env(env, render_mode="rgb_array")
    observation, _ = one.reset(seed=env_seeds(seed, "eval", AFTERWARDS, 1)[0])
    frames: list[Image.Image] = []
    state: Any = None
    ended = False
    while not ended and len(frames) < most_frames:
        frames.append(Image.fromarray(_picture(one)))
        action, state = agent.predict(observation, state, deterministic=True)
        observation, _, terminated, truncated, _ = one.step(action)
        ended = bool(terminated or truncated)
    rate = float(one.metadata.get("render_fps") or 30)
    one.close()
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=max(round(1000 / rate), 20), loop=0)
    return path


def _picture(env: gymnasium.Env[Any, Any]) -> NDArray[np.uint8]:
    try:
        return np.asarray(env.render(), dtype=np.uint8)
    except DependencyNotInstalled as error:
        raise ConfigError(
            f"video=true: {env.spec and env.spec.id} cannot be drawn without a package; {error}"
        ) from error
