from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import LIF, CurrentLIF


def current_lif(shape: int | tuple[int, ...] = 1, **settings: Any) -> CurrentLIF:
    return CurrentLIF(shape, **settings).double()


def pulse(steps: int, size: float = 1.0) -> Tensor:
    """One input at the first step, nothing after it."""
    current = torch.zeros(steps, 1, 1, dtype=torch.float64)
    current[0] = size
    return current


def potentials(neuron: CurrentLIF, current: Tensor) -> list[float]:
    state, out = neuron.init_state(current.shape[1]), []
    for now in current:
        _, state = neuron(now, state)
        out.append(state.v.item())
    return out


@pytest.mark.parametrize(("tau_mem", "tau_syn", "dt"), [(20.0, 5.0, 1.0), (4.0, 9.0, 0.5), (20.0, 5.0, 0.1)])
def test_one_input_raises_the_potential_by_a_difference_of_exponentials(
    tau_mem: float, tau_syn: float, dt: float
) -> None:
    """With the factors ``m`` and ``s`` of a step: ``v[t] = (1 - m) (m^(t+1) - s^(t+1)) / (m - s)``."""
    m, s = math.exp(-dt / tau_mem), math.exp(-dt / tau_syn)
    expected = [(1 - m) * (m ** (t + 1) - s ** (t + 1)) / (m - s) for t in range(150)]
    neuron = current_lif(tau_mem=tau_mem, tau_syn=tau_syn, dt=dt, v_threshold=10.0)
    assert potentials(neuron, pulse(150)) == pytest.approx(expected, rel=1e-10)


def test_equal_time_constants_give_the_alpha_function() -> None:
    m = math.exp(-1 / 8)
    expected = [(1 - m) * (t + 1) * m**t for t in range(60)]
    neuron = current_lif(tau_mem=8.0, tau_syn=8.0, v_threshold=10.0)
    assert potentials(neuron, pulse(60)) == pytest.approx(expected, rel=1e-10)


def test_a_fine_step_reaches_the_continuous_solution_and_its_peak() -> None:
    tau_mem, tau_syn, dt = 20.0, 5.0, 0.01
    neuron = current_lif(tau_mem=tau_mem, tau_syn=tau_syn, dt=dt, v_threshold=10.0)
    reached = potentials(neuron, pulse(2000))
    scale = tau_syn / (tau_mem - tau_syn)
    for step in (99, 499, 999, 1999):
        now = dt * (step + 1)
        exact = scale * (math.exp(-now / tau_mem) - math.exp(-now / tau_syn))
        assert reached[step] == pytest.approx(exact, rel=2e-3)
    peak = tau_mem * tau_syn / (tau_mem - tau_syn) * math.log(tau_mem / tau_syn)
    assert dt * (reached.index(max(reached)) + 1) == pytest.approx(peak, abs=2 * dt)


def test_without_the_factor_of_the_input_a_weight_is_the_jump_of_the_potential() -> None:
    neuron = current_lif(decay_input=False, v_threshold=10.0)
    assert potentials(neuron, pulse(1, 0.75)) == [0.75]


def test_under_constant_input_current_and_potential_settle_at_the_geometric_sum() -> None:
    tau_syn, drive = 5.0, 0.1
    neuron = current_lif(tau_syn=tau_syn)
    _, state = neuron.scan(torch.full((600, 1, 1), drive, dtype=torch.float64), neuron.init_state(1))
    limit = drive / (1 - math.exp(-1 / tau_syn))
    assert state.i.item() == pytest.approx(limit, rel=1e-9)
    assert state.v.item() == pytest.approx(limit, rel=1e-9)


def test_the_membrane_takes_the_filtered_current_as_a_lif_takes_its_input() -> None:
    generator = torch.Generator().manual_seed(0)
    current = torch.randn(120, 2, 5, generator=generator, dtype=torch.float64) + 0.4
    settings: dict[str, Any] = {"tau_mem": 6.0, "v_rest": -0.2, "v_reset": -0.4, "t_refractory": 2.0}
    neuron, plain = current_lif(5, tau_syn=4.0, **settings), LIF(5, **settings).double()
    filtered, i = [], torch.zeros(2, 5, dtype=torch.float64)
    for now in current:
        i = i * math.exp(-1 / 4.0) + now
        filtered.append(i)
    spikes, state = neuron.scan(current, neuron.init_state(2))
    expected, after = plain.scan(torch.stack(filtered), plain.init_state(2))
    assert 50 < expected.sum() < 1000
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(state.v, after.v, rtol=1e-12, atol=1e-12)


def test_the_synaptic_current_goes_on_while_the_potential_is_held() -> None:
    neuron = current_lif(tau_syn=5.0, t_refractory=3.0, v_reset=-0.5)
    state = neuron.init_state(1)
    for step, now in enumerate(pulse(4, 100.0)):
        spikes, state = neuron(now, state)
        assert spikes.item() == float(step == 0)
        assert state.v.item() == -0.5
        assert state.i.item() == pytest.approx(100 * math.exp(-step / 5.0), rel=1e-12)
    spikes, _ = neuron(torch.zeros(1, 1, dtype=torch.float64), state)
    assert spikes.item() == 1.0, "what is left of the current fires the neuron once more"


def test_a_spike_does_not_touch_the_synaptic_current() -> None:
    neuron = current_lif()
    spikes, state = neuron(pulse(1, 100.0)[0], neuron.init_state(1))
    assert (spikes.item(), state.v.item(), state.i.item()) == (1.0, 0.0, 100.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau_syn": 0.5}, r"^tau_syn=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_syn": 5.0, "dt": 8.0}, r"^tau_syn=5.0: must be a number of ms that is at least dt \(8.0\)$"),
        ({"tau_syn": -5.0}, r"^tau_syn=-5.0: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_syn": math.nan}, r"^tau_syn=nan: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_syn": math.inf}, r"^tau_syn=inf: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_mem": 0.9}, r"^tau_mem=0.9: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_syn": torch.tensor([5.0, 5.0])}, r"^tau_syn=\[2\]: must be a number or of shape \(1,\)$"),
        ({"dt": -1.0}, r"^dt=-1.0: must be a positive number of ms$"),
        ({"v_threshold": 0.0}, r"^v_threshold=0.0: must be above 0.0$"),
        ({"learnable": ["tau_sy"]}, r"^learnable=tau_sy: did you mean tau_syn"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CurrentLIF(1, **settings)
