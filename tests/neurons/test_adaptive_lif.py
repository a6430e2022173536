from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import LIF, LSNN, AdaptiveLIF
from snnrl.surrogate import Triangle


def adaptive(shape: int | tuple[int, ...] = 1, **settings: Any) -> AdaptiveLIF:
    return AdaptiveLIF(shape, **settings).double()


def lsnn(shape: int | tuple[int, ...] = 1, **settings: Any) -> LSNN:
    return LSNN(shape, **settings).double()


def constant(current: float, steps: int) -> Tensor:
    return torch.full((steps, 1, 1), current, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spike_steps(neuron: AdaptiveLIF, current: Tensor) -> list[int]:
    spikes, _ = neuron.scan(current, neuron.init_state(1))
    return spikes.flatten().nonzero().flatten().tolist()


@pytest.mark.parametrize("dt", [0.5, 1.0])
def test_after_a_spike_the_threshold_falls_back_exponentially(dt: float) -> None:
    tau, increment = 30.0, 0.7
    neuron = adaptive(tau_adaptation=tau, increment=increment, dt=dt)
    spikes, state = neuron(constant(1000.0, 1)[0], neuron.init_state(1))
    assert (spikes.item(), state.adaptation.item()) == (1.0, increment)
    for step in range(1, 80):
        _, state = neuron(constant(0.0, 1)[0], state)
        assert state.adaptation.item() == pytest.approx(increment * math.exp(-step * dt / tau), rel=1e-12)


def test_spikes_at_every_step_raise_the_threshold_along_the_geometric_sum() -> None:
    tau, increment = 20.0, 0.25
    rho = math.exp(-1 / tau)
    neuron = adaptive(tau_adaptation=tau, increment=increment)
    state = neuron.init_state(1)
    for count in range(1, 100):
        spikes, state = neuron(constant(1e6, 1)[0], state)
        assert spikes.item() == 1.0
        assert state.adaptation.item() == pytest.approx(increment * (1 - rho**count) / (1 - rho), rel=1e-12)


@pytest.mark.parametrize(("potential", "fires"), [(1.5, False), (2.0, True)])
def test_it_fires_at_the_raised_threshold_and_not_at_the_bare_one(potential: float, fires: bool) -> None:
    """The potential is kept by a very long membrane, the adaptation is 0.875 when the step begins."""
    neuron = adaptive(tau_mem=1e12, tau_adaptation=1e12, increment=1.0)
    state = neuron.init_state(1)._replace(v=constant(potential, 1)[0], adaptation=constant(0.875, 1)[0])
    spikes, _ = neuron(constant(0.0, 1)[0], state)
    assert bool(spikes.item()) == fires


def test_the_spike_of_a_step_counts_from_the_next_step_on() -> None:
    """Without decay: soft resets from 2.25 would spike at 1 and again, but the first spike has raised the bar."""
    neuron = adaptive(tau_mem=1e12, tau_adaptation=1e12, increment=0.5, reset="soft")
    state = neuron.init_state(1)._replace(v=constant(2.25, 1)[0])
    spikes, _ = neuron.scan(constant(0.0, 3), state)
    assert spikes.flatten().tolist() == [1.0, 0.0, 0.0]


def test_intervals_grow_under_constant_input_until_they_are_regular() -> None:
    steps = spike_steps(adaptive(tau_mem=10.0, tau_adaptation=200.0, increment=0.3), constant(6.0, 2000))
    intervals = [after - before for before, after in pairwise(steps)]
    assert intervals[:10] == sorted(intervals[:10])
    assert intervals[9] >= 3 * intervals[0]
    assert max(intervals[-20:]) - min(intervals[-20:]) <= 1


def test_without_an_increment_it_is_a_lif() -> None:
    current = normal(150, 2, 6) * 3 + 0.5
    settings: dict[str, Any] = {"tau_mem": 6.0, "v_rest": -0.5, "v_reset": -0.25, "t_refractory": 2.0}
    neuron, plain = adaptive(6, increment=0.0, **settings), LIF(6, **settings).double()
    spikes, state = neuron.scan(current, neuron.init_state(2))
    expected, after = plain.scan(current, plain.init_state(2))
    assert expected.sum() > 50
    assert torch.equal(spikes, expected)
    assert torch.equal(state.v, after.v)


def test_the_threshold_falls_in_the_refractory_period_too() -> None:
    neuron = adaptive(tau_adaptation=10.0, increment=1.0, t_refractory=5.0)
    _, state = neuron.scan(constant(1000.0, 4), neuron.init_state(1))
    assert state.adaptation.item() == pytest.approx(math.exp(-3 / 10.0), rel=1e-12)


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_a_noisy_membrane_follows_a_plain_loop(reset: str) -> None:
    tau, tau_adaptation, increment, rest, threshold, to = 6.0, 25.0, 0.4, -0.1, 0.8, 0.1
    current = normal(300, 1, 1) * 3 + 1
    neuron = adaptive(
        tau_mem=tau,
        tau_adaptation=tau_adaptation,
        increment=increment,
        v_rest=rest,
        v_threshold=threshold,
        v_reset=to,
        reset=reset,
    )
    v, adaptation, expected = rest, 0.0, []
    for step, drive in enumerate(current.flatten().tolist()):
        v = rest + (v - rest) * math.exp(-1 / tau) + (1 - math.exp(-1 / tau)) * drive
        adaptation *= math.exp(-1 / tau_adaptation)
        if v >= threshold + adaptation:
            expected.append(step)
            v = to if reset == "hard" else v - (threshold - rest)
            adaptation += increment
    assert 10 < len(expected) < 150
    assert spike_steps(neuron, current) == expected


def test_lsnn_follows_the_equations_of_the_paper() -> None:
    """Bellec et al. 2018, eq. 1 and 2, by hand: the threshold at t holds the spikes up to t - 1."""
    tau, tau_adaptation, beta, threshold = 20.0, 50.0, 1.8, 0.6
    alpha, rho = math.exp(-1 / tau), math.exp(-1 / tau_adaptation)
    current = normal(300, 1, 1) * 3 + 1.5
    neuron = lsnn(tau_mem=tau, tau_adaptation=tau_adaptation, beta=beta, v_threshold=threshold)
    state = neuron.init_state(1)
    v, b, fired, count = 0.0, 0.0, 0.0, 0.0
    for drive in current:
        b = rho * b + (1 - rho) * fired
        v = alpha * v + (1 - alpha) * drive.item() - (threshold * fired if fired else 0.0) * alpha
        fired = float(v >= threshold + beta * b)
        spikes, state = neuron(drive, state)
        assert spikes.item() == fired
        assert state.v.item() == pytest.approx(v - threshold * fired, rel=1e-9, abs=1e-12)
        count += fired
    assert state.adaptation.item() == pytest.approx(rho * b + (1 - rho) * fired, rel=1e-9)
    assert 20 < count < 200


def test_a_constantly_firing_lsnn_raises_its_threshold_by_beta() -> None:
    beta, rho = 2.5, math.exp(-1 / 20.0)
    neuron = lsnn(beta=beta, tau_adaptation=20.0)
    state = neuron.init_state(1)
    for count in range(1, 200):
        spikes, state = neuron(constant(1e6, 1)[0], state)
        assert spikes.item() == 1.0
        assert state.adaptation.item() == pytest.approx(1 - rho**count, rel=1e-12)
    raised = -neuron.excess(state._replace(v=constant(0.0, 1)[0])).item()
    assert raised == pytest.approx(1.0 + beta * (1 - rho**199), rel=1e-12)


def test_an_lsnn_without_beta_is_a_lif_with_soft_reset() -> None:
    current = normal(150, 2, 6) * 3 + 0.5
    neuron, plain = lsnn(6, beta=0.0, tau_mem=6.0), LIF(6, reset="soft", tau_mem=6.0).double()
    spikes, state = neuron.scan(current, neuron.init_state(2))
    expected, after = plain.scan(current, plain.init_state(2))
    assert expected.sum() > 50
    assert torch.equal(spikes, expected)
    assert torch.equal(state.v, after.v)


def test_a_gradient_passes_through_the_adaptation_of_an_lsnn_over_a_time_the_membrane_forgets() -> None:
    """One spike, then a deep silence in which the surrogate is zero, then a step near threshold.

    ``dz_T / dI_0 = psi(x_T) psi(x_0) (1 - alpha) (-beta) rho^(T-1) (1 - rho)``; the membrane's own path is e^-60.
    """
    beta, tau_adaptation, last = 1.8, 100.0, 60
    alpha, rho = math.exp(-1.0), math.exp(-1 / tau_adaptation)
    surrogate = Triangle(slope=1.0)
    neuron = lsnn(tau_mem=1.0, beta=beta, tau_adaptation=tau_adaptation, surrogate=surrogate)
    current = constant(-10.0, last + 1)
    current[0] = 1.25 / (1 - alpha)
    current[last] = (1.0 + 10 * alpha) / (1 - alpha)
    current.requires_grad_()
    spikes, _ = neuron.scan(current, neuron.init_state(1))
    spikes[last].sum().backward()
    assert current.grad is not None
    assert spikes.detach().nonzero()[:, 0].tolist() == [0]
    before_last = -10.0 * (1 - alpha ** (last - 1)) + (1.25 - 1.0) * alpha ** (last - 1)
    x_last = alpha * before_last + 1.0 + 10 * alpha - (1.0 + beta * (1 - rho) * rho ** (last - 1))
    psi = surrogate.derivative(torch.tensor([0.25, x_last], dtype=torch.float64)).prod().item()
    assert psi > 0.5
    expected = psi * (1 - alpha) * -beta * rho ** (last - 1) * (1 - rho)
    assert current.grad[0].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (AdaptiveLIF, {"tau_adaptation": 0.5}, r"^tau_adaptation=0.5: must be a number of ms that is at least dt"),
        (AdaptiveLIF, {"tau_adaptation": -9.0}, r"^tau_adaptation=-9.0: must be a number of ms that is at least dt"),
        (AdaptiveLIF, {"tau_adaptation": math.nan}, r"^tau_adaptation=nan: must be a number of ms that is at least"),
        (AdaptiveLIF, {"increment": -0.1}, r"^increment=-0.1: must be at least 0$"),
        (AdaptiveLIF, {"increment": math.inf}, r"^increment=inf: must be at least 0$"),
        (AdaptiveLIF, {"tau_mem": 0.5}, r"^tau_mem=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        (AdaptiveLIF, {"dt": math.nan}, r"^dt=nan: must be a positive number of ms$"),
        (AdaptiveLIF, {"learnable": ["beta"]}, r"^learnable=beta: there are: increment, tau_adaptation, tau_mem,"),
        (LSNN, {"beta": -1.0}, r"^beta=-1.0: must be at least 0$"),
        (LSNN, {"beta": math.nan}, r"^beta=nan: must be at least 0$"),
        (LSNN, {"tau_adaptation": 0.5}, r"^tau_adaptation=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        (LSNN, {"tau_mem": 2.0, "dt": 3.0}, r"^tau_mem=2.0: must be a number of ms that is at least dt \(3.0\)$"),
        (LSNN, {"v_threshold": -1.0}, r"^v_threshold=-1.0: must be above 0.0$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    model: type[AdaptiveLIF], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        model(1, **settings)
