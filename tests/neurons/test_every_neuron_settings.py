"""Settings of each neuron, learnable ones and shapes of currents, for every neuron model."""

from __future__ import annotations

import pytest
import torch

from snnrl.errors import ConfigError
from tests.neurons.every_neuron import (
    FIRING,
    LEARNABLE,
    MODELS,
    PER_NEURON,
    drive,
    every,
    make,
)


@pytest.mark.parametrize(("name", "setting"), PER_NEURON)
def test_a_setting_of_each_neuron_equals_separate_populations(name: str, setting: str) -> None:
    values = MODELS[name].per_neuron[setting]
    current = drive(name, 60, 2, 2).float()
    mixed = make(name, 2, **{setting: torch.tensor(values)}).float()
    spikes, state = mixed.scan(current, mixed.init_state(2))
    differs = False
    for index, value in enumerate(values):
        plain = make(name, 1, **{setting: value}).float()
        expected, after = plain.scan(current[..., index : index + 1], plain.init_state(2))
        torch.testing.assert_close(spikes[..., index : index + 1], expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(state.v[..., index : index + 1], after.v, rtol=1e-3, atol=1e-4)
        swapped = make(name, 1, **{setting: values[1 - index]}).float()
        other, _ = swapped.scan(current[..., index : index + 1], swapped.init_state(2))
        differs = differs or not torch.equal(expected, other)
    assert differs, "the two values give other spikes"


@pytest.mark.parametrize("per_neuron", [False, True])
@pytest.mark.parametrize(("name", "setting"), LEARNABLE)
def test_a_learnable_setting_is_a_parameter_that_receives_a_gradient(name: str, setting: str, per_neuron: bool) -> None:
    shape = {"surrogate": "fast_sigmoid"} if name != "LeakyIntegrator" else {}
    value = getattr(make(name), setting)
    overrides = {setting: torch.full((3,), value)} if per_neuron else {}
    neuron = make(name, learnable=[setting], **shape, **overrides)
    [(found, parameter)] = neuron.named_parameters()
    assert (found, parameter.shape) == (setting, (3,) if per_neuron else ())
    spikes, _ = neuron.scan(drive(name, 40, 4, 3), neuron.init_state(4))
    spikes[20:].sum().backward()
    assert parameter.grad is not None
    assert torch.isfinite(parameter.grad).all()
    assert (parameter.grad != 0).all()


@pytest.mark.parametrize(("name", "setting"), LEARNABLE)
def test_learnable_settings_change_no_spike(name: str, setting: str) -> None:
    neuron, learning, current = make(name), make(name, learnable=[setting]), drive(name, 40, 2, 3)
    spikes, _ = neuron.scan(current, neuron.init_state(2))
    expected, _ = learning.scan(current, learning.init_state(2))
    torch.testing.assert_close(spikes, expected, rtol=0, atol=1e-6)


@every(FIRING)
@pytest.mark.parametrize("surrogate", ["atan", "fast_sigmoid", "sigmoid", "triangle"])
def test_a_surrogate_changes_no_spike_and_gives_the_current_a_gradient(name: str, surrogate: str) -> None:
    current = drive(name, 40, 2, 3)
    plain, learning = make(name), make(name, surrogate=surrogate)
    expected, _ = plain.scan(current, plain.init_state(2))
    spikes, _ = learning.scan(current.requires_grad_(), learning.init_state(2))
    assert torch.equal(spikes.detach(), expected)
    if surrogate != "triangle":  # a triangle may be narrower than the distance from threshold in mV
        spikes.sum().backward()
        assert current.grad is not None
        assert torch.isfinite(current.grad).all()
        assert current.grad.any()


@every()
@pytest.mark.parametrize("shape", [(2, 4), (1, 3), (2, 1), (2, 3, 1), (3,)])
def test_a_step_refuses_a_current_of_another_shape(name: str, shape: tuple[int, ...]) -> None:
    neuron = make(name)
    with pytest.raises(ConfigError, match=r"^current=\[.*\]: must have the shape of the state \[2, 3\]$"):
        neuron(torch.zeros(shape, dtype=torch.float64), neuron.init_state(2))


@every()
def test_a_window_refuses_a_current_of_another_shape(name: str) -> None:
    """In float32, where kernels run; of fewer rows than the state, so that none reads what is not there."""
    neuron = make(name).float()
    with pytest.raises(ConfigError, match=r"^current=\[5, 1, 3\]: must be of shape \[time, 2, 3\]$"):
        neuron.scan(torch.zeros(5, 1, 3), neuron.init_state(2))
