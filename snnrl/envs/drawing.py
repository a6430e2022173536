"""Environments that draw themselves, and their pictures."""

from __future__ import annotations

import os
import sys
import warnings

import numpy as np
from gymnasium.error import DependencyNotInstalled
from gymnasium.error import Error as GymnasiumError
from numpy.typing import NDArray

from snnrl.envs.config import EnvConfig
from snnrl.envs.factory import make_env
from snnrl.envs.types import Env
from snnrl.errors import ConfigError


class CannotDrawError(ConfigError):
    """An environment has no pictures, or a package that draws them is not installed."""


def drawn(config: EnvConfig) -> Env:
    """An environment that draws itself, for :func:`picture`.

    Raises:
        CannotDrawError: it takes no ``render_mode=rgb_array``.
    """
    _calm()
    try:
        with warnings.catch_warnings():  # of modes that it does not name; whether it can, its first picture says
            warnings.filterwarnings("ignore", message=r"\W*\w*WARN:.*render_mode", category=UserWarning)
            return make_env(config, render_mode="rgb_array")
    except (TypeError, ValueError, GymnasiumError) as error:
        if "render_mode" not in str(error):
            raise
        raise _no_drawing(config, "takes no render_mode=rgb_array") from error


def _calm() -> None:
    """Keep pygame, by which many environments draw, from greeting, and SDL from looking for a screen where none is."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("SDL_AUDIODRIVER", "dummy")


def picture(env: Env) -> NDArray[np.uint8]:
    """What an environment shows now, uint8 ``[height, width, 3]``.

    Raises:
        CannotDrawError: it shows nothing of that kind, or a package is not installed.
    """
    try:
        shown = env.render()
    except DependencyNotInstalled as error:
        raise CannotDrawError(f"{env.spec and env.spec.id} cannot be drawn without a package; {error}") from error
    except NotImplementedError as error:
        raise _no_drawing(env, "has no render()") from error
    found = np.asarray(shown)
    if found.dtype.kind not in "ui" or found.ndim not in (2, 3) or found.shape[2:] not in ((), (3,)):
        raise _no_drawing(env, f"renders {_kind(shown)} where an array [height, width, 3] belongs")
    coloured = found if found.ndim == 3 else np.repeat(found[..., None], 3, axis=2)
    return coloured.astype(np.uint8, copy=False)


def _no_drawing(env: EnvConfig | Env, why: str) -> CannotDrawError:
    name = env.id if isinstance(env, EnvConfig) else env.spec and env.spec.id
    return CannotDrawError(f"{name} cannot be drawn, as it {why}")


def _kind(shown: object) -> str:
    """What a drawing is, in short."""
    if isinstance(shown, np.ndarray):
        return f"an array {list(shown.shape)} of {shown.dtype}"
    return "nothing" if shown is None else f"a {type(shown).__name__}"
