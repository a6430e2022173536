from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snnrl.connections import Dense
from snnrl.errors import ConfigError
from snnrl.plasticity import STDP, Rule, TripletSTDP, WeightDependentSTDP

quick = settings(deadline=None, max_examples=30)


def assert_equal(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


def change(rule: Rule[Any], pre: Tensor, post: Tensor, connection: Dense | None = None) -> Tensor:
    """The change ``[post, pre]`` of spikes ``[time, neurons]`` of either side."""
    connection = Dense(pre.shape[1], post.shape[1]).double() if connection is None else connection
    state = rule.init_state(connection, (pre.shape[1],), (post.shape[1],), 1)
    return rule(connection, pre.unsqueeze(1), post.unsqueeze(1), state)[0]


def train(steps: int, *times: int) -> Tensor:
    """Spikes of one neuron ``[time, 1]``."""
    spikes = torch.zeros(steps, 1, dtype=torch.float64)
    spikes[list(times)] = 1.0
    return spikes


def random_train(steps: int, density: float, seed: int, neurons: int = 1) -> Tensor:
    draw = torch.rand(steps, neurons, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (draw < density).double()


@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_the_window_of_stdp_is_two_exponentials(dt: float) -> None:
    """One presynaptic neuron for each lag of -30 .. 30 ms; a lag of 0 counts as pre before post."""
    a_plus, a_minus, tau_pre, tau_post = 0.03, 0.02, 11.0, 17.0
    rule = STDP(a_plus=a_plus, a_minus=a_minus, tau_pre=tau_pre, tau_post=tau_post, dt=dt)
    lags, middle = range(-30, 31), round(30 / dt)
    pre = torch.zeros(2 * middle + 1, len(lags), dtype=torch.float64)
    for neuron, lag in enumerate(lags):
        pre[middle - round(lag / dt), neuron] = 1.0
    expected = [a_plus * math.exp(-lag / tau_pre) if lag >= 0 else -a_minus * math.exp(lag / tau_post) for lag in lags]
    got = change(rule, pre, train(2 * middle + 1, middle))
    assert_equal(got[0], torch.tensor(expected, dtype=torch.float64))


@given(seed=st.integers(0, 1000), density=st.sampled_from([0.05, 0.3, 1.0]))
@quick
def test_all_pairs_of_spikes_count(seed: int, density: float) -> None:
    steps, tau_pre, tau_post = 25, 6.0, 9.0
    pre, post = random_train(steps, density, seed), random_train(steps, density, seed + 1)
    expected = 0.0
    for i in pre[:, 0].nonzero().flatten().tolist():
        for j in post[:, 0].nonzero().flatten().tolist():
            expected += 0.5 * math.exp(-(j - i) / tau_pre) if j >= i else -0.4 * math.exp(-(i - j) / tau_post)
    got = change(STDP(a_plus=0.5, a_minus=0.4, tau_pre=tau_pre, tau_post=tau_post), pre, post)
    assert got.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def pfister_gerstner(pre: Tensor, post: Tensor, p: dict[str, float]) -> float:
    """Eq. 2 to 4 of Pfister & Gerstner (2006), event by event: each detector decays from one spike to the next.

    Detectors r1, r2 of presynaptic and o1, o2 of postsynaptic spikes; r2 and o2 are read before the spike's own rise.
    Of spikes at the same time the presynaptic one comes first.
    """
    events = [(time, 0) for time in pre[:, 0].nonzero().flatten().tolist()]
    events += [(time, 1) for time in post[:, 0].nonzero().flatten().tolist()]
    r1 = r2 = o1 = o2 = weight = 0.0
    last = 0
    for time, is_post in sorted(events):
        gap, last = time - last, time
        r1, r2 = r1 * math.exp(-gap / p["tau_pre"]), r2 * math.exp(-gap / p["tau_pre_slow"])
        o1, o2 = o1 * math.exp(-gap / p["tau_post"]), o2 * math.exp(-gap / p["tau_post_slow"])
        if is_post:
            weight += r1 * (p["a2_plus"] + p["a3_plus"] * o2)
            o1, o2 = o1 + 1, o2 + 1
        else:
            weight -= o1 * (p["a2_minus"] + p["a3_minus"] * r2)
            r1, r2 = r1 + 1, r2 + 1
    return weight


TRIPLET = {
    "a2_plus": 0.005,
    "a3_plus": 0.0062,
    "a2_minus": 0.007,
    "a3_minus": 0.0023,
    "tau_pre": 16.8,
    "tau_post": 33.7,
    "tau_pre_slow": 101.0,
    "tau_post_slow": 125.0,
}


@given(seed=st.integers(0, 1000), density=st.sampled_from([0.02, 0.2, 0.6, 1.0]))
@quick
def test_triplets_are_those_of_pfister_and_gerstner(seed: int, density: float) -> None:
    pre, post = random_train(80, density, seed), random_train(80, density, seed + 1)
    expected = pfister_gerstner(pre, post, TRIPLET)
    assert change(TripletSTDP(**TRIPLET), pre, post).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("pre", "post", "expected"),
    [
        ([10], [15], lambda e: 0.005 * e(5 / 16.8)),
        ([15], [10], lambda e: -0.007 * e(5 / 33.7)),
        ([10], [10], lambda e: 0.005),
        # post-pre-post: a depressing pair, a potentiating pair, a triplet
        ([12], [10, 15], lambda e: -0.007 * e(2 / 33.7) + e(3 / 16.8) * (0.005 + 0.0062 * e(5 / 125.0))),
        # pre-post-pre
        ([10, 15], [12], lambda e: 0.005 * e(2 / 16.8) - e(3 / 33.7) * (0.007 + 0.0023 * e(5 / 101.0))),
    ],
)
def test_few_spikes_by_hand(pre: list[int], post: list[int], expected: Callable[[Any], float]) -> None:
    got = change(TripletSTDP(**TRIPLET), train(20, *pre), train(20, *post))
    assert got.item() == pytest.approx(expected(lambda x: math.exp(-x)), rel=1e-12)


def test_without_triplet_terms_it_is_pair_stdp() -> None:
    triplet = TripletSTDP(a2_plus=0.3, a3_plus=0.0, a2_minus=0.2, a3_minus=0.0, tau_pre=7.0, tau_post=12.0)
    pair = STDP(a_plus=0.3, a_minus=0.2, tau_pre=7.0, tau_post=12.0)
    pre, post = random_train(50, 0.3, 1, neurons=4), random_train(50, 0.3, 2, neurons=3)
    assert_equal(change(triplet, pre, post), change(pair, pre, post))


def test_the_defaults_potentiate_at_high_pairing_frequency_whatever_the_order() -> None:
    """What pairs cannot do (Sjöström, Turrigiano & Nelson 2001): post before pre depresses at 10 Hz, not at 50 Hz."""

    def sixty_pairs(frequency: float, lag: int) -> float:
        period = round(1000 / frequency)
        steps = 60 * period + 40
        pre = train(steps, *(20 + pair * period for pair in range(60)))
        return change(TripletSTDP(), pre, pre.roll(lag, 0)).item()

    assert sixty_pairs(10.0, -10) < -0.2
    assert sixty_pairs(50.0, -10) > 0.2
    assert abs(sixty_pairs(1.0, 10)) < 0.05
    assert sixty_pairs(50.0, 10) > 0.3


def bounded(weight: float, low: float = -1.0, high: float = 2.0) -> Dense:
    return Dense(1, 1, weight=torch.tensor([[weight]], dtype=torch.float64), bounds=(low, high))


@pytest.mark.parametrize("weight", [-1.0, 0.3, 2.0])
def test_without_an_exponent_the_weight_does_not_matter(weight: float) -> None:
    settings = {"a_plus": 0.3, "a_minus": 0.2, "tau_pre": 7.0, "tau_post": 12.0}
    pre, post = random_train(50, 0.3, 1), random_train(50, 0.3, 2)
    assert_equal(
        change(WeightDependentSTDP(mu=0.0, **settings), pre, post, bounded(weight)), change(STDP(**settings), pre, post)
    )


@pytest.mark.parametrize("mu", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("weight", [-1.0, 0.3, 2.0])
def test_room_to_the_bound_scales_either_order(mu: float, weight: float) -> None:
    rule = WeightDependentSTDP(mu=mu, a_plus=0.3, a_minus=0.2, tau_pre=7.0, tau_post=12.0)
    rise = change(rule, train(20, 5), train(20, 8), bounded(weight)).item()
    fall = change(rule, train(20, 8), train(20, 5), bounded(weight)).item()
    assert rise == pytest.approx(0.3 * (2.0 - weight) ** mu * math.exp(-3 / 7.0), rel=1e-12)
    assert fall == pytest.approx(-0.2 * (weight + 1.0) ** mu * math.exp(-3 / 12.0), rel=1e-12)


@pytest.mark.parametrize("start", [0.0, 0.5, 1.0])
def test_a_multiplicative_weight_settles_where_rise_and_fall_are_equal(start: float) -> None:
    """``a_plus (1 - w) R = a_minus w F`` for bounds (0, 1), with ``R`` and ``F`` the pairs of either order."""
    rule = WeightDependentSTDP(a_plus=0.02, a_minus=0.01, tau_pre=10.0, tau_post=10.0)
    connection = bounded(start, 0.0, 1.0)
    pre, post = train(12, 2, 9), train(12, 5)
    for _ in range(1000):
        connection.apply_(change(rule, pre, post, connection))
    rise, fall = 0.02 * math.exp(-3 / 10), 0.01 * math.exp(-4 / 10)
    assert connection.weight.item() == pytest.approx(rise / (rise + fall), rel=1e-6)


def test_soft_bounds_are_approached_and_hard_ones_are_hit() -> None:
    pre, post = train(12, 2), train(12, 5)
    soft, hard = bounded(0.0, 0.0, 1.0), bounded(0.0, 0.0, 1.0)
    for _ in range(40):
        soft.apply_(change(WeightDependentSTDP(a_plus=0.1), pre, post, soft))
        hard.apply_(change(STDP(a_plus=0.1), pre, post, hard))
    assert 0.9 < soft.weight.item() < 1.0
    assert hard.weight.item() == 1.0


@pytest.mark.parametrize("bounds", [(-math.inf, 1.0), (0.0, math.inf), (-math.inf, math.inf)])
def test_a_weight_dependence_without_finite_bounds_is_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match=r"^bounds=\(.*inf.*\): must be finite$"):
        WeightDependentSTDP().init_state(Dense(1, 1, bounds=bounds), (1,), (1,), 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: STDP(tau_pre=0.5), r"^tau_pre=0.5: must be a number of ms that is at least dt \(1.0\)$"),
        (lambda: STDP(tau_post=math.inf), r"^tau_post=inf: must be a number of ms"),
        (lambda: STDP(dt=0.0), r"^dt=0.0: must be a positive number of ms$"),
        (lambda: WeightDependentSTDP(mu=-0.1), r"^mu=-0.1: must be at least 0$"),
        (lambda: WeightDependentSTDP(mu=math.nan), r"^mu=nan: must be at least 0$"),
        (lambda: WeightDependentSTDP(tau_post=0.1), r"^tau_post=0.1: must be a number of ms"),
        (lambda: TripletSTDP(tau_pre=0.1), r"^tau_pre=0.1: must be a number of ms"),
        (lambda: TripletSTDP(tau_post=0.1), r"^tau_post=0.1: must be a number of ms"),
        (lambda: TripletSTDP(tau_pre_slow=0.1), r"^tau_pre_slow=0.1: must be a number of ms"),
        (lambda: TripletSTDP(tau_post_slow=-1.0), r"^tau_post_slow=-1.0: must be a number of ms"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
