from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import LIF
from snnrl.state import reset_rows

quick = settings(deadline=None, max_examples=25)


def lif(shape: int | tuple[int, ...] = 1, **settings: Any) -> LIF:
    return LIF(shape, **settings).double()


def constant(current: float, steps: int) -> Tensor:
    return torch.full((steps, 1, 1), current, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spike_steps(neuron: LIF, current: float, steps: int) -> list[int]:
    spikes, _ = neuron.scan(constant(current, steps), neuron.init_state(1))
    return spikes.flatten().nonzero().flatten().tolist()


def test_without_input_the_membrane_decays_exponentially_to_rest() -> None:
    tau, dt, rest, start = 8.0, 0.5, -65.0, -70.0
    neuron = lif(tau_mem=tau, dt=dt, v_rest=rest, v_reset=rest, v_threshold=-50.0)
    state = neuron.init_state(1)._replace(v=constant(start, 1)[0])
    for step in range(1, 60):
        _, state = neuron(torch.zeros(1, 1, dtype=torch.float64), state)
        assert state.v.item() == pytest.approx(rest + (start - rest) * math.exp(-step * dt / tau), rel=1e-12)


def test_at_rest_and_without_input_nothing_moves() -> None:
    neuron = lif(v_rest=-65.0, v_reset=-65.0, v_threshold=-50.0)
    spikes, state = neuron.scan(constant(0.0, 20), neuron.init_state(1))
    assert not spikes.any()
    assert state.v.item() == -65.0


def test_a_constant_current_charges_the_membrane_along_the_exact_solution() -> None:
    tau, current = 20.0, 0.9
    neuron = lif(tau_mem=tau)
    state = neuron.init_state(1)
    for step in range(1, 80):
        _, state = neuron(constant(current, 1)[0], state)
        assert state.v.item() == pytest.approx(current * (1 - math.exp(-step / tau)), rel=1e-12)


@pytest.mark.parametrize("dt", [0.1, 1.0])
@pytest.mark.parametrize("refractory", [0.0, 3.0])
@pytest.mark.parametrize("current", [1.05, 1.3, 2.0, 5.0])
def test_interspike_interval_follows_tau_times_the_logarithm(dt: float, refractory: float, current: float) -> None:
    """From reset to threshold takes ``tau ln((I - v_reset) / (I - v_threshold))``, and spikes fall on whole steps."""
    tau, threshold, reset = 10.0, 1.0, -0.2
    neuron = lif(tau_mem=tau, dt=dt, v_threshold=threshold, v_reset=reset, t_refractory=refractory)
    rise = tau * math.log((current - reset) / (current - threshold))
    interval = math.ceil(rise / dt) + round(refractory / dt)
    first = math.ceil(tau * math.log(current / (current - threshold)) / dt)
    steps = first + 4 * interval
    assert spike_steps(neuron, current, steps) == [first - 1 + n * interval for n in range(4)] + [steps - 1]


def test_a_fine_step_reaches_the_continuous_rate() -> None:
    tau, dt, refractory, current = 10.0, 0.01, 2.0, 1.5
    times = [dt * step for step in spike_steps(lif(tau_mem=tau, dt=dt, t_refractory=refractory), current, 8000)]
    intervals = [after - before for before, after in pairwise(times)]
    expected = refractory + tau * math.log(current / (current - 1.0))
    assert len(intervals) >= 5
    assert all(expected <= interval + 1e-9 < expected + dt + 2e-9 for interval in intervals)


@pytest.mark.parametrize(("current", "fires"), [(0.999, False), (1.001, True)])
def test_the_rheobase_is_the_distance_from_rest_to_threshold(current: float, fires: bool) -> None:
    neuron = lif(tau_mem=5.0, v_rest=-1.0, v_reset=-1.0, v_threshold=0.0)
    assert bool(spike_steps(neuron, current, 200)) == fires


@pytest.mark.parametrize("refractory", [1, 2, 5])
def test_a_neuron_is_silent_and_held_at_reset_while_refractory(refractory: int) -> None:
    """Each step's current alone would reach the threshold."""
    neuron = lif(t_refractory=float(refractory), v_reset=-0.5)
    state = neuron.init_state(1)
    fired = []
    for _ in range(3 * (refractory + 1)):
        spikes, state = neuron(constant(1000.0, 1)[0], state)
        fired.append(spikes.item())
        assert state.v.item() == -0.5
    assert fired == ([1.0] + [0.0] * refractory) * 3


def test_the_refractory_period_is_counted_in_ms() -> None:
    assert lif(t_refractory=2.0, dt=0.25).refractory_steps == 8


def test_a_hard_reset_forgets_what_lay_above_the_threshold() -> None:
    neuron = lif(v_reset=0.25)
    state = neuron.init_state(1)._replace(v=constant(7.0, 1)[0])
    spikes, state = neuron(constant(0.0, 1)[0], state)
    assert (spikes.item(), state.v.item()) == (1.0, 0.25)


def test_a_soft_reset_keeps_what_lies_above_the_threshold() -> None:
    rest, threshold, start, tau = -2.0, 1.0, 9.0, 20.0
    neuron = lif(tau_mem=tau, v_rest=rest, v_reset=rest, v_threshold=threshold, reset="soft")
    state = neuron.init_state(1)._replace(v=constant(start, 1)[0])
    spikes, state = neuron(constant(0.0, 1)[0], state)
    reached = rest + (start - rest) * math.exp(-1 / tau)
    assert spikes.item() == 1.0
    assert state.v.item() == pytest.approx(reached - (threshold - rest), rel=1e-12)


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_a_noisy_membrane_follows_a_plain_loop(reset: str) -> None:
    tau, rest, threshold, to, refractory = 6.0, -0.1, 0.8, 0.1, 2
    current = normal(300, 1, 1) * 2 + 0.5
    neuron = lif(tau_mem=tau, v_rest=rest, v_threshold=threshold, v_reset=to, reset=reset, t_refractory=refractory)
    spikes, state = neuron.scan(current, neuron.init_state(1))

    v, waiting, expected = rest, 0, []
    for drive in current.flatten().tolist():
        fired = False
        if waiting:
            waiting -= 1
        else:
            v = rest + (v - rest) * math.exp(-1 / tau) + (1 - math.exp(-1 / tau)) * drive
            fired = v >= threshold
        if fired:
            v = to if reset == "hard" else v - (threshold - rest)
            waiting = refractory
        expected.append(float(fired))
    assert spikes.flatten().tolist() == expected
    assert 10 < sum(expected) < 200
    assert state.v.item() == pytest.approx(v, rel=1e-9)
    assert state.refractory.item() == waiting


@given(shape=st.lists(st.integers(1, 3), min_size=1, max_size=3), batch=st.integers(1, 3), cut=st.integers(1, 19))
@quick
def test_a_window_equals_the_windows_it_is_cut_into(shape: list[int], batch: int, cut: int) -> None:
    neuron = lif(tuple(shape), tau_mem=3.0, t_refractory=2.0)
    current = normal(20, batch, *shape) * 3 + 1
    whole, end = neuron.scan(current, neuron.init_state(batch))
    first, middle = neuron.scan(current[:cut], neuron.init_state(batch))
    second, other_end = neuron.scan(current[cut:], middle)
    assert torch.equal(whole, torch.cat([first, second]))
    assert torch.equal(end.v, other_end.v)
    assert torch.equal(end.refractory, other_end.refractory)
    assert whole.shape == current.shape


@given(row=st.integers(0, 2), seed=st.integers(0, 1000))
@quick
def test_rows_of_a_batch_are_independent(row: int, seed: int) -> None:
    neuron = lif(4, tau_mem=3.0, t_refractory=1.0)
    current = normal(15, 3, 4, seed=seed) * 3 + 1
    together, _ = neuron.scan(current, neuron.init_state(3))
    alone, _ = neuron.scan(current[:, row : row + 1], neuron.init_state(1))
    assert torch.equal(together[:, row], alone[:, 0])


def test_a_reset_row_starts_over_and_the_other_goes_on() -> None:
    neuron = lif(4, tau_mem=3.0, t_refractory=2.0)
    current = normal(30, 2, 4) * 3 + 2
    fresh = neuron.init_state(2)
    _, middle = neuron.scan(current[:15], fresh)
    after, _ = neuron.scan(current[15:], reset_rows(middle, fresh, torch.tensor([True, False])))
    over, _ = neuron.scan(current[15:], fresh)
    on, _ = neuron.scan(current, fresh)
    assert torch.equal(after[:, 0], over[:, 0])
    assert torch.equal(after[:, 1], on[15:, 1])
    assert not torch.equal(on[15:, 0], over[:, 0])


def test_a_step_leaves_the_state_that_it_was_given() -> None:
    neuron = lif(2)
    state = neuron.init_state(1)
    neuron(torch.full((1, 2), 50.0, dtype=torch.float64), state)
    assert state.v.tolist() == [[0.0, 0.0]]


def test_a_neuron_has_nothing_to_save_or_learn() -> None:
    neuron = LIF((2, 3))
    assert neuron.state_dict() == {}
    assert list(neuron.parameters()) == []
    assert (neuron.shape, neuron.size) == ((2, 3), 6)
    assert neuron.init_state(4).v.shape == (4, 2, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau_mem": 0.5}, r"^tau_mem=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        ({"dt": 0.0}, r"^dt=0.0: must be a positive number of ms$"),
        ({"v_threshold": 0.0}, r"^v_threshold=0.0: must be above 0.0$"),
        ({"v_rest": -1.0, "v_reset": 2.0}, r"^v_threshold=1.0: must be above 2.0$"),
        ({"reset": "none"}, r"^reset=none: must be hard or soft$"),
        ({"t_refractory": -1.0}, r"^t_refractory=-1.0: must be at least 0 ms$"),
        ({"t_refractory": math.nan}, r"^t_refractory=nan: must be at least 0 ms$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LIF(1, **settings)


@pytest.mark.parametrize("shape", [0, (3, 0), (), (-1,)])
def test_a_population_without_neurons_is_refused(shape: int | tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"^shape=\(.*\): must be positive sizes$"):
        LIF(shape)
