"""Settings of every neuron: assigned, out of range, unknown, saved, and overridden by a model of one's own."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.neurons import (
    IF,
    LIF,
    LSNN,
    SRM0,
    AdaptiveLIF,
    CumulativeSRM,
    CurrentLIF,
    DiehlCook,
    EscapeNoise,
    Izhikevich,
    LeakyIntegrator,
    McCullochPitts,
    Neuron,
    SaturatingIF,
    SpikingNeuron,
)
from snnrl.settings import accepted

KINDS: dict[type[Any], float] = {
    IF: 1.0,
    LIF: 3.0,
    LSNN: 9.0,
    SRM0: 1.0,
    AdaptiveLIF: 3.0,
    CumulativeSRM: 1.0,
    CurrentLIF: 1.0,
    DiehlCook: 200.0,
    EscapeNoise: 1.0,
    SaturatingIF: 0.5,
    Izhikevich: 20.0,
    LeakyIntegrator: 1.0,
    McCullochPitts: 2.0,
}
"""Every model, with currents that make it fire now and then."""
OTHER: dict[str, float] = {
    **{"tau_mem": 3.0, "tau_syn": 2.0, "tau_adaptation": 30.0, "tau_refractory": 4.0, "tau_theta": 90.0},
    **{"v_rest": -0.25, "v_reset": -0.5, "v_threshold": 0.75, "t_refractory": 2.0, "increment": 0.5, "beta": 0.25},
    **{"a": 0.1, "b": 0.25, "c": -55.0, "d": 2.0, "eta_reset": 2.0, "width": 0.25, "rate_threshold": 0.2},
    **{"theta_plus": 2.0, "gain": 0.5, "tonic": 0.25, "rate_max": 0.25},
}
"""Another value of each setting than the default."""
MILLIVOLTS = {"v_rest": -66.0, "v_reset": -62.0, "v_threshold": -54.0}


def other(kind: type[Any], setting: str) -> float:
    return (MILLIVOLTS if kind is DiehlCook else {}).get(setting, OTHER[setting])


def made(kind: type[Any], shape: int = 3, **settings: Any) -> Any:
    if kind in (SRM0, EscapeNoise):
        settings["generator"] = torch.Generator().manual_seed(0)
    return kind(shape, **settings)


def numbers(kind: type[Any]) -> list[str]:
    return [name for name in made(kind)._settings if name in accepted(kind)]


def run(neuron: Any, current: Tensor | None = None) -> list[Tensor]:
    """Spikes, and the state after a window, of which a model without leaks tells little by spikes alone."""
    noise = torch.randn(40, 2, *neuron.shape, generator=torch.Generator().manual_seed(1)).abs()
    drive = KINDS[next(kind for kind in type(neuron).__mro__ if kind in KINDS)] * noise
    if neuron.__dict__.get("generator") is not None:
        neuron.generator.manual_seed(0)
    spikes, state = neuron.scan(drive if current is None else current, neuron.init_state(2))
    return [spikes, *state, *neuron.buffers()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


every = pytest.mark.parametrize("kind", KINDS)
SETTINGS = [(kind, setting) for kind in KINDS for setting in numbers(kind)]


@pytest.mark.parametrize(("kind", "setting"), SETTINGS)
def test_a_setting_that_is_assigned_counts_as_one_that_was_given(kind: type[Any], setting: str) -> None:
    value = other(kind, setting)
    given, assigned = made(kind, **{setting: value}), made(kind)
    default = run(copy.deepcopy(assigned))
    setattr(assigned, setting, value)
    assert getattr(assigned, setting) == value
    again = pickle.loads(pickle.dumps(assigned)) if kind not in (SRM0, EscapeNoise) else assigned
    assert same(run(assigned), expected := run(given))
    assert again is assigned or same(run(again), expected)
    assert not same(expected, default) or (kind, setting) == (LSNN, "v_reset")  # whose reset is soft


@pytest.mark.parametrize(
    ("kind", "setting"),
    [(kind, setting) for kind, setting in SETTINGS if made(kind)._settings[setting]],
)
def test_one_value_for_each_neuron_may_be_assigned_and_written_to(kind: type[Any], setting: str) -> None:
    value = other(kind, setting)
    neuron = made(kind).eval()
    setattr(neuron, setting, torch.full((3,), float(getattr(neuron, setting))))
    run(neuron)
    getattr(neuron, setting).fill_(value)
    neuron.load_state_dict(neuron.state_dict())
    found = [part for part in run(neuron) if part.shape != (3,)]
    wanted = [part for part in run(made(kind, **{setting: value}).eval()) if part.shape != (3,)]
    torch.testing.assert_close(found[0], wanted[0])
    setattr(neuron, setting, value)
    assert setting not in dict(neuron.named_buffers())


def test_what_a_layered_network_was_made_of_counts_when_it_is_changed() -> None:
    torch.manual_seed(0)
    for readout in ("rate", "leaky"):
        network = LayeredNetwork.dense(3, [8], LayerSettings(readout=readout))  # type: ignore[arg-type]
        assert network(torch.ones(2, 3) * 5).any()
        network.layers[0].neurons.v_threshold = 1e6
        assert not network(torch.ones(2, 3) * 5).any()


@every
def test_what_holds_for_good_cannot_be_changed(kind: type[Any]) -> None:
    neuron = made(kind)
    for name in set(kind.FIXED) - set(kind.LEFT_OUT):
        with pytest.raises(ConfigError, match=rf"^{name}=2: cannot be changed, make a new {kind.__name__}$"):
            setattr(neuron, name, 2)
    for name in {"decay", "gain", "refractory_steps", "size", "slope", "theta_decay"} - set(neuron._settings):
        if hasattr(neuron, name):
            with pytest.raises(ConfigError, match=rf"^{name}=2: cannot be set, it follows from the settings$"):
                setattr(neuron, name, 2)


def test_a_setting_that_a_model_does_without_cannot_be_assigned() -> None:
    for neuron, name in ((IF(2), "tau_mem"), (IF(2), "decay_input"), (LSNN(2), "increment")):
        with pytest.raises(ConfigError, match=rf"^{name}=3.0: {type(neuron).__name__} has no such setting"):
            setattr(neuron, name, 3.0)


@every
def test_a_setting_that_is_assigned_is_checked_as_one_that_is_given(kind: type[Any]) -> None:
    for setting in numbers(kind):
        neuron = made(kind)
        for wrong in (float("nan"), "much", None, torch.ones(7)):
            with pytest.raises(ConfigError, match=rf"^{setting}="):
                setattr(neuron, setting, wrong)
        assert same(run(neuron), run(made(kind)))


def test_potentials_stay_in_order_whichever_is_assigned() -> None:
    neuron = LIF(2, v_threshold=torch.tensor([1.0, 2.0]))
    with pytest.raises(ConfigError, match=r"^v_rest=1.5: must be below v_threshold \(1.0\)$"):
        neuron.v_rest = 1.5
    with pytest.raises(ConfigError, match=r"^v_threshold=-1.0: must be above 0.0$"):
        neuron.v_threshold = -1.0
    neuron.v_rest = torch.tensor([0.5, 1.5])


@every
def test_an_unknown_setting_is_named_with_the_nearest(kind: type[Any]) -> None:
    with pytest.raises(ConfigError, match=rf"^thresh=3: {kind.__name__} has no such setting; (did|there)"):
        made(kind, thresh=3)
    with pytest.raises(ConfigError, match=rf"^dtt=3: {kind.__name__} has no such setting; did you mean dt\?$"):
        made(kind, dtt=3)


@every
def test_every_setting_that_is_offered_is_taken(kind: type[Any]) -> None:
    given = {"reset": "soft", "surrogate": "atan", "learnable": (), "tau_trace": 3.0, "decay_input": False}
    given |= {"one_spike": False, "v_inhibited": -10.0, "generator": torch.Generator(), "dt": 0.5}
    kind(2, **{name: given[name] if name in given else other(kind, name) for name in accepted(kind) if name != "shape"})


@every
def test_settings_of_each_neuron_are_saved_and_those_that_were_not_yet_saved_are_as_constructed(
    kind: type[Any],
) -> None:
    names = [name for name in numbers(kind) if made(kind)._settings[name]]
    neuron = made(kind, **{name: torch.full((3,), other(kind, name)) for name in names})
    fresh = {name: torch.full((3,), float(getattr(made(kind), name))) for name in names}
    loaded, before = made(kind, **fresh), neuron.state_dict()
    assert set(names) <= set(before)
    loaded.load_state_dict(before)
    assert all(torch.equal(getattr(loaded, name), getattr(neuron, name)) for name in names)
    if names:
        old = {key: value for key, value in before.items() if key not in names}
        neuron.load_state_dict(old)
        assert getattr(neuron, names[0])[0].item() == pytest.approx(other(kind, names[0]))
        short = copy.copy(before)
        del short[names[0]]
        with pytest.raises(RuntimeError, match=f"Missing key.*{names[0]}"):
            neuron.load_state_dict(short)


@pytest.mark.parametrize("part", ["charge", "excess", "reset", "fire", "forward"])
@pytest.mark.parametrize("kind", [LIF, IF, CurrentLIF, DiehlCook, AdaptiveLIF, LeakyIntegrator])
def test_a_window_of_a_model_of_ones_own_is_the_loop_over_its_steps(kind: type[Any], part: str) -> None:
    """In which a part of the step is overridden that a compiled loop does not know of."""
    called = []

    def own(self: Any, *inputs: Any) -> Any:
        called.append(part)
        return getattr(kind, part)(self, *inputs)

    model = type("Own", (kind,), {part: own})
    run(made(model))
    if kind is not LeakyIntegrator or part in ("charge", "forward"):
        assert len(called) == 40
    neuron = model(7, surrogate="atan") if kind is not LeakyIntegrator else model(7)
    if kind is not LeakyIntegrator:
        called.clear()
        settings = LayerSettings(initial_potential=0.0, readout="count")
        LayeredNetwork.of([torch.nn.Linear(3, 7)], [neuron], settings)(torch.ones(2, 3))
        assert len(called) == settings.sim_steps


def test_the_table_holds_every_model() -> None:
    import snnrl.neurons as package

    models = {model for model in vars(package).values() if isinstance(model, type) and issubclass(model, Neuron)}
    assert models - {Neuron, SpikingNeuron} == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "setting"),
    [(kind, setting) for kind, setting in SETTINGS if made(kind)._settings[setting]],
)
def test_a_saved_setting_that_the_constructor_would_refuse_is_not_loaded(kind: type[Any], setting: str) -> None:
    value = torch.full((3,), float(getattr(made(kind), setting)))
    neuron = made(kind, **{setting: value})
    saved = copy.deepcopy(neuron.state_dict())
    saved[setting][1] = math.nan
    with pytest.raises(ConfigError, match=rf"^{setting}=.*: must be "):
        neuron.load_state_dict(saved)
    assert torch.equal(getattr(neuron, setting), value.to(getattr(neuron, setting)))


def test_a_saved_threshold_below_the_rest_is_not_loaded() -> None:
    neuron = LIF(3, v_threshold=torch.ones(3))
    with pytest.raises(ConfigError, match=r"^v_threshold=.*-5.*: must be "):
        neuron.load_state_dict({"v_threshold": torch.full((3,), -5.0)})
    assert torch.equal(neuron.v_threshold, torch.ones(3))  # type: ignore[arg-type]
