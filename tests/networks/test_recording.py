from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Dense, Lateral
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import LIF, AdaptiveLIF
from snnrl.plasticity import STDP
from snnrl.state import leaves

quick = settings(deadline=None, max_examples=25)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


INPUT = (torch.rand(20, 2, 4, generator=seeded()) < 0.4).float()


def network(*, loop: bool = False, rule: STDP | None = None) -> Network:
    made = Network()
    made.add("input", 4)
    made.add("first", LIF((1, 3), tau_mem=4.0))
    made.add("second", LIF(2, tau_mem=4.0, tau_trace=10.0))
    made.connect("input", "first", Dense(4, 3, weight_mean=0.8, weight_std=0.4, generator=seeded(1)), rule=rule)
    made.connect("first", "second", Dense(3, 2, weight_mean=2.0))
    if loop:
        made.connect("first", "first", Lateral(3, weight_mean=-0.3))
    return made


def recorded(made: Network, **settings: Any) -> dict[str, dict[str, Tensor]]:
    return made.run({"input": INPUT}, **settings)[0]


def test_without_asking_the_spikes_of_all_neurons_are_kept() -> None:
    recording = recorded(network())
    assert {name: list(variables) for name, variables in recording.items()} == {
        "first": ["spikes"],
        "second": ["spikes"],
    }
    assert recording["first"]["spikes"].shape == (20, 2, 1, 3)
    assert recording["second"]["spikes"].shape == (20, 2, 2)


def test_what_is_asked_for_is_kept_and_nothing_else() -> None:
    recording = recorded(network(), record={"second": ("v", "refractory", "trace")})
    assert {name: list(variables) for name, variables in recording.items()} == {"second": ["v", "refractory", "trace"]}
    assert recording["second"]["trace"].shape == (20, 2, 2)


def test_one_variable_may_be_given_without_a_list() -> None:
    assert list(recorded(network(), record={"first": "v"})["first"]) == ["v"]


def test_nothing_may_be_asked_for() -> None:
    assert recorded(network(), record={}) == {}


def test_a_potential_is_recorded_after_each_step() -> None:
    """As one step at a time leaves it in the state."""
    made, state, expected = network(), None, []
    recording = recorded(made, record={"first": ("v",), "second": ("v",)})
    for now in INPUT:
        _, state = made.run({"input": now.unsqueeze(0)}, state)
        expected.append([neuron.v for neuron in state.neurons])
    for position, name in enumerate(("first", "second")):
        torch.testing.assert_close(recording[name]["v"], torch.stack([step[position] for step in expected]))


def test_variables_of_other_models_have_their_own_names() -> None:
    made = Network()
    made.add("output", AdaptiveLIF(2))
    own = made.init_state(1).neurons[0]._fields
    recording, _ = made.run({"output": torch.ones(3, 1, 2)}, record={"output": own})
    assert set(recording["output"]) == set(own)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("variables", [("spikes",), ("spikes", "v")])
@given(every=st.integers(1, 25), window=st.integers(1, 25))
@quick
def test_every_so_many_steps_are_kept_whatever_the_windows(
    loop: bool, variables: Sequence[str], every: int, window: int
) -> None:
    """Of rules that change nothing, so that windows of any length see the same network."""
    wanted = {"first": variables, "second": ("spikes",)}
    still = STDP(a_plus=0.0, a_minus=0.0)
    all_steps = recorded(network(loop=loop, rule=still), record=wanted)
    some = recorded(network(loop=loop, rule=still), record=wanted, record_every=every, window=window)
    for name, kept in some.items():
        for variable, values in kept.items():
            assert values.shape[0] == -(-20 // every)
            torch.testing.assert_close(values, all_steps[name][variable][::every], rtol=1e-5, atol=1e-6)
    assert all_steps["second"]["spikes"].any()


def test_clamped_spikes_are_recorded_as_they_were_held() -> None:
    hold = torch.tensor([True, False])
    recording = recorded(network(), clamp={"second": hold}, unclamp={"second": ~hold})
    assert recording["second"]["spikes"].flatten(0, 1).unique(dim=0).tolist() == [[1.0, 0.0]]


def test_a_recording_that_is_too_large_is_refused_before_the_run_and_its_size_named() -> None:
    """20 steps of 2 rows of 50,000 neurons in float32 are 8 MB."""
    made = Network()
    made.add("output", LIF(50_000))
    inputs = {"output": torch.zeros(20, 2, 50_000)}
    message = r"^record_limit=1000000: must be at least the 8 MB that this needs, or fewer steps by record_every$"
    with pytest.raises(ConfigError, match=message):
        made.run(inputs, record_limit=1_000_000)
    with pytest.raises(ConfigError, match="16 MB"):
        made.run(inputs, record={"output": ("spikes", "v")}, record_limit=1_000_000)
    recording, _ = made.run(inputs, record_limit=8_000_000)
    assert recording["output"]["spikes"].numel() * 4 == 8_000_000
    recording, _ = made.run(inputs, record_limit=1_000_000, record_every=10)
    assert recording["output"]["spikes"].shape[0] == 2


def test_a_recording_in_float64_takes_twice_the_memory() -> None:
    made = network().double()
    with pytest.raises(ConfigError, match=r"^record_limit="):
        made.run({"input": INPUT.double()}, record={"second": ("v",)}, record_limit=20 * 2 * 2 * 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: recorded(network(), record={"secnod": ("v",)}), r"^record=secnod: did you mean second\?$"),
        (
            lambda: recorded(network(), record={"input": ("spikes",)}),
            r"^record=input: there are: first, first to second, input to first, second$",
        ),
        (lambda: recorded(network(), record={"first": ("spike",)}), r"^record.first=spike: did you mean spikes\?$"),
        (
            lambda: recorded(network(), record={"first": ("u",)}),
            r"^record.first=u: there are: refractory, spikes, trace, v$",
        ),
        (lambda: recorded(network(), record_every=0), r"^record_every=0: must be at least 1$"),
    ],
)
def test_what_cannot_be_recorded_is_named_with_what_can(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("learning", [False, True])
@pytest.mark.parametrize("every", [1, 5, 20])
@pytest.mark.parametrize("variables", [("spikes",), ("spikes", "v", "trace")])
def test_what_is_returned_holds_no_memory_but_its_own(variables: Sequence[str], every: int, learning: bool) -> None:
    """A view would keep alive, and save, every step of the window from which it is taken."""
    made = network(rule=STDP()).train(learning)
    made.connect("input", "second", Dense(4, 2), delay=3.0)
    recording, state = made.run({"input": INPUT}, record={"second": variables}, record_every=every, window=10)
    for kept in (*recording["second"].values(), *leaves(state)):
        assert kept.untyped_storage().nbytes() == kept.nbytes


@pytest.mark.parametrize("every", [1, 1000])
def test_while_rules_learn_a_recording_takes_no_more_memory_from_window_to_window(every: int) -> None:
    made = network(rule=STDP())
    continuing: list[int] = []

    def count(*_: object) -> None:
        if (steps := next(clock)) in (20, 70):
            continuing.append(sum(issubclass(type(thing), Tensor) for thing in gc.get_objects()))
        assert steps <= 80

    clock = itertools.count()
    made.neurons["second"].register_forward_hook(count)
    made.run({"input": INPUT.repeat(4, 1, 1)}, record={"first": ("spikes",), "second": ("v",)}, record_every=every)
    assert continuing[1] <= continuing[0] + 3


def test_a_gradient_passes_through_a_recording_of_some_steps() -> None:
    made = Network()
    made.add("output", LIF(2, surrogate="atan"))
    current = torch.ones(9, 1, 2, requires_grad=True)
    for record in ({"output": ("spikes",)}, {"output": ("spikes", "v")}):
        recording, _ = made.run({"output": current}, record=record, record_every=4)
        spikes = recording["output"]["spikes"]
        assert spikes.shape[0] == 3
        (gradient,) = torch.autograd.grad(spikes[1].sum(), current)
        assert gradient[:5].all()
        assert not gradient[5:].any()


def test_the_limit_counts_variables_that_are_wider_than_the_potential() -> None:
    network = Network()
    network.add("neurons", LIF(100, t_refractory=2.0).bfloat16())
    current = torch.ones(100, 1, 100)
    with pytest.raises(ConfigError, match="record_limit"):
        network.run({"neurons": current}, record={"neurons": ("refractory",)}, record_limit=20_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"record": ["first"]},
        {"record": {"first": None}},
        {"record_every": 2.5},
        {"record_every": None},
        {"record_limit": None},
        {"record_limit": "1 GB"},
        {"modulator": 1.0},
    ],
    ids=str,
)
def test_what_cannot_be_recorded_or_modulate_is_refused_in_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^{next(iter(wrong))}="):
        network().run({"input": INPUT}, **wrong)


def test_weights_are_those_with_which_a_step_was_run() -> None:
    key, made, state = "input to first", network(rule=STDP()), None
    recording = recorded(made, record={key: ("weight",), "first": ("spikes",)}, window=5)
    assert recording[key]["weight"].shape == (20, 3, 4)
    other = network(rule=STDP())
    for first in range(0, 20, 5):
        kept = recording[key]["weight"][first : first + 5]
        assert all(torch.equal(now, other.connection(other.edges[0]).weight) for now in kept)
        _, state = other.run({"input": INPUT[first : first + 5]}, state, window=5)
    assert not torch.equal(recording[key]["weight"][0], recording[key]["weight"][-1])


@pytest.mark.parametrize("every", [1, 3, 7, 20])
def test_weights_are_recorded_by_the_same_stride(every: int) -> None:
    key = "input to first"
    whole, some = (
        recorded(network(rule=STDP()), record={key: "weight"}, window=2, record_every=each) for each in (1, every)
    )
    assert torch.equal(some[key]["weight"], whole[key]["weight"][::every])


def test_weights_that_a_recording_holds_stay_as_they_were() -> None:
    made = network()
    held = recorded(made, record={"input to first": "weight"})["input to first"]["weight"].clone()
    before = recorded(made, record={"input to first": "weight"})["input to first"]["weight"]
    made.connection(made.edges[0]).weight.data.add_(1.0)
    assert torch.equal(before, held)


def test_connections_have_weights_and_nothing_else_to_record() -> None:
    made = network(loop=True)
    with pytest.raises(ConfigError, match=r"^record.input to first=v: there are: weight$"):
        recorded(made, record={"input to first": ("v",)})
    with pytest.raises(ConfigError, match=r"^record=input to frist: did you mean input to first"):
        recorded(made, record={"input to frist": ("weight",)})
    with pytest.raises(ConfigError, match=r"^record_limit=100: must be at least"):
        recorded(made, record={"input to first": ("weight",)}, record_limit=100)
