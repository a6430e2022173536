"""The encoder that a recipe names, or else the one that an observation space asks for."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping

from gymnasium import spaces

from snnrl.encoders import ENCODERS, AnyEncoder, FittedEncoder, PopulationEncoder, Window
from snnrl.encoders.frames import COLUMNS
from snnrl.encoders.onehot import MOST_NUMBERS
from snnrl.encoders.population import Resolution
from snnrl.errors import ConfigError, did_you_mean, one_line, shown
from snnrl.legacy import FROM_0_1
from snnrl.settings import accepted, annotated, check_arguments, missing, of_signature, required
from snnrl.spaces import Pictures, Space, Vector, check_observations, is_small_grey, names_of, only_part, suits_layers
from snnrl.types import Setting, Settings

SETTING = "agent.encoder"
MOST_COMBINATIONS = 2**12
"""Several numbers with a name are one-hot where the combinations of their values are at most so many."""


def make_encoder(space: Space, encoder: Settings | str | None, window: Window) -> FittedEncoder:
    """The encoder for an observation space, and what makes its input of an observation.

    Args:
        space: of one observation.
        encoder: as a recipe has it under ``agent.encoder``: a name, or ``name`` and settings, of which those that are
            ``None`` are left to the encoder. A name is one of :data:`~snnrl.encoders.ENCODERS` or ``module:Class``;
            ``None`` is the one of :func:`usual_encoder`.
        window: in which a decision is made.

    Raises:
        ConfigError: a space that is not made of numbers or that the encoder cannot take, an unknown encoder, or a
            setting that it does not have or that is out of range.
    """
    check_observations(space)
    name, settings = _read(encoder)
    if settings.pop(FROM_0_1, False):
        name, settings = _as_in_0_1(space, settings)
    kind = ENCODERS.find(usual_encoder(space) if name is None else name, f"{SETTING}.name")
    known = encoder_settings(kind)
    for key, value in settings.items():
        if key not in known:
            called = name or f"{usual_encoder(space)}, the encoder for these observations,"
            raise ConfigError(
                f"{SETTING}.{key}={shown(value)}: {called} has no such setting; {did_you_mean(key, known)}"
            )
    chosen = name or usual_encoder(space)
    if lacking := [key for key in required(kind) if key in known and key not in settings]:
        raise missing(SETTING, chosen, kind, lacking)
    check_arguments(settings, {**annotated(kind), **of_signature(kind.for_space)}, SETTING)
    try:
        return kind.for_space(space, window, **settings)
    except ConfigError as error:
        text = str(error)
        if re.split(r"\W", text, maxsplit=1)[0] in known:
            raise ConfigError(f"{SETTING}.{text}") from error
        raise ConfigError(text if name is None else f"{SETTING}.name={name}: {text}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{SETTING}={chosen} {settings}: has a value of another kind than the recipes show; {one_line(error)}"
        ) from error


def usual_encoder(space: Space) -> str:
    """The name of the encoder for a space where a recipe names none.

    Numbers with a name are one-hot, a neuron for each combination of their values where these are not too many.
    Pictures (uint8, at least 36 pixels a side, in any layout) are frames of objects that the encoder makes out by
    itself, boolean maps of several layers are blobs. Everything else is a vector to place cells.
    """
    part = only_part(space)
    if names_of(part) <= (MOST_NUMBERS if isinstance(part, spaces.Discrete) else MOST_COMBINATIONS):
        return "one_hot"
    if Pictures.suits(part) or (is_small_grey(part) and (part.shape or ())[2] % COLUMNS == 0):
        return "objects"
    return "blobs" if suits_layers(part) else "population"


def encoder_settings(kind: type[AnyEncoder]) -> tuple[str, ...]:
    """Names of the settings that a recipe may have for an encoder."""
    parameters = list(inspect.signature(kind.for_space).parameters.values())
    names = [each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        names += [name for name in accepted(kind)[1:] if name not in (*Window._fields, "dtype")]
    return tuple(names)


def _read(encoder: Settings | str | None) -> tuple[str | None, dict[str, Setting]]:
    """The name and the settings that are given."""
    if isinstance(encoder, str):
        return encoder, {}
    if encoder is None:
        return None, {}
    if not isinstance(encoder, Mapping):
        raise ConfigError(f"{SETTING}={shown(encoder)}: must be the name of an encoder, or a mapping with its settings")
    settings = {str(key): value for key, value in encoder.items() if value is not None}
    return settings.pop("name", None), settings


_MOST_PAIRED_IN_0_1 = 10
"""Dimensions of which pairs had cells."""
_PATCHES = ("reach", "threshold")
_TILES = ("luminances", "self_luminance", "self_rows", "tile")


def _as_in_0_1(space: Space, given: Settings) -> tuple[str, dict[str, Setting]]:
    """Name and settings of the encoder that version 0.1 chose, which took of the settings what it could use."""

    def of(*names: str) -> dict[str, Setting]:
        return {name: given[name] for name in names if name in given}

    name, told = usual_encoder(space), of("rows", *_PATCHES, *_TILES)
    if name == "one_hot":
        return name, {}
    if name == "objects" or (told and is_small_grey(only_part(space))):
        if of(*_PATCHES):
            return "patches", of("target_rate", *_PATCHES)
        return ("frames" if of(*_TILES) else "objects"), {**of("target_rate"), **told}
    settings = of("scale", "squash", "spikes_per_step", *(["centre"] if "scale" in given else []))
    settings["adapt_range"] = 0.0
    dims = math.prod(Vector(space).shape)
    resolution = PopulationEncoder.resolution(dims)
    if dims > _MOST_PAIRED_IN_0_1:
        resolution = Resolution(lines=(9,), grids=())
        settings |= {"lines": list(resolution.lines), "grids": list(resolution.grids)}
    if "spikes_per_step" in settings:
        groups = PopulationEncoder.groups(dims, *resolution)
        settings["spikes_per_step"] = min(settings["spikes_per_step"], groups)
    return name, settings
