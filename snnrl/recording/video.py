"""A game as a video, which says by which actions it was played."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from snnrl.agents.trainable import Trainable
from snnrl.envs import EnvConfig, for_evaluation
from snnrl.envs.drawing import CannotDrawError, drawn, picture
from snnrl.errors import ConfigError
from snnrl.recording.game import Game
from snnrl.recording.pictures import pictures
from snnrl.recording.video_file import write_frames
from snnrl.textfiles import replacing
from snnrl.trajectory import Moment


def check_drawing(env: EnvConfig, asked: str, instead: str) -> None:
    """Draw the first picture of the environments that evaluations play in, and forget it.

    Args:
        env: the environment's recipe.
        asked: the setting that asks for pictures, with its value.
        instead: what it must be without them.

    Raises:
        ConfigError: the environment cannot be drawn, or a package that draws it is not installed.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\W*\w*WARN:", category=UserWarning)
        try:
            one = drawn(for_evaluation(env))
            try:
                one.reset(seed=0)
                picture(one)
            finally:
                one.close()
        except CannotDrawError as error:
            raise ConfigError(f"{asked}: {error}; must be {instead}") from error


def check_spikes(agent: Trainable, asked: str) -> None:
    """Raise a ConfigError where an agent has no spikes to show under its game.

    Args:
        agent: who plays.
        asked: the setting that asks for spikes, with its value.
    """
    if not agent.layout().populations:
        raise ConfigError(f"{asked}: the agent has no spiking neurons to show; must be false")


def write_video(game: Game, path: Path, *, spikes: bool = False) -> None:
    """Play a game and write it as a video whose comment says by which actions.

    Args:
        game: played by this.
        path: a file named ``.gif`` or ``.mp4``, replaced once the new one is whole.
        spikes: whether the spikes of every decision are drawn under the game.
    """
    frames = pictures(game.moments(), spikes=spikes)
    with replacing(path) as file:
        write_frames(file, path.suffix, frames, game.about.frames_per_second, game.line)


def gif_of(game: Game, *, spikes: bool = False, between: Callable[[], None] = lambda: None) -> bytes:
    """Play a game; what :func:`write_video` would write as a ``.gif``.

    Args:
        game: played by this.
        spikes: whether the spikes of every decision are drawn under the game.
        between: called after each decision; may raise to end it.
    """

    def moments() -> Iterator[Moment]:
        for moment in game.moments():
            yield moment
            between()

    file = io.BytesIO()
    frames = pictures(moments(), spikes=spikes)
    write_frames(file, ".gif", frames, game.about.frames_per_second, game.line)
    return file.getvalue()
