"""Batch normalisation whose running statistics follow a batch as far as it is sure, and are made anew at times."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnrl.networks.layered import LayeredNetwork, LayerSettings
from snnrl.networks.normalisation import EPS, ReCalibratedNorm, recalibration
from snnrl.neurons import IF, LIF


def drawn(*shape: int, mean: float = 0.0, std: float = 1.0, seed: int = 0) -> Tensor:
    return mean + std * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(**settings: Any) -> LayeredNetwork:
    torch.manual_seed(0)
    return LayeredNetwork.dense(5, [16, 12], LayerSettings(norm="batch", **settings))


def test_currents_of_a_batch_are_normalised_over_its_steps_and_begin_at_half_the_threshold() -> None:
    norm = ReCalibratedNorm(LIF(20, v_threshold=3.0, v_rest=1.0))
    found = norm(drawn(4, 50, 20, mean=7.0, std=30.0))
    torch.testing.assert_close(found.mean((0, 1)), torch.ones(20), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std((0, 1), correction=0), torch.ones(20), atol=1e-4, rtol=0)


def test_statistics_of_a_map_are_over_its_places_too() -> None:
    norm, current = ReCalibratedNorm(IF((3, 4, 5))), drawn(2, 6, 3, 4, 5, mean=2.0)
    expected = 0.5 + 0.5 * nn.functional.batch_norm(current.flatten(0, 1), None, None, training=True, eps=EPS)
    torch.testing.assert_close(norm(current), expected.view_as(current))


def by_hand(batches: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Running mean and variance by the equations, with numbers of each neuron apart."""
    mean, var, p_mean, p_var = torch.zeros(3), torch.ones(3), torch.zeros(3), torch.zeros(3)
    for batch in batches:
        rows = batch.flatten(0, 1)
        m, v, n = rows.mean(0), rows.var(0, correction=0), batch.shape[1] - 1
        p_mean, p_var = 0.8 * p_mean + 0.2 * (m - mean) ** 2, 0.8 * p_var + 0.2 * (v - var) ** 2
        mean = mean + p_mean / (p_mean + v / n) * (m - mean)
        var = var + p_var / (p_var + 2 * v**2 / n) * (v - var)
    return mean, var


def test_running_statistics_follow_by_how_sure_a_batch_is() -> None:
    norm = ReCalibratedNorm(IF(3))
    batches = [drawn(4, 16, 3, mean=5.0, std=2.0, seed=seed) for seed in range(6)]
    for batch in batches:
        norm(batch)
    mean, var = by_hand(batches)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, var)


def test_acting_and_what_takes_no_gradient_leave_statistics_alone_and_use_them() -> None:
    norm, current = ReCalibratedNorm(IF(3)), drawn(4, 16, 3, mean=5.0)
    with torch.no_grad():
        found = norm(current)
    norm.eval()
    torch.testing.assert_close(found, norm(current))
    torch.testing.assert_close(found, 0.5 * current / (1 + EPS) ** 0.5 + 0.5)
    assert not norm.running_mean.any()


def test_after_a_calibration_statistics_are_those_of_all_its_batches() -> None:
    network = made(neuron="lif", readout="count").eval()
    batches = [drawn(size, 5, mean=1.0, seed=size) for size in (7, 20, 11)]
    with recalibration(network):
        for batch in batches:
            network(batch)
    first = network.spiking_layers()[0]
    whole = first.synapses(torch.cat(batches)).detach()
    assert isinstance(first.norm, ReCalibratedNorm)
    torch.testing.assert_close(first.norm.running_mean, whole.mean(0))
    torch.testing.assert_close(first.norm.running_var, whole.var(0, correction=0))


def test_a_calibration_without_batches_or_with_an_error_changes_nothing() -> None:
    network = made()
    with recalibration(network):
        pass
    with pytest.raises(RuntimeError, match="shapes"), recalibration(network):
        network(drawn(7, 6))
    for layer in network.spiking_layers():
        assert isinstance(layer.norm, ReCalibratedNorm)
        assert layer.norm.gathered is None
        assert not layer.norm.running_mean.any()


@pytest.mark.parametrize("readout", ["count", "potential", "leaky", "rate"])
def test_each_gradient_sees_a_batch_once_and_trains_weight_and_bias(readout: str) -> None:
    network, counted = made(neuron="lif", readout=readout), []
    last = network.spiking_layers()[-1].norm
    assert isinstance(last, ReCalibratedNorm)
    last.register_forward_hook(lambda *_: counted.append(1))
    network(drawn(9, 5)).square().sum().backward()
    assert len(counted) == 1
    assert last.weight.grad is not None
    assert last.weight.grad.any()


def test_running_statistics_are_kept_with_the_weights() -> None:
    network, other = made(), made()
    network(drawn(9, 5, mean=3.0))
    other.load_state_dict(network.state_dict())
    x = drawn(4, 5)
    assert torch.equal(network.eval()(x), other.eval()(x))
