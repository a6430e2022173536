"""One episode as an animated picture."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from gymnasium.error import DependencyNotInstalled
from gymnasium.error import Error as GymnasiumError
from numpy.typing import NDArray
from PIL import Image

from snnrl.agents.base import AnyAgent, permitted
from snnrl.envs import Env, EnvConfig, as_one_row, env_seeds, for_evaluation, make_env
from snnrl.errors import ConfigError
from snnrl.textfiles import replacing
from snnrl.training.evaluation import AFTERWARDS
from snnrl.types import PolicyState


def check_drawing(env: EnvConfig) -> None:
    """Draw the first picture of the environments that evaluations play in, and forget it.

    Args:
        env: the environment's recipe.

    Raises:
        ConfigError: the environment cannot be drawn, or a package that draws it is not installed.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\W*\w*WARN:", category=UserWarning)
        one = _drawn(env)
        try:
            one.reset(seed=0)
            _picture(one)
        finally:
            one.close()


def record_episode(
    agent: AnyAgent,
    env: EnvConfig,
    path: Path,
    *,
    seed: int = 0,
    deterministic: bool = True,
    most_frames: int = 2000,
) -> Path:
    """Play one episode as evaluations do and write its frames to ``path`` as a GIF; returns ``path``.

    Args:
        agent: who plays.
        env: the environment's recipe.
        path: where to write.
        seed: of the environment.
        deterministic: best actions rather than random ones.
        most_frames: the episode is cut after so many.

    Raises:
        ConfigError: the environment cannot be drawn, or a package that draws it is not installed.
    """
    one = _drawn(env)
    frames: list[Image.Image] = []
    try:
        observation, info = one.reset(seed=env_seeds(seed, "eval", AFTERWARDS, 1)[0])
        state: PolicyState = None
        ended = False
        while not ended and len(frames) < most_frames:
            frames.append(Image.fromarray(_picture(one)))
            told = permitted(agent, as_one_row(info))
            action, state = agent.predict(observation, state, deterministic=deterministic, **told)
            observation, _, terminated, truncated, info = one.step(action)
            ended = bool(terminated or truncated)
        rate = float(one.metadata.get("render_fps") or 30)
    finally:
        one.close()
    with replacing(path) as file:
        duration = max(round(1000 / rate), 20)
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=duration, loop=0)
    return path


def _drawn(env: EnvConfig) -> Env:
    """An environment of evaluations that draws itself."""
    try:
        return make_env(for_evaluation(env), render_mode="rgb_array")
    except (TypeError, ValueError, GymnasiumError) as error:
        if "render_mode" not in str(error):
            raise
        raise _no_drawing(env, "takes no render_mode=rgb_array") from error


def _picture(env: Env) -> NDArray[np.uint8]:
    """``[height, width, 3]`` or, of grey, ``[height, width]``."""
    try:
        drawn = env.render()
    except DependencyNotInstalled as error:
        raise ConfigError(
            f"video=true: {env.spec and env.spec.id} cannot be drawn without a package; {error}"
        ) from error
    except NotImplementedError as error:
        raise _no_drawing(env, "has no render()") from error
    picture = np.asarray(drawn)
    if picture.dtype.kind not in "ui" or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
        raise _no_drawing(env, f"renders {_kind(drawn)} where an array [height, width, 3] belongs")
    return picture.astype(np.uint8, copy=False)


def _no_drawing(env: EnvConfig | Env, why: str) -> ConfigError:
    name = env.id if isinstance(env, EnvConfig) else env.spec and env.spec.id
    return ConfigError(f"video=true: {name} cannot be drawn, as it {why}; must be false")


def _kind(drawn: object) -> str:
    """What a drawing is, in short."""
    if isinstance(drawn, np.ndarray):
        return f"an array {list(drawn.shape)} of {drawn.dtype}"
    return "nothing" if drawn is None else f"a {type(drawn).__name__}"
