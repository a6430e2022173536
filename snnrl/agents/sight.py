"""Which encoder an observation space asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium import spaces

from snnrl.encoders import (
    Encoder,
    FrameEncoder,
    Normaliser,
    OneHotEncoder,
    PatchEncoder,
    PopulationEncoder,
    SceneEncoder,
)
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, did_you_mean

MOST_DIMENSIONS = 64
"""Place cells tile a vector of at most so many values; longer ones have too many pairs."""


def make_encoder(
    space: spaces.Space[Any], env: EnvConfig, *, sim_steps: int, spikes_per_step: float, target_rate: float
) -> Encoder[Any]:
    """The encoder for an observation space.

    Discrete observations are one-hot, grey frames ``(1, height, width)`` of uint8 become volleys (of patches where
    the recipe speaks of them, of tiles where it tells what is to be seen, else of a scene that the encoder makes out
    by itself), other Boxes are flattened to place cells.

    Raises:
        ConfigError: a space of another kind, or settings in ``env.observation`` or ``env.frames`` that do not fit.
    """
    if isinstance(space, spaces.Discrete):
        return OneHotEncoder(int(space.n), start=int(space.start), sim_steps=sim_steps)
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[0] == 1:
        _, height, width = space.shape
        given = env.frames or {}
        kind, known = next((kind for kind in _TOLD if set(given) & set(kind[1])), (SceneEncoder, ()))
        with _named("env.frames", given, known if kind is PatchEncoder else ("rows", *known)) as settings:
            return kind(height, width, target_rate=target_rate, **settings)
    if isinstance(space, spaces.Box) and 0 < int(np.prod(space.shape)) <= MOST_DIMENSIONS:
        with _named("env.observation", env.observation, _RANGE_SETTINGS) as settings:
            normaliser = Normaliser(space.low.flatten().tolist(), space.high.flatten().tolist(), **settings)
        lines, grids = PopulationEncoder.resolution(normaliser.dims)
        most = PopulationEncoder.groups(normaliser.dims, lines, grids)
        return PopulationEncoder(
            normaliser, sim_steps=sim_steps, spikes_per_step=min(spikes_per_step, most), lines=lines, grids=grids
        )
    raise ConfigError(
        f"observation space {space}: must be Discrete, a Box of up to {MOST_DIMENSIONS} values, or grey uint8 frames "
        "(1, height, width); gymnasium.wrappers has what turns others into one"
    )


_TOLD: tuple[tuple[Callable[..., Encoder[Any]], tuple[str, ...]], ...] = (
    (PatchEncoder, ("reach", "threshold")),
    (FrameEncoder, ("luminances", "self_luminance", "self_rows", "tile")),
)
"""Encoders of frames and the settings by which a recipe asks for them."""
_RANGE_SETTINGS = ("scale", "centre", "squash")


@contextmanager
def _named(path: str, settings: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    """Settings of which none is unknown; whatever is wrong with them is said under their name."""
    for key, value in settings.items():
        if key not in known:
            raise ConfigError(f"{path}.{key}={value}: there is no such setting; {did_you_mean(key, known)}")
    try:
        yield settings
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{path}={dict(settings)}: has a value of another kind than the recipes show; {error}"
        ) from error
