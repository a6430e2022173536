"""Currents of any dtype into neurons of any dtype: cast once, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
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
    SaturatingIF,
)

KINDS: tuple[type[Any], ...] = (
    *(IF, LIF, LSNN, SRM0, AdaptiveLIF, CumulativeSRM, CurrentLIF, DiehlCook, EscapeNoise, SaturatingIF),
    *(Izhikevich, LeakyIntegrator, McCullochPitts),
)
every = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def made(kind: type[Any], **settings: Any) -> Any:
    if kind in (SRM0, EscapeNoise):
        settings["generator"] = torch.Generator().manual_seed(0)
    return kind(3, **settings)


def drawn() -> Tensor:
    return torch.randint(0, 4, (12, 2, 3), generator=torch.Generator().manual_seed(0))


@every
@pytest.mark.parametrize("own", [torch.float32, torch.float64])
@pytest.mark.parametrize("given", [torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64])
def test_a_current_is_cast_to_the_dtype_of_the_neurons(kind: type[Any], own: torch.dtype, given: torch.dtype) -> None:
    neuron, again = (made(kind).to(own) for _ in range(2))
    spikes, state = neuron.scan(drawn().to(given), neuron.init_state(2))
    wanted, after = again.scan(drawn().to(own), again.init_state(2))
    for found, other in zip((spikes, *state), (wanted, *after), strict=True):
        assert found.dtype == own
        assert torch.equal(found, other)
    step, _ = neuron(drawn()[0].to(given), state)
    assert step.dtype == own


@every
def test_complex_currents_are_refused_by_name(kind: type[Any]) -> None:
    neuron = made(kind)
    with pytest.raises(ConfigError, match=r"^current=torch.complex64: must be a tensor of real numbers$"):
        neuron.scan(drawn().to(torch.complex64), neuron.init_state(2))


@every
@pytest.mark.usefixtures("float64_by_default")
def test_neurons_work_where_the_default_is_float64(kind: type[Any]) -> None:
    neuron = made(kind)
    for current in (drawn().double(), drawn().float(), drawn()):
        spikes, state = neuron.scan(current, neuron.init_state(2))
        assert {part.dtype for part in (spikes, *state)} == {torch.float64}
    assert made(kind).float().init_state(2)[0].dtype == torch.float32


@pytest.mark.parametrize("coding", ["direct", "population"])
@pytest.mark.parametrize("given", [torch.float64, torch.bfloat16, torch.uint8, torch.bool])
def test_a_layered_network_takes_inputs_of_any_dtype(given: torch.dtype, coding: str) -> None:
    network = LayeredNetwork.dense(3, [5, 4], LayerSettings(coding=coding))
    x = drawn()[0].clamp_max(1)
    for own in (torch.float32, torch.float64):
        network.to(own)
        assert torch.equal(network(x.to(given)), network(x.to(own)))
        assert network.spikes(x.to(given))[0].dtype == own
    with pytest.raises(ConfigError, match=r"^x=torch.complex64: must be a tensor of real numbers$"):
        network(x.to(torch.complex64))


@pytest.mark.parametrize("convert", [torch.float32, torch.bfloat16, torch.float16])
def test_a_threshold_that_remembers_for_life_is_as_exact_after_a_conversion(convert: torch.dtype) -> None:
    """Its decay of one part in ten million a step would be lost in rounding."""
    kept, neuron = (DiehlCook(3, theta_plus=0.5) for _ in range(2))
    for one in (kept, neuron):
        one.theta.fill_(1.3)
    neuron.to(convert)
    assert neuron.theta.dtype == torch.float64
    assert neuron.init_state(1).v.dtype == convert
    for one, current in ((kept, drawn().float()), (neuron, drawn().to(convert))):
        state = one.init_state(2)
        for _ in range(20):
            _, state = one.scan(current, state)
    assert torch.equal(neuron.theta, kept.theta)
    assert kept.theta[0] < 1.3


@pytest.mark.parametrize("own", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_a_long_refractory_period_ends_in_every_precision(own: torch.dtype) -> None:
    """A count in bfloat16 would stop at 256 and silence the neuron for ever."""
    neuron = LIF(1, t_refractory=300.0).to(own)
    spikes, state = neuron.scan(torch.full((700, 1, 1), 100.0, dtype=own), neuron.init_state(1))
    assert spikes.flatten().nonzero().flatten().tolist() == [0, 301, 602]
    assert state.v.dtype == own
