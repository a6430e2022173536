from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import LIF
from snnrl.plasticity import Hebbian, Homeostasis, Oja


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def train(steps: int, *times: int) -> Tensor:
    """Spikes of one neuron in a batch of one ``[time, 1, 1]``."""
    spikes = torch.zeros(steps, 1, 1, dtype=torch.float64)
    spikes[list(times)] = 1.0
    return spikes


def single(weight: float) -> Dense:
    return Dense(1, 1, weight=torch.tensor([[weight]], dtype=torch.float64))


@pytest.mark.parametrize(("pre", "post"), [(3, 3), (3, 8), (8, 3)])
def test_hebb_sums_the_product_of_both_traces_over_all_steps(pre: int, post: int) -> None:
    """From the later spike on, both traces decay together: a geometric sum."""
    rate, tau_pre, tau_post, steps = 0.2, 5.0, 9.0, 30
    rule, connection = Hebbian(learning_rate=rate, tau_pre=tau_pre, tau_post=tau_post), single(0.0)
    change, _ = rule(connection, train(steps, pre), train(steps, post), rule.init_state(connection, (1,), (1,), 1))
    later = max(pre, post)
    first = math.exp(-(later - pre) / tau_pre) * math.exp(-(later - post) / tau_post)
    shrink = math.exp(-1 / tau_pre - 1 / tau_post)
    expected = rate * first * (1 - shrink ** (steps - later)) / (1 - shrink)
    assert change.item() == pytest.approx(expected, rel=1e-9)


def test_hebb_never_asks_for_order_and_never_takes_away() -> None:
    rule, connection = Hebbian(tau_pre=7.0, tau_post=7.0), single(0.0)
    start = rule.init_state(connection, (1,), (1,), 1)
    forth, _ = rule(connection, train(20, 4), train(20, 9), start)
    back, _ = rule(connection, train(20, 9), train(20, 4), start)
    assert forth.item() == pytest.approx(back.item(), rel=1e-12)
    assert forth.item() > 0


def test_oja_by_hand_for_two_steps() -> None:
    """``dw = rate * sum of y (x - y w)`` with traces ``x``, ``y`` of one spike each in the first step."""
    rate, weight, decay = 0.1, 0.7, math.exp(-1 / 5.0)
    rule, connection = Oja(learning_rate=rate, tau_pre=5.0, tau_post=5.0), single(weight)
    change, state = rule(connection, train(2, 0), train(2, 0), rule.init_state(connection, (1,), (1,), 1))
    expected = rate * ((1 - weight) + decay * (decay - decay * weight))
    assert change.item() == pytest.approx(expected, rel=1e-12)
    assert state.x_pre.item() == pytest.approx(decay, rel=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_oja_turns_a_linear_neuron_to_the_first_principal_component_with_norm_one(seed: int) -> None:
    """Graded activities of one step each, a batch of 64 draws at a time; variances 4, 1 and 0.25 on rotated axes."""
    draw = seeded(seed)
    axes, _ = torch.linalg.qr(torch.randn(3, 3, generator=draw, dtype=torch.float64))
    spread = torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64)
    connection = Dense(3, 1, weight_std=0.3, generator=draw).double()
    rule = Oja(learning_rate=0.001)
    start = rule.init_state(connection, (3,), (1,), 64)
    for _ in range(400):
        x = torch.randn(1, 64, 3, generator=draw, dtype=torch.float64) * spread @ axes.t()
        change, _ = rule(connection, x, connection(x), start)
        connection.apply_(change)
    learned = connection.weight[0]
    assert learned.norm().item() == pytest.approx(1.0, abs=0.05)
    assert abs(torch.dot(learned, axes[:, 0]).item()) > 0.99


def test_plain_hebb_grows_without_bound_where_oja_does_not() -> None:
    norms = {}
    for kind in (Hebbian, Oja):
        draw, connection = seeded(), Dense(3, 1, weight_mean=0.3).double()
        rule = kind(learning_rate=0.001)
        start = rule.init_state(connection, (3,), (1,), 64)
        for _ in range(200):
            x = torch.randn(1, 64, 3, generator=draw, dtype=torch.float64)
            connection.apply_(rule(connection, x, connection(x), start)[0])
        norms[kind] = connection.weight.norm().item()
    assert norms[Hebbian] > 1000
    assert norms[Oja] == pytest.approx(1.0, abs=0.1)


def test_homeostasis_by_hand_for_one_spike() -> None:
    """The running rate starts at the target and is an exponential mean of ``1000 / dt`` Hz at each spike."""
    target, rate, tau, dt, weight = 20.0, 0.01, 50.0, 0.5, -0.6
    rule, connection = Homeostasis(rate_target=target, learning_rate=rate, tau_rate=tau, dt=dt), single(weight)
    change, state = rule(connection, train(3), train(3, 1), rule.init_state(connection, (1,), (1,), 1))
    decay = math.exp(-dt / tau)
    first = target * decay
    second = first * decay + (1 - decay) * 1000.0 / dt
    third = second * decay
    assert change.item() == pytest.approx(rate * weight * (3 * target - first - second - third), rel=1e-9)
    assert state.rate.item() == pytest.approx(third, rel=1e-12)


def test_homeostasis_scales_all_weights_of_a_neuron_by_one_factor() -> None:
    connection = Dense(5, 3, weight_std=1.0, generator=seeded()).double()
    rule = Homeostasis(rate_target=20.0, learning_rate=1e-4)
    post = (torch.rand(40, 2, 3, generator=seeded(1)) < torch.tensor([0.0, 0.05, 0.5])).double()
    pre = torch.zeros(40, 2, 5, dtype=torch.float64)
    change, _ = rule(connection, pre, post, rule.init_state(connection, (5,), (3,), 2))
    factor = change / connection.weight
    torch.testing.assert_close(factor, factor[:, :1].expand(3, 5), rtol=1e-9, atol=0)
    assert factor[0, 0] > 0 > factor[2, 0], "the silent neuron gains, the busy one loses"


def test_a_neuron_that_fires_at_the_target_keeps_its_weights() -> None:
    """A spike at every step is 1000 Hz at a step of 1 ms."""
    rule, connection = Homeostasis(rate_target=1000.0, learning_rate=1.0), single(0.5)
    change, _ = rule(connection, train(10), train(10, *range(10)), rule.init_state(connection, (1,), (1,), 1))
    assert change.item() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("weight", [0.15, 1.5])
def test_homeostasis_brings_a_population_towards_its_target(weight: float) -> None:
    """From nearly silent and from far too busy neurons to 50 Hz within a factor of 1.5, over 12 s."""
    network = Network()
    network.add("input", 20)
    network.add("output", LIF(5))
    rule = Homeostasis(rate_target=50.0, learning_rate=1e-5, tau_rate=500.0)
    network.connect("input", "output", Dense(20, 5, weight_mean=weight, bounds=(0.0, 5.0)), rule=rule)
    spikes = (torch.rand(1000, 1, 20, generator=seeded(3)) < 0.1).float()

    def rate(state: object = None) -> float:
        recording, _ = network.run({"input": spikes})
        return recording["output"]["spikes"].mean().item() * 1000

    before = network.eval() and rate()
    state = None
    network.train()
    for _ in range(12):
        _, state = network.run({"input": spikes}, state, window=20)
    network.eval()
    assert not 50.0 / 1.5 < before < 50.0 * 1.5
    assert 50.0 / 1.5 < rate() < 50.0 * 1.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Hebbian(tau_pre=0.2), r"^tau_pre=0.2: must be a number of ms that is at least dt \(1.0\)$"),
        (lambda: Hebbian(tau_post=0.2), r"^tau_post=0.2: must be a number of ms"),
        (lambda: Oja(tau_post=math.nan), r"^tau_post=nan: must be a number of ms"),
        (lambda: Hebbian(dt=-1.0), r"^dt=-1.0: must be a positive number of ms$"),
        (lambda: Homeostasis(rate_target=-1.0), r"^rate_target=-1.0: must be at least 0 Hz$"),
        (lambda: Homeostasis(tau_rate=0.2), r"^tau_rate=0.2: must be a number of ms"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
