"""What holds for every neuron model, over one table."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snnrl.errors import ConfigError
from snnrl.neurons import (
    Neuron,
    SpikingNeuron,
)
from snnrl.state import reset_rows
from tests.neurons.every_neuron import (
    FIRING,
    MODELS,
    TEMPLATE,
    WITHOUT_TEMPLATE,
    drive,
    equal,
    every,
    make,
    strong_current,
)

quick = settings(deadline=None, max_examples=8)


@every()
def test_the_table_makes_each_model_fire_now_and_then(name: str) -> None:
    neuron = make(name)
    spikes, _ = neuron.scan(drive(name, 60, 4, 3), neuron.init_state(4))
    if name == "LeakyIntegrator":
        assert spikes.std() > 0.1
    else:
        assert set(spikes.unique().tolist()) == {0.0, 1.0}
        assert 0.01 < spikes.mean() < 0.8


@every()
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_window_equals_its_steps(name: str, dtype: torch.dtype) -> None:
    common = {} if name in (*WITHOUT_TEMPLATE, "LeakyIntegrator") else {"tau_trace": 7.0}
    current = drive(name, 70, 4, 2, 3).to(dtype)
    neuron, looped = (make(name, (2, 3), **common).to(dtype) for _ in range(2))
    spikes, state = neuron.scan(current, neuron.init_state(4))
    expected, after = Neuron.scan(looped, current, looped.init_state(4))
    if name == "LeakyIntegrator":
        torch.testing.assert_close(spikes, expected, rtol=1e-5, atol=1e-5)
    else:
        assert torch.equal(spikes, expected)
    for leaf, other in zip(state, after, strict=True):
        torch.testing.assert_close(leaf, other, rtol=1e-5, atol=1e-5)
        assert leaf.dtype == dtype


@every([name for name, model in MODELS.items() if not model.stochastic])
@given(seed=st.integers(0, 1000))
@quick
def test_a_batch_equals_its_rows_one_by_one(name: str, seed: int) -> None:
    neuron, current = make(name), drive(name, 30, 3, 3, seed=seed)
    together, state = neuron.scan(current, neuron.init_state(3))
    for row in range(3):
        alone, after = neuron.scan(current[:, row : row + 1], neuron.init_state(1))
        if name == "LeakyIntegrator":
            torch.testing.assert_close(together[:, row], alone[:, 0], rtol=1e-12, atol=1e-12)
        else:
            assert torch.equal(together[:, row], alone[:, 0])
        torch.testing.assert_close(state[0][row], after[0][0], rtol=1e-12, atol=1e-12)


@every()
@given(row=st.integers(0, 2), seed=st.integers(0, 1000))
@quick
def test_the_input_of_one_row_does_not_reach_the_others(name: str, row: int, seed: int) -> None:
    """Holds for stochastic models too: equal generators draw for a batch of one size."""
    current = drive(name, 20, 3, 3, seed=seed)
    neuron, other = make(name, seed=seed), make(name, seed=seed)
    before, _ = neuron.scan(current, neuron.init_state(3))
    current[:, row] = drive(name, 20, 3, seed=seed + 1) * 2
    after, _ = other.scan(current, other.init_state(3))
    others = [index for index in range(3) if index != row]
    torch.testing.assert_close(before[:, others], after[:, others], rtol=0, atol=1e-12)


@every()
@given(rows=st.lists(st.booleans(), min_size=3, max_size=3), seed=st.integers(0, 1000))
@quick
def test_reset_rows_start_over_and_the_others_go_on(name: str, rows: list[bool], seed: int) -> None:
    neuron, reset = make(name), torch.tensor(rows)
    current, fresh = drive(name, 24, 3, 3, seed=seed), neuron.init_state(3)
    _, middle = neuron.scan(current[:12], fresh)
    state = reset_rows(middle, fresh, reset)
    for leaf, old, new in zip(state, middle, fresh, strict=True):
        assert torch.equal(leaf[~reset], old[~reset])
        assert torch.equal(leaf[reset], new[reset])
    if not MODELS[name].stochastic:
        after, _ = neuron.scan(current[12:], state)
        over, _ = neuron.scan(current[12:], fresh)
        on, _ = neuron.scan(current[12:], middle)
        expected = torch.where(reset[:, None], over, on)
        torch.testing.assert_close(after, expected, rtol=0, atol=1e-12)


@every()
def test_a_step_and_a_window_leave_current_and_state_as_they_were(name: str) -> None:
    neuron = make(name).float()
    current, state = drive(name, 30, 2, 3).float(), neuron.init_state(2)
    _, state = neuron.scan(current, state)
    kept, given_current = [leaf.clone() for leaf in state], current.clone()
    neuron(current[0], state)
    neuron.scan(current, state)
    assert equal(state, kept)
    assert torch.equal(current, given_current)


@every([name for name in MODELS if name != "LeakyIntegrator"])  # whose output is its state
def test_spikes_may_take_the_place_of_the_current_and_are_the_same(name: str) -> None:
    """Over 300 steps, of which a kernel takes 128 at a time."""
    current = drive(name, 300, 2, 3).float()
    neuron, other = make(name).float(), make(name).float()
    expected, after = other.scan(current, other.init_state(2))
    spikes, state = neuron.scan(current.clone(), neuron.init_state(2), reuse=True)
    assert torch.equal(spikes, expected)
    assert equal(state, after)
    spikes.fill_(9.0)
    assert equal(state, after), "what comes back of the state is not the memory of the spikes"


@every(FIRING)
@pytest.mark.parametrize(("t_refractory", "steps"), [(0.0, 0), (1.0, 1), (2.4, 2), (2.5, 3), (5.0, 5)])
def test_a_refractory_period_silences_for_its_number_of_steps(name: str, t_refractory: float, steps: int) -> None:
    """Under a current that would fire the neuron at every step."""
    neuron = make(name, 1, t_refractory=t_refractory)
    assert neuron.refractory_steps == steps
    spikes, _ = neuron.scan(strong_current(name).expand(4 * steps + 6, 1, 1), neuron.init_state(1))
    fired = spikes.flatten().nonzero().flatten()
    assert fired[0] <= 1
    assert fired.diff().tolist() == [steps + 1] * (len(fired) - 1)
    assert len(fired) >= 4


@every(FIRING)
def test_the_potential_stands_still_in_the_refractory_period(name: str) -> None:
    neuron = make(name, 1, t_refractory=3.0)
    current, state = strong_current(name), neuron.init_state(1)
    spikes = torch.zeros(1, 1)
    while not spikes.item():
        spikes, state = neuron(current, state)
    for waiting in (3.0, 2.0, 1.0):
        assert state.refractory.item() == waiting
        held = state.v
        spikes, state = neuron(current, state)
        assert not spikes.any()
        assert torch.equal(state.v, held)
    spikes, _ = neuron(current, state)
    assert spikes.item() == 1.0


@every(FIRING)
def test_the_trace_is_the_exponential_sum_of_the_neurons_own_spikes(name: str) -> None:
    tau, dt = 6.0, 0.5
    neuron = make(name, 1, tau_trace=tau, dt=dt)
    spikes, state = neuron.scan(drive(name, 90, 1, 1) * 2, neuron.init_state(1))
    fired = spikes.flatten().nonzero().flatten().tolist()
    assert len(fired) >= 2
    expected = sum(math.exp(-(89 - step) * dt / tau) for step in fired)
    assert state.trace.item() == pytest.approx(expected, rel=1e-9)


@every(FIRING)
def test_without_a_time_constant_the_trace_is_empty(name: str) -> None:
    neuron = make(name, (2, 3))
    state = neuron.init_state(4)
    assert state.trace.shape == (4, 0)
    _, state = neuron(drive(name, 4, 2, 3), state)
    assert state.trace.shape == (4, 0)
    _, state = neuron.scan(drive(name, 5, 4, 2, 3), state)
    assert state.trace.shape == (4, 0)


@every()
def test_double_converts_all_there_is(name: str) -> None:
    common: dict[str, Any] = {} if name in (*WITHOUT_TEMPLATE, "LeakyIntegrator") else {"tau_trace": 7.0}
    common |= {setting: torch.tensor([value] * 3) for setting, (value, _) in MODELS[name].per_neuron.items()}
    neuron = make(name, **common)
    state = neuron.init_state(2)
    assert {leaf.dtype for leaf in state} == {torch.float64}
    spikes, state = neuron.scan(drive(name, 5, 2, 3), state)
    assert spikes.dtype == torch.float64
    assert {leaf.dtype for leaf in state} == {torch.float64}


@every()
def test_a_population_made_anew_and_loaded_goes_on_as_the_saved_one(name: str) -> None:
    learnable = {"learnable": list(MODELS[name].kind.LEARNABLE)} if name in TEMPLATE else {}
    neuron, other = make(name, **learnable), make(name, **learnable)
    with torch.no_grad():
        for parameter in neuron.parameters():
            parameter.mul_(1.25)
    neuron.train().scan(drive(name, 40, 2, 3), neuron.init_state(2))
    neuron.eval()
    other.load_state_dict(neuron.state_dict())
    assert set(neuron.state_dict()) == {*learnable.get("learnable", []), *(["theta"] if "Diehl" in name else [])}
    if not MODELS[name].stochastic:
        current = drive(name, 40, 2, 3, seed=1)
        spikes, _ = neuron.scan(current, neuron.init_state(2))
        expected, _ = other.scan(current, other.init_state(2))
        assert torch.equal(spikes, expected)


@every(TEMPLATE)
def test_a_setting_that_cannot_be_learned_is_refused_with_those_that_can(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^learnable=dt: "):
        make(name, learnable=["dt"])


@every()
@pytest.mark.parametrize("shape", [0, (3, 0), ()])
def test_a_population_without_neurons_is_refused(name: str, shape: int | tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"^shape=\(.*\): must be positive sizes$"):
        make(name, shape)


def test_the_table_holds_every_model() -> None:
    import snnrl.neurons as package

    models = {
        value
        for value in vars(package).values()
        if isinstance(value, type) and issubclass(value, Neuron) and value not in (Neuron, SpikingNeuron)
    }
    assert models == {model.kind for model in MODELS.values()}
