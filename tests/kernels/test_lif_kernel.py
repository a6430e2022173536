"""The compiled window of the LIF against the plain loop over its steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.kernels import lif_scan
from snnrl.neurons import IF, LIF, CurrentLIF, Neuron
from tests.kernels.lif_windows import check_equal, inside, normal, per_neuron, window


@pytest.mark.parametrize("refractory", [0.0, 3.0])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("own", [False, True], ids=["one setting for all", "settings of each neuron"])
@pytest.mark.parametrize(
    ("steps", "batch", "shape"), [(1, 2, (5,)), (40, 3, (2, 7)), (12, 3, (1000,)), (30, 1, (4097,))]
)
@pytest.mark.usefixtures("threads")
def test_a_window_is_the_loop_bit_for_bit(
    steps: int, batch: int, shape: tuple[int, ...], own: bool, reset: str, refractory: float
) -> None:
    size = torch.Size(shape).numel()
    values = {key: value.view(shape) for key, value in per_neuron(size).items()} if own else {"tau_mem": 5.0}
    neuron = LIF(shape, reset=reset, t_refractory=refractory, **values)
    current = normal(steps, batch, *shape) * 4 + 1
    if steps == 1:
        current[0, 0, 0] = 100.0
    check_equal(neuron, current, inside(neuron, batch)._replace(refractory=torch.zeros(batch, *shape)))
    if steps > 1:
        check_equal(neuron, current, inside(neuron, batch))


@given(
    steps=st.integers(1, 20),
    batch=st.integers(1, 3),
    size=st.integers(1, 9),
    tau=st.floats(1.0, 50.0),
    reset=st.sampled_from(["hard", "soft"]),
    refractory=st.integers(0, 4),
    decay_input=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60)
def test_so_it_is_for_any_setting(
    steps: int, batch: int, size: int, tau: float, reset: Any, refractory: int, decay_input: bool, seed: int
) -> None:
    neuron = LIF(size, tau_mem=tau, reset=reset, t_refractory=refractory, decay_input=decay_input)
    current, state = normal(steps, batch, size, seed=seed) * 3 + 1, inside(neuron, batch, seed)
    spikes, after = neuron.scan(current, state)
    expected, looped = Neuron.scan(neuron, current, state)
    assert torch.equal(spikes, expected)
    assert torch.equal(after.v, looped.v)
    assert torch.equal(after.refractory, looped.refractory)


def test_a_soft_reset_subtracts_the_same_distance_where_float32_does_not_hold_the_settings() -> None:
    neuron = LIF(50, tau_mem=5.0, v_rest=-0.1, v_reset=-0.1, v_threshold=0.8, reset="soft")
    check_equal(neuron, normal(40, 2, 50) * 4 + 1, neuron.init_state(2))


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_a_perfect_integrator_runs_through_the_kernel_too(reset: Any) -> None:
    neuron = IF(50, reset=reset, t_refractory=1.0)
    check_equal(neuron, normal(60, 2, 50) * 0.5 + 0.2, inside(neuron, 2))


def test_a_current_lif_fires_as_its_loop_does() -> None:
    """Its current is a product with a matrix, equal to rounding only."""
    neuron = CurrentLIF(50, tau_mem=5.0, tau_syn=3.0, t_refractory=1.0, tau_trace=8.0)
    current = normal(60, 2, 50) * 2 + 0.3
    spikes, state = neuron.scan(current, neuron.init_state(2))
    expected, looped = Neuron.scan(neuron, current, neuron.init_state(2))
    assert torch.equal(spikes, expected)
    assert 0 < spikes.mean() < 0.9
    for leaf, other in zip(state, looped, strict=True):
        torch.testing.assert_close(leaf, other, rtol=1e-5, atol=1e-5)


def test_the_window_leaves_its_arguments_alone() -> None:
    current, v, refractory = normal(10, 6) + 2, normal(6), torch.ones(6)
    kept = [tensor.clone() for tensor in (current, v, refractory)]
    assert lif_scan(current, v, refractory, window(refractory_steps=2)) is not None
    assert all(torch.equal(now, then) for now, then in zip((current, v, refractory), kept, strict=True))


@pytest.mark.parametrize("steps", [1, 127, 128, 129, 300])
def test_the_memory_of_the_current_takes_the_spikes_if_it_may(steps: int) -> None:
    current, v, refractory = normal(steps, 6) * 4 + 2, normal(6).clamp_max(0.5), torch.tensor([0.0, 2, 0, 1, 0, 0])
    plain, reused = (
        lif_scan(current.clone(), v, refractory, window(refractory_steps=2), reuse=reuse) for reuse in (False, True)
    )
    assert plain is not None
    assert reused is not None
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(reused, plain, strict=True))
    spikes, *_ = lif_scan(current, v, refractory, window(refractory_steps=2), reuse=True) or (None,)
    assert spikes is not None
    assert spikes.data_ptr() == current.data_ptr()
    assert torch.equal(current, plain[0])


def test_with_a_gradient_the_current_is_kept_all_the_same() -> None:
    current = (normal(20, 6) * 4 + 2).requires_grad_()
    kept = current.detach().clone()
    scanned = lif_scan(current, torch.zeros(6), torch.zeros(6), window(surrogate=0, slope=2.0), reuse=True)
    assert scanned is not None
    scanned[0].sum().backward()
    assert torch.equal(current.detach(), kept)
    assert current.grad is not None
    assert current.grad.any()


def test_a_current_may_lie_in_memory_in_any_order() -> None:
    neuron = LIF(6, tau_mem=3.0)
    current = (normal(6, 4, 30) * 3 + 1).permute(2, 1, 0)
    assert not current.is_contiguous()
    check_equal(neuron, current, neuron.init_state(4))


def test_there_is_one_for_the_same_window_without_gradient() -> None:
    current = torch.ones(5, 3, requires_grad=True)
    with torch.no_grad():
        assert lif_scan(current, torch.zeros(3), torch.zeros(3), window(refractory_steps=2)) is not None
    assert lif_scan(current, torch.zeros(3), torch.zeros(3), window(surrogate=0, slope=2.0)) is not None


def test_there_is_none_for_a_window_without_steps_or_columns() -> None:
    assert lif_scan(torch.zeros(0, 3), torch.zeros(3), torch.zeros(3), window()) is None
    assert lif_scan(torch.zeros(3, 0), torch.zeros(0), torch.zeros(0), window()) is None
