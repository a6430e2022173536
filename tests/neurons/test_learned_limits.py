"""Settings that a gradient trains: they stay within their limits and come back from beyond them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnrl.neurons import IF, LIF, LSNN, SRM0, AdaptiveLIF, CumulativeSRM, CurrentLIF, Izhikevich, LeakyIntegrator
from snnrl.neurons.settings import Limits, above, at_least, below

BEYOND: list[tuple[type[Any], str, float, float]] = [
    *[(kind, "tau_mem", 0.25, 1.0) for kind in (LIF, CurrentLIF, AdaptiveLIF, LSNN, SRM0, LeakyIntegrator)],
    *[(kind, "tau_mem", -4.0, 1.0) for kind in (LIF, LeakyIntegrator)],
    (CurrentLIF, "tau_syn", 0.5, 1.0),
    (AdaptiveLIF, "tau_adaptation", 0.5, 1.0),
    (LSNN, "tau_adaptation", 0.5, 1.0),
    *[(kind, "v_threshold", -0.5, 1e-6) for kind in (LIF, IF, CurrentLIF, AdaptiveLIF, LSNN)],
    (AdaptiveLIF, "increment", -0.5, 0.0),
    (LSNN, "beta", -2.0, 0.0),
    (Izhikevich, "c", 35.0, 30.0),
]
"""A model, a setting, a value to which a gradient may drive it, and the nearest that it may have."""
cases = pytest.mark.parametrize(("kind", "setting", "wrong", "nearest"), BEYOND)


def learning(kind: type[Any], setting: str, value: float, **settings: Any) -> Any:
    neuron = kind(3, learnable=[setting], **settings)
    neuron.get_parameter(setting).data.fill_(value)
    return neuron


def drive(kind: type[Any]) -> Tensor:
    noise = torch.randn(20, 2, 3, generator=torch.Generator().manual_seed(1)).abs()
    return noise * (20 if kind is Izhikevich else 2)


@cases
@pytest.mark.parametrize("per_neuron", [False, True])
def test_beyond_its_limits_a_setting_is_the_nearest_within(
    kind: type[Any], setting: str, wrong: float, nearest: float, per_neuron: bool
) -> None:
    neuron = learning(kind, setting, wrong)
    if per_neuron:
        neuron = kind(3, learnable=[setting], **{setting: torch.full((3,), float(getattr(kind(3), setting)))})
        neuron.get_parameter(setting).data.fill_(wrong)
    value = neuron.value(setting)
    torch.testing.assert_close(value, torch.full_like(value, nearest), rtol=1e-5, atol=1e-6)
    spikes, _ = neuron.scan(torch.zeros(9, 2, 3), neuron.init_state(2))
    if setting == "v_threshold":
        assert not spikes.any(), "without input nothing fires"


@cases
def test_the_gradient_leads_back_and_not_further_out(
    kind: type[Any], setting: str, wrong: float, nearest: float
) -> None:
    neuron = learning(kind, setting, wrong)
    for towards in (-1.0, 1.0):
        (gradient,) = torch.autograd.grad(towards * neuron.value(setting), neuron.get_parameter(setting))
        assert bool(gradient) == ((towards > 0) == (wrong > nearest)), "a step goes against the gradient"


@pytest.mark.parametrize("kind", [LIF, CurrentLIF, LeakyIntegrator])
def test_a_time_constant_below_the_step_is_trained_back(kind: type[Any]) -> None:
    """Of which the gradient used to be 0 for ever. The loss is least for long time constants."""
    neuron = learning(kind, "tau_mem", 0.5, **({} if kind is LeakyIntegrator else {"surrogate": "atan"}))
    optimizer = torch.optim.SGD(neuron.parameters(), lr=2.0)
    for _ in range(60):
        optimizer.zero_grad()
        out, state = neuron.scan(drive(kind), neuron.init_state(2))
        (out.mean() + state.v.square().mean()).backward()
        optimizer.step()
    assert neuron.tau_mem.item() > 1.0


@pytest.mark.parametrize("limits", [above(0.0), at_least(1.0), below(2.0), Limits("", 0.5, 1.5)])
@pytest.mark.parametrize("per_neuron", [False, True])
def test_within_its_limits_a_parameter_is_what_it_is(limits: Limits, per_neuron: bool) -> None:
    parameter = nn.Parameter(torch.full((3,) if per_neuron else (), 1.25))
    assert torch.equal(limits.nearest(parameter), parameter)
    (gradient,) = torch.autograd.grad(limits.nearest(parameter).sum(), parameter)
    assert (gradient == 1).all()


def test_a_checkpoint_of_a_setting_beyond_its_limits_is_loaded() -> None:
    neuron = LIF(3, learnable=("tau_mem", "v_threshold"))
    for assign in (False, True):
        neuron.load_state_dict({"tau_mem": torch.tensor(0.5), "v_threshold": torch.tensor(-1.0)}, assign=assign)
        assert neuron.tau_mem.item() == 0.5
        spikes, _ = neuron.scan(torch.zeros(3, 1, 3), neuron.init_state(1))
        assert not spikes.any()


def test_a_learned_setting_that_is_assigned_stays_the_parameter_that_an_optimiser_holds() -> None:
    neuron = LIF(3, tau_mem=torch.full((3,), 9.0), learnable="tau_mem")
    held = neuron.tau_mem
    neuron.tau_mem = 5.0
    assert neuron.tau_mem is held
    assert held.tolist() == [5.0, 5.0, 5.0]


def test_a_step_with_learned_settings_is_one_graph_for_torch_compile() -> None:
    neuron = LIF(3, learnable=("tau_mem", "v_threshold"), surrogate="atan")
    neuron.tau_mem.data.fill_(0.25)
    current, state = drive(LIF)[0], neuron.init_state(2)
    compiled = torch.compile(neuron, backend="eager", fullgraph=True)
    found, wanted = (
        torch.autograd.grad(run(current, state)[0].sum(), neuron.parameters()) for run in (compiled, neuron)
    )
    assert all(map(torch.equal, found, wanted))


def test_a_learned_threshold_of_a_cumulative_model_stays_above_rest() -> None:
    neurons = CumulativeSRM(3, learnable=("v_threshold",), surrogate="atan")
    with torch.no_grad():
        neurons.v_threshold.fill_(-5.0)
    spikes, _ = neurons.scan(torch.zeros(10, 1, 3), neurons.init_state(1))
    assert not spikes.any()
