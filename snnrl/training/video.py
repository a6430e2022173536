"""One episode as an animated picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snnrl.agents.base import AnyAgent, permitted
from snnrl.envs import EnvConfig, as_one_row, env_seeds, for_evaluation
from snnrl.envs.drawing import CannotDrawError, drawn, picture
from snnrl.envs.seeding import AFTERWARDS
from snnrl.errors import ConfigError
from snnrl.textfiles import replacing
from snnrl.training.film import Frame, write_film
from snnrl.types import PolicyState


@contextmanager
def _said_of_video() -> Iterator[None]:
    """What cannot be drawn is said of the setting that asked for it."""
    try:
        yield
    except CannotDrawError as error:
        raise ConfigError(f"video=true: {error}; must be false") from error


@_said_of_video()
def check_drawing(env: EnvConfig) -> None:
    """Draw the first picture of the environments that evaluations play in, and forget it.

    Args:
        env: the environment's recipe.

    Raises:
        ConfigError: the environment cannot be drawn, or a package that draws it is not installed.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\W*\w*WARN:", category=UserWarning)
        one = drawn(for_evaluation(env))
        try:
            one.reset(seed=0)
            picture(one)
        finally:
            one.close()


@_said_of_video()
def record_episode(
    agent: AnyAgent,
    env: EnvConfig,
    path: Path,
    *,
    seed: int = 0,
    deterministic: bool = True,
    most_frames: int = 20_000,
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
    one = drawn(for_evaluation(env))

    def frames() -> Iterator[Frame]:
        observation, info = one.reset(seed=env_seeds(seed, "eval", AFTERWARDS, 1)[0])
        state: PolicyState = None
        ended, number = False, 0
        while not ended and number < most_frames:
            yield picture(one)
            told = permitted(agent, as_one_row(info))
            action, state = agent.predict(observation, state, deterministic=deterministic, **told)
            observation, _, terminated, truncated, info = one.step(action)
            ended, number = bool(terminated or truncated), number + 1

    rate = float(one.metadata.get("render_fps") or 30)
    try:
        with replacing(path) as file:
            write_film(file, ".gif", frames(), rate)
    finally:
        one.close()
    return path
