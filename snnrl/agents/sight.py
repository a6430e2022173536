"""Which encoder an observation space asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from snnrl.encoders import Encoder, FrameEncoder, Normaliser, OneHotEncoder, PopulationEncoder
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, did_you_mean

MOST_DIMENSIONS = 64
"""Place cells tile a vector of at most so many values; longer ones have too many pairs."""


def make_encoder(
    space: spaces.Space[Any], env: EnvConfig, *, sim_steps: int, spikes_per_step: float, target_rate: float
) -> Encoder[Any]:
    """The encoder for an observation space.

    Discrete observations are one-hot, grey frames ``(1, height, width)`` of uint8 become volleys, other Boxes are
    flattened to place cells.

    Raises:
        ConfigError: a space of another kind, or settings in ``env.observation`` or ``env.frames`` that do not fit.
    """
    if isinstance(space, spaces.Discrete):
        return OneHotEncoder(int(space.n), start=int(space.start), sim_steps=sim_steps)
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[0] == 1:
        _, height, width = space.shape
        with_settings = _checked("env.frames", env.frames or {}, _FRAME_SETTINGS)
        return FrameEncoder(height, width, target_rate=target_rate, **with_settings)
    if isinstance(space, spaces.Box) and 0 < int(np.prod(space.shape)) <= MOST_DIMENSIONS:
        normaliser = Normaliser(
            space.low.flatten().tolist(),
            space.high.flatten().tolist(),
            **_checked("env.observation", env.observation, _RANGE_SETTINGS),
        )
        lines, grids = PopulationEncoder.resolution(normaliser.dims)
        return PopulationEncoder(
            normaliser, sim_steps=sim_steps, spikes_per_step=spikes_per_step, lines=lines, grids=grids
        )
    raise ConfigError(
        f"observation space {space}: must be Discrete, a Box of up to {MOST_DIMENSIONS} values, or grey uint8 frames "
        "(1, height, width); gymnasium.wrappers has what turns others into one"
    )


_FRAME_SETTINGS = ("rows", "luminances", "self_luminance", "self_rows", "tile")
_RANGE_SETTINGS = ("scale", "centre", "squash")


def _checked(path: str, settings: Mapping[str, Any], known: tuple[str, ...]) -> Mapping[str, Any]:
    for key in settings:
        if key not in known:
            raise ConfigError(f"{path}.{key}: there is no such setting; {did_you_mean(key, known)}")
    return settings
