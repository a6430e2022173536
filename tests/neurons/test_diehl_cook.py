from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.kernels.competition import compete
from snnrl.neurons import LIF, DiehlCook
from snnrl.state import reset_rows

STRONG = 1e5
"""A current that lifts every neuron far above threshold in one step."""


def diehl_cook(shape: int | tuple[int, ...] = 1, **settings: Any) -> DiehlCook:
    return DiehlCook(shape, **settings).double()


def full(value: float, *shape: int) -> Tensor:
    return torch.full(shape, value, dtype=torch.float64)


def potentials(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_the_defaults_are_the_values_of_the_paper() -> None:
    neuron = diehl_cook()
    assert (neuron.v_rest, neuron.v_reset, neuron.v_threshold) == (-65.0, -60.0, -52.0)
    assert (neuron.theta_plus, neuron.refractory_steps, neuron.decay) == (0.05, 5, math.exp(-1 / 100))
    assert neuron.theta_decay == math.exp(-1 / 1e7)


def test_every_spike_raises_the_threshold_and_it_decays_with_its_time_constant() -> None:
    tau, plus = 50.0, 0.25
    decay = math.exp(-1 / tau)
    neuron = diehl_cook(theta_plus=plus, tau_theta=tau, t_refractory=0.0)
    state, expected = neuron.init_state(1), 0.0
    for current in [STRONG, STRONG, 0.0, 0.0, STRONG, 0.0, 0.0, 0.0]:
        spikes, state = neuron(full(current, 1, 1), state)
        expected = expected * decay + plus * spikes.item()
        assert bool(spikes.item()) == (current > 0)
        assert neuron.theta.item() == pytest.approx(expected, rel=1e-12)


def test_the_threshold_decays_at_its_rate_in_float32_too() -> None:
    neuron, start, steps = DiehlCook(1, dt=0.5), 1.3, 1000
    neuron.theta.fill_(start)
    current, state = torch.zeros(1, 1), neuron.init_state(1)
    for _ in range(steps):
        neuron(current, state)
    expected = start * -math.expm1(-steps * 0.5 / 1e7)
    assert start - neuron.theta.item() == pytest.approx(expected, rel=0.1)


def test_with_an_infinite_time_constant_it_stays_for_ever() -> None:
    neuron = diehl_cook(tau_theta=math.inf, theta_plus=0.5)
    neuron(full(STRONG, 1, 1), neuron.init_state(1))
    neuron.scan(full(0.0, 200, 1, 1), neuron.init_state(1))
    assert neuron.theta.tolist() == [0.5]


@pytest.mark.parametrize(("above", "fires"), [(0.0, True), (-0.125, False)])
def test_a_neuron_fires_from_the_raised_threshold_on(above: float, fires: bool) -> None:
    neuron = diehl_cook(v_rest=0.0, v_reset=0.0, v_threshold=1.0, tau_mem=1e12)
    neuron.theta.fill_(2.0)
    spikes, _ = neuron(full(0.0, 1, 1), neuron.init_state(1)._replace(v=full(3.5 + above, 1, 1)))
    assert spikes.item() == 1.0
    neuron.theta.fill_(2.5)
    spikes, _ = neuron(full(0.0, 1, 1), neuron.init_state(1)._replace(v=full(3.5 + above, 1, 1) + 1e-6))
    assert bool(spikes.item()) == fires


def test_the_threshold_adds_up_the_spikes_of_all_rows() -> None:
    neuron = diehl_cook(3, tau_theta=math.inf, theta_plus=0.25, one_spike=False)
    current = full(STRONG, 4, 3)
    current[0, :] = current[1, 1] = 0.0
    neuron(current, neuron.init_state(4))
    assert neuron.theta.tolist() == [0.75, 0.5, 0.75]


def test_it_stands_still_in_evaluation_mode() -> None:
    neuron = diehl_cook(2, tau_theta=10.0, one_spike=False)
    neuron.theta.copy_(torch.tensor([0.5, 1.0]))
    neuron.eval()
    spikes, _ = neuron.scan(full(STRONG, 10, 1, 2), neuron.init_state(1))
    assert spikes.sum().item() == 4.0
    assert neuron.theta.tolist() == [0.5, 1.0]


def test_it_belongs_to_the_neuron_and_not_to_the_episode() -> None:
    neuron = diehl_cook(2, tau_theta=math.inf, one_spike=False)
    fresh = neuron.init_state(1)
    _, state = neuron(full(STRONG, 1, 2), fresh)
    reset_rows(state, fresh, torch.tensor([True]))
    neuron.init_state(1)
    assert neuron.theta.tolist() == [0.05, 0.05]


def test_it_is_saved_and_loaded() -> None:
    neuron, other = diehl_cook(2, one_spike=False), diehl_cook(2)
    neuron.scan(full(STRONG, 20, 1, 2), neuron.init_state(1))
    assert list(neuron.state_dict()) == ["theta"]
    other.load_state_dict(neuron.state_dict())
    assert torch.equal(other.theta, neuron.theta)
    assert neuron.theta.min() > 0.1


def test_of_those_that_reach_threshold_the_farthest_above_it_fires_and_the_others_keep_their_potential() -> None:
    neuron = diehl_cook(4, v_rest=0.0, v_reset=0.0, v_threshold=1.0, tau_mem=1e12, t_refractory=0.0)
    neuron.theta.copy_(torch.tensor([0.0, 2.0, 0.0, 0.0]))
    neuron.eval()
    state = neuron.init_state(2)._replace(v=potentials([1.5, 3.25, 1.75, 0.5], [0.0, 2.5, 0.25, 0.5]))
    spikes, state = neuron(full(0.0, 2, 4), state)
    assert spikes.tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]], "of each row one, or none"
    kept = potentials([1.5, 3.25, 0.0, 0.5], [0.0, 2.5, 0.25, 0.5])
    torch.testing.assert_close(state.v, kept, rtol=1e-9, atol=0)
    spikes, state = neuron(full(0.0, 2, 4), state)
    assert spikes.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]], "the next in line fires in the next step"
    spikes, state = neuron(full(0.0, 2, 4), state)
    assert spikes.tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]


def test_one_spike_means_one_of_the_whole_population_of_any_shape() -> None:
    neuron = diehl_cook((2, 3), t_refractory=0.0)
    current = torch.rand(30, 4, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * STRONG
    spikes, _ = neuron.scan(current + STRONG, neuron.init_state(4))
    assert (spikes.flatten(2).sum(2) == 1).all()
    assert len(spikes.flatten(2).sum((0, 1)).unique()) > 1, "not always the same neuron"


def test_a_neuron_in_its_refractory_period_does_not_take_the_spike_of_another() -> None:
    neuron = diehl_cook(2)
    current = potentials([2 * STRONG, STRONG])
    state, fired = neuron.init_state(1), []
    for _ in range(7):
        spikes, state = neuron(current, state)
        fired.append(spikes[0].tolist())
    assert fired == [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0], [1, 0]]


def test_a_refractory_neuron_that_a_soft_reset_left_above_threshold_does_not_silence_the_others() -> None:
    neuron = diehl_cook(2, reset="soft", v_rest=0.0, v_reset=0.0, v_threshold=1.0, tau_mem=1e12, t_refractory=5.0)
    state = neuron.init_state(1)._replace(v=potentials([9.0, 2.0]))
    spikes, _ = neuron.scan(full(0.0, 2, 1, 2), state)
    assert spikes[:, 0].tolist() == [[1, 0], [0, 1]]


def test_without_homeostasis_and_competition_it_is_a_lif() -> None:
    current = torch.randn(200, 2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 100 + 20
    neuron = diehl_cook(5, theta_plus=0.0, one_spike=False)
    plain = LIF(5, tau_mem=100.0, v_rest=-65.0, v_reset=-60.0, v_threshold=-52.0, t_refractory=5.0).double()
    spikes, state = neuron.scan(current, neuron.init_state(2))
    expected, after = plain.scan(current, plain.init_state(2))
    assert expected.sum() > 20
    assert torch.equal(spikes, expected)
    assert torch.equal(state.v, after.v)


def test_the_threshold_settles_where_its_decay_balances_the_spikes() -> None:
    """``theta = rate theta_plus / (1 - decay)`` on average; with more input both rate and threshold are higher."""
    plus, tau = 0.2, 300.0
    neuron = diehl_cook(2, theta_plus=plus, tau_theta=tau, tau_mem=20.0, one_spike=False)
    state, fired, thetas = neuron.init_state(1), [], []
    for _ in range(2500):
        spikes, state = neuron(potentials([20.0, 40.0]), state)
        fired.append(spikes[0])
        thetas.append(neuron.theta.clone())
    rate, theta = torch.stack(fired[1000:]).mean(0), torch.stack(thetas[1000:]).mean(0)
    torch.testing.assert_close(theta, rate * plus / (1 - math.exp(-1 / tau)), rtol=0.02, atol=0)
    assert theta[1] > 1.5 * theta[0] > 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"theta_plus": -0.1}, r"^theta_plus=-0.1: must be at least 0, and finite$"),
        ({"theta_plus": math.nan}, r"^theta_plus=nan: must be at least 0, and finite$"),
        pytest.param({"theta_plus": math.inf}, r"^theta_plus=inf: must be at least 0, and finite$"),
        ({"tau_theta": 0.5}, r"^tau_theta=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_theta": -1.0}, r"^tau_theta=-1.0: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_theta": math.nan}, r"^tau_theta=nan: must be a number of ms that is at least dt \(1.0\)$"),
        ({"tau_mem": 0.5}, r"^tau_mem=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        ({"v_threshold": -60.0}, r"^v_threshold=-60.0: must be above -60.0$"),
        ({"t_refractory": -5.0}, r"^t_refractory=-5.0: must be at least 0 ms$"),
        ({"dt": math.nan}, r"^dt=nan: must be a positive number of ms$"),
        pytest.param({"learnable": ["tau_mem"]}, r"^learnable=tau_mem: nothing here can be learned"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DiehlCook(1, **settings)


def competing(shape: int = 1, **settings: Any) -> DiehlCook:
    """Neurons of which one fires at a time; potentials of half units, whose sums are exact."""
    chosen = {"tau_mem": 1 / math.log(2), "v_rest": 0.0, "v_threshold": 10.0, "v_reset": 0.0, "t_refractory": 0.0}
    return DiehlCook(shape, **{**chosen, "v_inhibited": -48.0, "decay_input": False, **settings})


def test_a_spike_inhibits_the_others_of_its_row() -> None:
    neuron = competing(3)
    spikes, state = neuron(torch.tensor([[20.0, 15.0, 1.0], [2.0, 3.0, 1.0]]), neuron.init_state(2))
    assert spikes.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert state.v.tolist() == [[0.0, -48.0, -48.0], [2.0, 3.0, 1.0]]


@pytest.mark.parametrize("rest", [0.0, -65.0])
def test_the_compiled_competition_fires_the_neurons_that_the_loop_does(rest: float) -> None:
    levels = {"v_rest": rest, "v_threshold": rest + 10.0, "v_reset": rest, "v_inhibited": rest - 48.0}
    neuron = competing(20, **levels).eval()
    draw = torch.Generator().manual_seed(0)
    neuron.theta.copy_(40 * torch.rand(20, generator=draw))
    current = 60 * torch.rand(15, 6, 20, generator=draw)
    spikes, _ = neuron.scan(current, neuron.init_state(6))
    expected = torch.where(spikes.any(2), spikes.argmax(2), -1)
    assert (expected >= 0).any()
    assert torch.equal(compete(current, neuron.theta.float(), neuron.competition(15)), expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"one_spike": False}, "one_spike=false: must be true, for a winner in each step"),
        ({"v_inhibited": None}, "v_inhibited=null: must be a potential, for a winner in each step"),
        ({"t_refractory": 5.0}, "t_refractory=5.0: must be 0, for a winner in each step"),
        ({"decay_input": True}, "decay_input=true: must be false, for a winner in each step"),
        ({"reset": "soft"}, "reset=soft: must be hard, for a winner in each step"),
    ],
)
def test_neurons_that_do_not_compete_for_each_step_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        competing(2, **settings).competition(15)
    assert str(caught.value) == message


def test_thresholds_are_raised_for_a_batch_of_spikes_at_once() -> None:
    neuron = competing(4)
    neuron.adapt_(torch.tensor([0, 2]), torch.tensor([3.0, 1.0]), 0.5)
    assert neuron.theta.tolist() == [1.5, 0.0, 0.5, 0.0]
