from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as configure
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import SRM0, CumulativeSRM, CumulativeSRMState, SRM0State

quick = configure(deadline=None, max_examples=40)
NEVER, ALWAYS = -1e4, 1e4
"""Currents that silence an escape-noise neuron for sure, and that make it fire for sure."""


def srm0(shape: int | tuple[int, ...] = 1, seed: int = 0, **settings: Any) -> SRM0:
    return SRM0(shape, generator=torch.Generator().manual_seed(seed), **settings).double()


def cumulative(shape: int | tuple[int, ...] = 1, **settings: Any) -> CumulativeSRM:
    return CumulativeSRM(shape, **settings).double()


def number(value: float) -> Tensor:
    return torch.tensor([[value]], dtype=torch.float64)


def run(neuron: Any, drive: list[float]) -> tuple[list[float], list[Any]]:
    state, spikes, states = neuron.init_state(1), [], []
    for now in drive:
        out, state = neuron(number(now), state)
        spikes.append(out.item())
        states.append(state)
    return spikes, states


def test_without_spikes_the_potential_of_srm0_is_the_exponential_sum_of_its_input() -> None:
    tau, dt = 8.0, 0.5
    drive = torch.randn(60, generator=torch.Generator().manual_seed(0), dtype=torch.float64).tolist()
    spikes, states = run(srm0(tau_mem=tau, dt=dt, v_threshold=1000.0), drive)
    expected = [sum(drive[s] * math.exp(-(t - s) * dt / tau) for s in range(t + 1)) for t in range(60)]
    assert not any(spikes)
    assert [state.v.item() for state in states] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert [state.h.item() for state in states] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_only_the_last_spike_counts_for_srm0() -> None:
    """Spikes at steps 0, 1 and 4, forced by the input: ``eta`` starts anew from its depth at each of them."""
    tau, depth = 6.0, 3.0
    drive = [ALWAYS, ALWAYS, NEVER, NEVER, ALWAYS, NEVER, NEVER]
    spikes, states = run(srm0(tau_mem=1.0, tau_refractory=tau, eta_reset=depth, width=1.0), drive)
    assert spikes == [1, 1, 0, 0, 1, 0, 0]
    since = [0, 0, 1, 2, 0, 1, 2]
    assert [state.eta.item() for state in states] == pytest.approx([-depth * math.exp(-s / tau) for s in since])


def test_the_potential_of_srm0_holds_input_and_refractoriness() -> None:
    """The eta of the step's own spike counts from the next step on."""
    _, states = run(srm0(tau_refractory=5.0, eta_reset=2.0), [ALWAYS, 0.0])
    assert states[0].v.item() == ALWAYS
    assert states[1].h.item() == pytest.approx(ALWAYS * math.exp(-1 / 10.0), rel=1e-12)
    assert states[1].v.item() == pytest.approx(states[1].h.item() - 2.0 * math.exp(-1 / 5.0), rel=1e-12)


@pytest.mark.parametrize(("dt", "v"), [(0.5, -1.0), (1.0, 0.2), (1.0, 1.0), (0.1, 3.0), (1.0, 2.0)])
def test_the_probability_of_a_spike_is_that_of_at_least_one_escape(dt: float, v: float) -> None:
    threshold, width, rate = 0.5, 0.4, 0.3
    neuron = srm0(v_threshold=threshold, width=width, rate_threshold=rate, dt=dt, tau_mem=5.0)
    expected = 1 - math.exp(-rate * math.exp((v - threshold) / width) * dt)
    assert neuron.firing_probability(number(v)).item() == pytest.approx(expected, rel=1e-12)


def test_a_tiny_probability_is_not_rounded_away() -> None:
    neuron = SRM0(1, rate_threshold=1.0, width=1.0, v_threshold=0.0)
    assert neuron.firing_probability(torch.tensor(-25.0)).item() == pytest.approx(math.exp(-25), rel=1e-5)


@pytest.mark.parametrize("v", [-0.5, 0.5, 1.0, 1.5, 2.0])
def test_spikes_are_as_frequent_as_their_probability(v: float) -> None:
    count = 40_000
    neuron = srm0(count, seed=7)
    spikes, _ = neuron(torch.full((1, count), v, dtype=torch.float64), neuron.init_state(1))
    probability = neuron.firing_probability(number(v)).item()
    error = math.sqrt(probability * (1 - probability) / count)
    assert 0.004 < probability < 0.8
    assert abs(spikes.mean().item() - probability) < 5 * error


def test_a_refractory_neuron_is_less_likely_to_fire_by_the_factor_of_its_eta() -> None:
    """The rate falls by ``exp(eta / width)`` after a spike (Gerstner & Kistler 2002, eq. 5.41 ff.)."""
    neuron = srm0(tau_refractory=10.0, eta_reset=2.0, width=0.5)
    ratio = neuron._expected(number(0.3 - 2.0 * math.exp(-0.5))) / neuron._expected(number(0.3))
    assert ratio.item() == pytest.approx(math.exp(-4.0 * math.exp(-0.5)), rel=1e-12)


@given(v=st.floats(-4.0, 2.5), spike=st.sampled_from([0.0, 1.0]), width=st.floats(0.3, 2.0))
@quick
def test_the_score_is_the_derivative_of_the_log_probability(v: float, spike: float, width: float) -> None:
    neuron = srm0(width=width, rate_threshold=0.2)

    def log_probability(v: float) -> float:
        expected = 0.2 * math.exp((v - 1.0) / width)
        return math.log(-math.expm1(-expected)) if spike else -expected

    step = 1e-5
    slope = (log_probability(v + step) - log_probability(v - step)) / (2 * step)
    assert neuron.score(number(v), number(spike)).item() == pytest.approx(slope, rel=1e-6, abs=1e-8)


@given(v=st.floats(-4.0, 2.5))
@quick
def test_the_expected_score_is_zero(v: float) -> None:
    neuron = srm0()
    p = neuron.firing_probability(number(v)).item()
    mean = p * neuron.score(number(v), number(1.0)) + (1 - p) * neuron.score(number(v), number(0.0))
    assert mean.item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_score_of_an_improbable_spike_is_one_over_the_width(dtype: torch.dtype) -> None:
    """``expected / width * silent / (1 - silent)`` for ever fewer expected escapes."""
    neuron = srm0(width=0.5).to(dtype)
    for v in (-4.0, -8.0, -20.0):
        score = neuron.score(torch.tensor(v, dtype=dtype), torch.tensor(1.0, dtype=dtype))
        assert score.item() == pytest.approx(2.0, rel=1e-3)


def test_the_score_of_a_certain_spike_is_zero() -> None:
    score = SRM0(1).score(torch.tensor([10.0, 60.0]), torch.ones(2))
    assert score.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_draws_come_from_the_generator_and_no_other_is_touched() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    current = torch.full((50, 1, 4), 0.2, dtype=torch.float64)
    first, second, other = (srm0(4, seed=seed) for seed in (5, 5, 6))
    spikes, _ = first.scan(current, first.init_state(1))
    again, _ = second.scan(current, second.init_state(1))
    different, _ = other.scan(current, other.init_state(1))
    assert spikes.any()
    assert torch.equal(spikes, again)
    assert not torch.equal(spikes, different)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("tau", "dt"), [(10.0, 1.0), (5.0, 0.5), (20.0, 0.1)])
def test_one_input_raises_the_potential_of_the_cumulative_model_by_an_alpha_function(tau: float, dt: float) -> None:
    """``(t / tau) exp(1 - t / tau)``: 0 at the step of the input, 1 at ``t = tau``."""
    steps = round(4 * tau / dt)
    _, states = run(cumulative(tau_mem=tau, dt=dt, v_threshold=100.0), [1.0] + [0.0] * steps)
    reached = [state.v.item() for state in states]
    expected = [n * dt / tau * math.exp(1 - n * dt / tau) for n in range(steps + 1)]
    assert reached == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert reached.index(max(reached)) == round(tau / dt)
    assert max(reached) == pytest.approx(1.0, rel=1e-12)


def test_every_past_spike_goes_on_to_lower_the_potential() -> None:
    """Without a response in time (input before the window): spikes are forced by a high ``h`` that does not change."""
    tau, depth, neuron = 15.0, 0.5, cumulative(tau_mem=1e9, tau_refractory=15.0, eta_reset=0.5, v_threshold=3.0)
    state: CumulativeSRMState = neuron.init_state(1)._replace(h=number(4.0))
    fired: list[int] = []
    for step in range(60):
        eta = -depth * sum(math.exp(-(step - spike) / tau) for spike in fired)
        spikes, state = neuron(number(0.0), state)
        assert state.v.item() == pytest.approx(4.0 + eta, rel=1e-6)
        assert bool(spikes.item()) == (4.0 + eta >= 3.0)
        if spikes.item():
            fired.append(step)
    assert fired[:3] == [0, 1, 2]
    assert 5 < len(fired) < 20


def test_two_spikes_of_the_cumulative_model_weigh_twice_what_the_last_one_weighs_for_srm0() -> None:
    settings: dict[str, Any] = {"tau_refractory": 1e9, "eta_reset": 1.0, "tau_mem": 1e9}
    _, once = run(srm0(**settings), [ALWAYS, 0.0])
    neuron = cumulative(**settings)
    state: Any = neuron.init_state(1)._replace(h=number(100.0))
    for _ in range(2):
        _, state = neuron(number(0.0), state)
    assert (once[-1].eta.item(), state.eta.item()) == pytest.approx((-1.0, -2.0), rel=1e-6)


def test_states_start_at_zero() -> None:
    for state in (srm0(3).init_state(2), cumulative(3).init_state(2)):
        assert isinstance(state, SRM0State | CumulativeSRMState)
        assert not any(leaf.any() for leaf in state)
        assert state.v.shape == (2, 3)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (SRM0, {"tau_mem": 0.5}, r"^tau_mem=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        (SRM0, {"tau_refractory": -1.0}, r"^tau_refractory=-1.0: must be a number of ms that is at least dt \(1.0\)$"),
        (SRM0, {"tau_mem": math.nan}, r"^tau_mem=nan: must be a number of ms that is at least dt \(1.0\)$"),
        (SRM0, {"eta_reset": -1.0}, r"^eta_reset=-1.0: must be at least 0$"),
        (SRM0, {"eta_reset": math.nan}, r"^eta_reset=nan: must be at least 0$"),
        (SRM0, {"width": 0.0}, r"^width=0.0: must be above 0$"),
        (SRM0, {"width": math.nan}, r"^width=nan: must be above 0$"),
        (SRM0, {"rate_threshold": -0.1}, r"^rate_threshold=-0.1: must be above 0$"),
        (SRM0, {"rate_threshold": math.inf}, r"^rate_threshold=inf: must be above 0$"),
        (SRM0, {"v_threshold": math.nan}, r"^v_threshold=nan: must be a finite potential$"),
        (SRM0, {"dt": math.nan}, r"^dt=nan: must be a positive number of ms$"),
        (SRM0, {"learnable": ["width"]}, r"^learnable=width: there are: tau_mem, v_threshold$"),
        (CumulativeSRM, {"tau_mem": 0.5}, r"^tau_mem=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        (CumulativeSRM, {"tau_refractory": 0.0}, r"^tau_refractory=0.0: must be a number of ms that is at least dt"),
        (CumulativeSRM, {"eta_reset": -1.0}, r"^eta_reset=-1.0: must be at least 0$"),
        (CumulativeSRM, {"v_threshold": math.inf}, r"^v_threshold=inf: must be a finite potential above 0$"),
        (CumulativeSRM, {"dt": -1.0}, r"^dt=-1.0: must be a positive number of ms$"),
        (CumulativeSRM, {"tau_mem": 2.0, "dt": 3.0}, r"^tau_mem=2.0: must be a number of ms that is at least dt \(3"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(
    model: type[SRM0] | type[CumulativeSRM], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        model(1, **settings)
