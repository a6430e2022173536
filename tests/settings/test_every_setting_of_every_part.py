"""What a recipe says of a part in a wrong type is one line that names the setting, the value and what is right."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from gymnasium import spaces
from torch import Tensor

import snnrl
from snnrl.agents.encoder_factory import encoder_settings, make_encoder
from snnrl.connections import CONNECTIONS
from snnrl.decoders import DECODERS
from snnrl.encoders import ENCODERS, Window
from snnrl.errors import ConfigError, shown
from snnrl.neurons import NEURONS
from snnrl.plasticity import RULES
from snnrl.settings import Part, Registry, accepted, annotated, build, of_signature
from snnrl.settings.reading import alternatives

NOT_OF_RECIPES = ("shape", "dt", "generator", "normaliser", "space")
BUILT: list[tuple[Registry[Any], str]] = [
    (registry, name) for registry in (NEURONS, RULES, CONNECTIONS, DECODERS) for name in registry.names()
]
VECTOR = spaces.Box(-1.0, 1.0, (3,))


def wrong_values(hint: object, default: object) -> Iterator[object]:
    """Values that no setting of this type has."""
    kinds = alternatives(hint)
    origins = {get_origin(kind) or kind for kind in kinds}
    yield from (float("nan"), [float("nan")], {"a": 1})
    if bool not in kinds:
        yield True
    if str not in kinds and Collection not in origins:
        yield "x"
    if not any(
        isinstance(kind, type) and issubclass(kind, (list, tuple, Collection, Tensor)) for kind in origins - {str}
    ):
        yield [1.0]
    if type(None) not in kinds and default is not None:
        yield None
    if Literal in origins:
        yield next(iter(get_args(next(kind for kind in kinds if get_origin(kind) is Literal)))) + "x"


def assert_one_line(error: ConfigError, name: str, value: object) -> None:
    assert re.match(rf"agent\.part\.{name}={re.escape(shown(value))}: must be [^\n]+$", str(error)), error


@pytest.mark.parametrize(("registry", "name"), BUILT, ids=lambda each: getattr(each, "kind", each))
def test_a_wrong_type_of_any_setting_is_one_line(registry: Registry[Any], name: str) -> None:
    kind = registry.find(name, "name")
    known = annotated(kind)
    settings = [each for each in accepted(kind) if each not in NOT_OF_RECIPES]
    assert set(settings) <= set(known), "a setting without an annotation"
    for setting in settings:
        for value in wrong_values(known[setting].type, known[setting].default):
            with pytest.raises(ConfigError) as raised:
                build(registry, Part(name, {setting: value}), "agent.part")
            assert_one_line(raised.value, setting, value)


@pytest.mark.parametrize("name", ENCODERS.names())
def test_a_wrong_type_of_any_setting_of_an_encoder_is_one_line(name: str) -> None:
    kind = ENCODERS.find(name, "name")
    known: Mapping[str, Any] = {**annotated(kind), **of_signature(kind.for_space)}
    window = Window(4, 1.0, torch.Generator())
    for setting in encoder_settings(kind):
        for value in wrong_values(known[setting].type, None):
            with pytest.raises(ConfigError) as raised:
                make_encoder(VECTOR, {"name": name, setting: value}, window)
            assert_one_line(ConfigError(str(raised.value).replace("agent.encoder", "agent.part", 1)), setting, value)


@pytest.mark.parametrize("value", [[1.0, float("nan")], [1.0, float("inf")], [1.0, True], "x", 2.0])
def test_lists_of_an_encoder_hold_finite_numbers_alone(value: object) -> None:
    with pytest.raises(ConfigError, match=r"^agent\.encoder\.(scale|\[1\])?.*must be [^\n]*$"):
        snnrl.make_agent("CartPole", encoder={"scale": value})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"network": []}, r"^agent\.network=\[\]: must be a mapping of settings$"),
        ({"network": {"actor": {"rule": {"name": "stdp", "tau_pre": "x"}}}}, r"rule\.tau_pre=x: must be a number$"),
        ({"network": {"critic": {"neuron": {"gain": None}}}}, r"neuron\.gain=null: must be a number$"),
        (
            {"encoder": {"spikes_per_step": "x"}},
            r"^agent\.encoder\.spikes_per_step=x: must be a number, or null|number",
        ),
        ({"encoder": ["a"]}, r"^agent\.encoder=\['a'\]: must be a mapping or a word or null$"),
        ({"action_bins": 0}, r"^agent\.action_bins=0: must be at least 2|of at least 2$"),
    ],
)
def test_an_agent_says_what_would_be_right(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        snnrl.make_agent("CartPole", **settings)
