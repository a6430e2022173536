from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Dense, OneToOne
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.networks.delay import Delay
from snnrl.neurons import LIF

quick = settings(deadline=None, max_examples=30)

STEPS = 16


def relay(shape: int | tuple[int, ...]) -> LIF:
    """Fires in the step in which it gets a current of 1 or more, and in no other."""
    return LIF(shape, tau_mem=1.0, decay_input=False, v_threshold=0.99)


def one_spike(step: int, size: int = 1) -> Tensor:
    """All neurons fire once ``[time, 1, size]``."""
    spikes = torch.zeros(STEPS, 1, size)
    spikes[step] = 1.0
    return spikes


def times(train: Tensor) -> list[list[int]]:
    """When each neuron of the first row fires."""
    return [neuron.nonzero().flatten().tolist() for neuron in train[:, 0].flatten(1).t()]


def line(delay: float | Tensor, size: int = 1, *, dt: float = 1.0) -> Network:
    """From an input to relays, neuron by neuron."""
    network = Network(dt=dt)
    network.add("input", size)
    network.add("output", LIF(size, tau_mem=dt, decay_input=False, v_threshold=0.99, dt=dt))
    network.connect("input", "output", OneToOne(size, weight_mean=1.0), delay=delay)
    return network


def arrival(network: Network, spikes: Tensor, *, stepped: bool, cuts: tuple[int, ...] = ()) -> list[list[int]]:
    """When the output fires, run at once or by steps, and in pieces if it is cut."""
    variables = ("spikes", "v") if stepped else ("spikes",)
    state, trains = None, []
    for first, last in zip((0, *cuts), (*cuts, len(spikes)), strict=True):
        recording, state = network.run({"input": spikes[first:last]}, state, record={"output": variables})
        trains.append(recording["output"]["spikes"])
    return times(torch.cat(trains))


at_once_or_by_steps = pytest.mark.parametrize("stepped", [False, True])


@at_once_or_by_steps
@pytest.mark.parametrize("delay", [0, 1, 2, 7])
def test_a_spike_arrives_after_the_delay_of_its_connection(delay: int, stepped: bool) -> None:
    assert arrival(line(float(delay)), one_spike(3), stepped=stepped) == [[3 + delay]]


@at_once_or_by_steps
def test_a_spike_arrives_after_the_delay_of_its_presynaptic_neuron(stepped: bool) -> None:
    delays = [0.0, 5.0, 1.0, 2.0]
    assert arrival(line(torch.tensor(delays), 4), one_spike(3, 4), stepped=stepped) == [[3], [8], [4], [5]]


@given(
    delays=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    sent=st.integers(0, 8),
    cuts=st.sets(st.integers(1, STEPS - 1), max_size=4),
)
@quick
def test_spikes_under_way_are_carried_from_run_to_run(delays: list[int], sent: int, cuts: set[int]) -> None:
    network = line(torch.tensor(delays, dtype=torch.float32), len(delays))
    got = arrival(network, one_spike(sent, len(delays)), stepped=False, cuts=tuple(sorted(cuts)))
    assert got == [[sent + delay] for delay in delays]


def test_a_spike_that_would_arrive_after_the_run_is_still_under_way() -> None:
    recording, state = line(20.0).run({"input": one_spike(3)})
    assert times(recording["output"]["spikes"]) == [[]]
    assert state.arriving[0].shape == (1, 20, 1)
    assert state.arriving[0].flatten().nonzero().tolist() == [[20 - STEPS + 3]], "the oldest first"


@pytest.mark.parametrize(
    ("delay", "dt", "steps"), [(2.0, 0.5, 4), (1.0, 0.1, 10), (0.4, 1.0, 0), (0.5, 1.0, 1), (2.6, 1.0, 3)]
)
def test_a_delay_is_in_ms_and_rounded_to_whole_steps(delay: float, dt: float, steps: int) -> None:
    assert arrival(line(delay, dt=dt), one_spike(2), stepped=False) == [[2 + steps]]


@pytest.mark.parametrize("stepped", [False, True])
def test_delays_of_an_image_are_given_for_each_pixel(stepped: bool) -> None:
    network = Network()
    network.add("input", (2, 2))
    network.add("output", relay(4))
    delays = torch.tensor([[0.0, 1.0], [4.0, 2.0]])
    network.connect("input", "output", Dense(4, 4, weight=torch.eye(4)), delay=delays)
    spikes = torch.zeros(STEPS, 1, 2, 2)
    spikes[1] = 1.0
    assert arrival(network, spikes, stepped=stepped) == [[1], [2], [5], [3]]


def loop(forth: float | Tensor, back: float | Tensor, size: int = 1) -> Network:
    """Input to ``a``, and ``a`` and ``output`` in a loop."""
    network = Network()
    network.add("input", size)
    network.add("a", relay(size))
    network.add("output", relay(size))
    network.connect("input", "a", OneToOne(size, weight_mean=1.0))
    network.connect("a", "output", OneToOne(size, weight_mean=1.0), delay=forth)
    network.connect("output", "a", OneToOne(size, weight_mean=1.0), delay=back)
    return network


@pytest.mark.parametrize(("forth", "back"), [(0, 0), (1, 1), (0, 3), (4, 2), (2, 0)])
def test_a_spike_goes_round_a_loop_in_the_sum_of_the_delays_of_at_least_one_step_each(forth: int, back: int) -> None:
    first = 2 + max(forth, 1)
    around = max(forth, 1) + max(back, 1)
    expected = list(range(first, STEPS, around))
    assert arrival(loop(float(forth), float(back)), one_spike(2), stepped=False) == [expected]


def test_delays_of_presynaptic_neurons_in_a_loop() -> None:
    network = loop(torch.tensor([0.0, 1.0, 3.0]), torch.tensor([5.0, 0.0, 2.0]), 3)
    rounds = [(1, 6), (1, 2), (3, 5)]
    expected = [list(range(1 + forth, STEPS, around)) for forth, around in rounds]
    assert arrival(network, one_spike(1, 3), stepped=False) == expected


@given(
    forth=st.lists(st.integers(0, 4), min_size=2, max_size=2),
    back=st.lists(st.integers(0, 4), min_size=2, max_size=2),
    cuts=st.sets(st.integers(1, STEPS - 1), max_size=4),
)
@quick
def test_spikes_under_way_in_a_loop_are_carried_from_run_to_run(
    forth: list[int], back: list[int], cuts: set[int]
) -> None:
    network = loop(torch.tensor(forth).float(), torch.tensor(back).float(), 2)
    whole = arrival(network, one_spike(1, 2), stepped=False)
    assert whole[0][0] == 1 + max(forth[0], 1)
    assert arrival(network, one_spike(1, 2), stepped=False, cuts=tuple(sorted(cuts))) == whole


def test_a_neuron_hears_itself_one_step_later() -> None:
    network = Network()
    network.add("input", 1)
    network.add("output", relay(1))
    network.connect("input", "output", Dense(1, 1, weight_mean=1.0))
    network.connect("output", "output", Dense(1, 1, weight_mean=1.0), delay=2.0)
    assert arrival(network, one_spike(3), stepped=False) == [list(range(3, STEPS, 2))]


def test_two_connections_of_one_pair_have_delays_of_their_own() -> None:
    network = line(1.0)
    network.connect("input", "output", OneToOne(1, weight_mean=1.0), delay=4.0)
    assert arrival(network, one_spike(2), stepped=False) == [[3, 6]]


def test_rows_of_a_batch_have_lines_of_their_own() -> None:
    spikes = torch.zeros(STEPS, 3, 1)
    for row in range(3):
        spikes[row, row] = 1.0
    recording, _ = line(4.0).run({"input": spikes})
    assert recording["output"]["spikes"][:, :, 0].nonzero().tolist() == [[4, 0], [5, 1], [6, 2]]


def test_a_delay_is_no_weight_and_is_not_saved() -> None:
    delay = Delay(torch.tensor([1.0, 2.0]), 1.0, (2,))
    assert delay.state_dict() == {}
    assert list(delay.parameters()) == []
    assert delay.longest == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Delay(-0.1, 1.0, (2,)), r"^delay=-0.1: must be at least 0 ms$"),
        (lambda: Delay(math.inf, 1.0, (2,)), r"^delay=inf: must be at least 0 ms$"),
        (lambda: Delay(torch.tensor([1.0, -1.0]), 1.0, (2,)), r"^delay=tensor\(\[ 1., -1.\]\): must be at least 0 ms$"),
        (lambda: Delay(torch.zeros(3), 1.0, (2,)), r"^delay=\[3\]: must be a number or of shape \[2\]$"),
        (lambda: Delay(torch.zeros(2, 1), 1.0, (2,)), r"^delay=\[2, 1\]: must be a number or of shape \[2\]$"),
    ],
)
def test_a_wrong_delay_is_named_with_what_would_be_right(make: Callable[[], Delay], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
