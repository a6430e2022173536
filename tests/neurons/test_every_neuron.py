"""What holds for every neuron model, over one table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.errors import ConfigError
from snnrl.neurons import (
    IF,
    LIF,
    LSNN,
    SRM0,
    AdaptiveLIF,
    CumulativeSRM,
    CurrentLIF,
    DiehlCook,
    EscapeNoise,
    Izhikevich,
    LeakyIntegrator,
    McCullochPitts,
    Neuron,
    SaturatingIF,
    SpikingNeuron,
)
from snnrl.state import reset_rows

quick = settings(deadline=None, max_examples=8)


class Model(NamedTuple):
    """A line of the table: settings with which normal currents of ``mean`` and ``spread`` make the model fire."""

    kind: Callable[..., Any]
    settings: dict[str, Any] = {}  # noqa: RUF012
    mean: float = 0.5
    spread: float = 2.0
    per_neuron: dict[str, tuple[float, float]] = {}  # noqa: RUF012
    """Settings that may differ between neurons, with two values that float32 holds exactly."""
    stochastic: bool = False


LEAKY = {"tau_mem": (5.0, 20.0), "v_threshold": (0.75, 1.25), "v_rest": (0.0, -0.25), "v_reset": (0.25, -2.0)}
LEAKY_BUT_TAU = {name: values for name, values in LEAKY.items() if name != "tau_mem"}
SOFT = {name: values for name, values in LEAKY.items() if name != "v_reset"}
MODELS: dict[str, Model] = {
    "McCullochPitts": Model(McCullochPitts, per_neuron={"v_threshold": (0.5, 1.5)}),
    "IF": Model(IF, spread=0.75, mean=0.25, per_neuron={**LEAKY_BUT_TAU, "v_rest": (0.0, -2.0)}),
    "IF, soft": Model(IF, {"reset": "soft"}, spread=0.75, mean=0.25, per_neuron={"v_threshold": (0.75, 1.25)}),
    "LIF": Model(LIF, {"tau_mem": 5.0}, per_neuron=LEAKY),
    "LIF, soft": Model(LIF, {"tau_mem": 5.0, "reset": "soft"}, per_neuron=SOFT),
    "CurrentLIF": Model(CurrentLIF, {"tau_mem": 5.0}, per_neuron={"tau_syn": (2.0, 8.0), **LEAKY}),
    "AdaptiveLIF": Model(
        AdaptiveLIF,
        {"tau_mem": 5.0, "tau_adaptation": 20.0},
        per_neuron={"tau_adaptation": (10.0, 50.0), "increment": (0.125, 0.5), **LEAKY},
    ),
    "LSNN": Model(
        LSNN,
        {"tau_mem": 5.0, "tau_adaptation": 20.0},
        per_neuron={"tau_adaptation": (10.0, 50.0), "beta": (0.5, 4.0), "tau_mem": (5.0, 20.0)},
    ),
    "DiehlCook": Model(
        DiehlCook, {"one_spike": False}, mean=100.0, spread=400.0, per_neuron={"v_threshold": (-50.0, -55.0)}
    ),
    "DiehlCook, one spike": Model(DiehlCook, mean=100.0, spread=400.0),
    "Izhikevich": Model(
        Izhikevich,
        {"d": 2.0},
        mean=10.0,
        spread=10.0,
        per_neuron={"a": (0.03125, 0.125), "b": (0.1875, 0.25), "c": (-65.0, -55.0), "d": (2.0, 8.0)},
    ),
    "SRM0": Model(SRM0, {"tau_mem": 5.0}, stochastic=True),
    "CumulativeSRM": Model(
        CumulativeSRM,
        {"tau_mem": 3.0},
        spread=0.75,
        per_neuron={"v_threshold": (0.5, 1.5), "tau_refractory": (5.0, 20.0)},
    ),
    "LeakyIntegrator": Model(LeakyIntegrator, {"tau_mem": 5.0}, per_neuron={"tau_mem": (5.0, 20.0)}),
    "EscapeNoise": Model(EscapeNoise, {"v_threshold": 1.0}, stochastic=True),
    "SaturatingIF": Model(SaturatingIF),
}
WITHOUT_TEMPLATE = ("EscapeNoise", "SaturatingIF")
FIRING = [name for name in MODELS if name not in (*WITHOUT_TEMPLATE, "LeakyIntegrator")]
"""Those that charge, fire and are reset."""
TEMPLATE = [*FIRING, "LeakyIntegrator"]
PER_NEURON = [(name, setting) for name, model in MODELS.items() for setting in model.per_neuron]
LEARNABLE = [(name, setting) for name in TEMPLATE for setting in MODELS[name].kind.LEARNABLE]


def every(names: Any = tuple(MODELS)) -> Any:
    return pytest.mark.parametrize("name", names)


def make(name: str, shape: int | tuple[int, ...] = 3, *, seed: int = 0, **overrides: Any) -> Any:
    """A population in float64 and evaluation mode, in which nothing is shared by the rows of a batch."""
    model = MODELS[name]
    generator = {"generator": torch.Generator().manual_seed(seed)} if model.stochastic else {}
    return model.kind(shape, **{**model.settings, **generator, **overrides}).double().eval()


def drive(name: str, *shape: int, seed: int = 0) -> Tensor:
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return MODELS[name].mean + MODELS[name].spread * noise


def volley(name: str) -> Tensor:
    """A current that fires one neuron at every step."""
    return torch.full((1, 1), 500.0 if name == "Izhikevich" else 1e5, dtype=torch.float64)


def equal(first: Any, second: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


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
    spikes, _ = neuron.scan(volley(name).expand(4 * steps + 6, 1, 1), neuron.init_state(1))
    fired = spikes.flatten().nonzero().flatten()
    assert fired[0] <= 1
    assert fired.diff().tolist() == [steps + 1] * (len(fired) - 1)
    assert len(fired) >= 4


@every(FIRING)
def test_the_potential_stands_still_in_the_refractory_period(name: str) -> None:
    neuron = make(name, 1, t_refractory=3.0)
    current, state = volley(name), neuron.init_state(1)
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
