"""Parts of a recipe that are classes: named, checked, and made with the settings of their constructors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

import pytest

from snnrl.errors import ConfigError, require
from snnrl.settings import Part, Registry, Settings, accepted, build, part, read

HERE = __name__


class Model:
    def __init__(self, shape: int, *, dt: float = 1.0, **unknown: Any) -> None:
        for name in unknown:
            raise ConfigError(f"{name}: there is no such setting")
        self.shape, self.dt = shape, dt


class Leaky(Model):
    def __init__(self, shape: int, *, tau: float = 20.0, **common: Any) -> None:
        require(tau > 0, "tau", tau, "above 0")
        require(shape > 0, "shape", shape, "above 0")
        super().__init__(shape, **common)
        self.tau = tau * 1


class WeightWords(TypedDict, total=False):
    mean: float


class Closed(Model):
    LEFT_OUT = ("bias",)

    def __init__(self, size: int, bias: bool = True, **weights: Unpack[WeightWords]) -> None:
        self.size, self.mean = size, weights.get("mean", 0.0)


class Bare(Model):
    """Without annotations."""

    def __init__(self, shape, *, tau=20.0):  # type: ignore[no-untyped-def]
        super().__init__(shape)
        assert tau > 0


MODELS: Registry[Model] = Registry("model", f"{HERE}:Model", "no_such_folder")
MODELS.__dict__["ours"] = {"leaky": f"{HERE}:Leaky", "closed": f"{HERE}:Closed", "bare": f"{HERE}:Bare"}


@dataclass(frozen=True)
class Network(Settings, section="agent.network"):
    neuron: Part = part(MODELS, "leaky", "neurons of the hidden layer")
    readout: Part | None = part(MODELS, None, "neurons that are read")
    more: tuple[Part, ...] = part(MODELS, (), "further neurons")


def test_a_part_is_a_name_or_a_mapping_with_a_name() -> None:
    assert Network() == Network(Part("leaky"))
    found = read(Network, {"neuron": {"name": "closed", "mean": 1}, "readout": "leaky"}, "agent.network")
    assert found == Network(Part("closed", {"mean": 1}), Part("leaky"))
    assert read(Network, {"more": ["leaky", {"name": "closed"}]}, "").more == (Part("leaky"), Part("closed"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"neuron": "leeky"}, r"^agent\.network\.neuron=leeky: there is no such model; did you mean leaky\?"),
        ({"neuron": {"name": "leeky", "tau": 1}}, r"^agent\.network\.neuron\.name=leeky: there is no such model"),
        ({"neuron": {"tau": 1}}, r"^agent\.network\.neuron\.name is missing: it says which model it is"),
        ({"neuron": 3}, r"^agent\.network\.neuron=3: must be the name of a model, or a mapping with name and its sett"),
        ({"more": ["leaky", "x"]}, r"^agent\.network\.more\[1\]=x: there is no such model"),
    ],
)
def test_a_wrong_part_is_found_when_the_recipe_is_read(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(Network, given, "agent.network")


def test_a_part_is_made_of_its_settings_and_of_what_is_given() -> None:
    made = build(MODELS, Part("leaky", {"tau": 5}), "agent.neuron", 3, dt=0.5, generator=None)
    assert isinstance(made, Leaky)
    assert (made.shape, made.dt, made.tau) == (3, 0.5, 5)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (Part("leaky", {"tau": -1}), r"^agent\.neuron\.tau=-1: must be above 0"),
        (Part("leaky", {"tua": 1}), r"^agent\.neuron\.tua"),
        (Part("leaky", {"dt": 1}), r"^agent\.neuron\.dt=1: cannot be set here, it follows from other settings"),
        (Part("closed", {"maen": 1}), r"^agent\.neuron\.maen=1: closed has no such setting; did you mean mean\?"),
        (Part("closed", {"bias": 1}), r"^agent\.neuron\.bias=1: closed has no such setting"),
        (Part("leaky", {"tau": "long"}), r"^agent\.neuron\.tau=long: must be a number$"),
        (Part("bare", {"tau": "long"}), r"^agent\.neuron=bare: cannot be made \('>' not supported"),
        (Part("laeky", {"tau": 1}), r"^agent\.neuron\.name=laeky: there is no such model"),
    ],
)
def test_what_the_constructor_refuses_is_said_under_the_settings_full_name(named: Part, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build(MODELS, named, "agent.neuron", 3, dt=0.5)


def test_an_argument_that_nothing_gives_is_missing_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"^agent\.neuron\.size is missing: closed has no default for it"):
        build(MODELS, Part("closed"), "agent.neuron")
    assert build(MODELS, Part("closed", {"size": 3}), "agent.neuron").size == 3  # type: ignore[attr-defined]


def test_what_was_not_the_recipes_to_set_is_said_of_the_part() -> None:
    with pytest.raises(ConfigError, match=r"^agent\.neuron=leaky: shape=0: must be above 0"):
        build(MODELS, Part("leaky"), "agent.neuron", shape=0)


def test_accepted_names_are_those_of_all_constructors_that_are_passed_through() -> None:
    assert accepted(Leaky) == ("shape", "tau", "dt")
    assert accepted(Closed) == ("size", "mean")
