"""Which encoder an observation space asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from snnrl.encoders import (
    Encoder,
    FrameEncoder,
    Normaliser,
    ObjectEncoder,
    OneHotEncoder,
    PatchEncoder,
    PopulationEncoder,
)
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError, did_you_mean
from snnrl.spaces import AsItIs, Grey, Pictures, Table, Vector, View, check_observations, is_offset, leaves, named

MOST_DIMENSIONS = 4096
"""Place cells tile a vector of at most so many values."""
MOST_COMBINATIONS = 2**12
"""Numbers with a name have a neuron for each combination of their values if these are at most so many."""
MOST_NUMBERS = 2**17
"""A Discrete observation of at most so many values has a neuron for each."""
MOST_PIXELS = 100_000
"""Of larger frames every second pixel is seen, or every third, and so on, unless the recipe speaks of frames."""
COLUMNS = 16
"""Frames have a multiple of so many."""


class EncoderChoice(NamedTuple):
    """How an agent sees."""

    view: View
    """From observations to what the encoder takes."""
    encoder: Encoder[Any]


def make_encoder(
    space: spaces.Space[Any], env: EnvConfig, *, sim_steps: int, spikes_per_step: float, target_rate: float
) -> EncoderChoice:
    """The encoder for an observation space, and what makes its input of an observation.

    Numbers with a name are one-hot, a neuron for each combination of their values where that is feasible. Pictures
    (uint8, at least 36 pixels a side, in any layout) become grey frames, and these volleys: of patches where the recipe
    speaks of them, of tiles where it tells what is to be seen, else of a scene that the encoder makes out by itself.
    Everything else is a vector to place cells.

    Raises:
        ConfigError: a space that is not made of numbers or has too many, or settings in ``env.observation`` or
            ``env.frames`` that do not fit.
    """
    check_observations(space)
    found = leaves(space)
    whole, space = space, found[0].space if len(found) == 1 else space
    if isinstance(space, spaces.Discrete) and space.n <= MOST_NUMBERS:
        return EncoderChoice(AsItIs(space), OneHotEncoder(int(space.n), start=int(space.start), sim_steps=sim_steps))
    if Table.combinations(space) <= MOST_COMBINATIONS:
        table = Table(space)
        return EncoderChoice(table, OneHotEncoder(table.count, sim_steps=sim_steps))
    if _is_seen(space, env):
        return _frames(space, env, target_rate)
    plain = isinstance(space, spaces.Box) and space.shape and (env.observation or not is_offset(space))
    view: View = AsItIs(space) if plain else Vector(space)
    seen = view.space
    assert isinstance(seen, spaces.Box)
    values = int(np.prod(seen.shape))
    if values > MOST_DIMENSIONS:
        raise ConfigError(
            f"observation space {named(whole)}: has {values:,} values; must have at most {MOST_DIMENSIONS:,}, or be "
            "pictures of uint8 from 0 to 255 (gymnasium.wrappers has what turns others into one)"
        )
    with _named("env.observation", env.observation, _RANGE_SETTINGS) as settings:
        normaliser = Normaliser(seen.low.flatten().tolist(), seen.high.flatten().tolist(), **settings)
    lines, grids = PopulationEncoder.resolution(normaliser.dims)
    most = PopulationEncoder.groups(normaliser.dims, lines, grids)
    rate = min(spikes_per_step, most)
    return EncoderChoice(
        view, PopulationEncoder(normaliser, sim_steps=sim_steps, spikes_per_step=rate, lines=lines, grids=grids)
    )


def _is_seen(space: spaces.Space[Any], env: EnvConfig) -> bool:
    """Whether a space is one of frames: pictures, or small grey ones that fit or of which the recipe speaks."""
    if Pictures.suits(space):
        return True
    if not (isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3):
        return False
    return space.shape[0] == 1 and bool(env.frames or space.shape[2] % COLUMNS == 0)


def _frames(space: spaces.Space[Any], env: EnvConfig, target_rate: float) -> EncoderChoice:
    assert isinstance(space, spaces.Box)
    given = env.frames or {}
    kind, known = next((kind for kind in _TOLD if set(given) & set(kind[1])), (ObjectEncoder, ()))
    patches = kind is PatchEncoder
    grey = Grey(space, 1 if patches else COLUMNS, np.inf if given else MOST_PIXELS)
    view: View = AsItIs(space) if grey.space.shape == space.shape else grey
    with _named("env.frames", given, known if patches else ("rows", *known)) as settings:
        return EncoderChoice(view, kind(grey.height, grey.width, target_rate=target_rate, **settings))


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
