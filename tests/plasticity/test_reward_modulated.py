from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.errors import ConfigError
from snnrl.networks import Network
from snnrl.neurons import SRM0, EscapeNoise
from snnrl.plasticity import MSTDP, MSTDPET, STDP, TDSTDP, MovingAverage, Rmax, Rule, Shuffler, ThirdFactor

A_PLUS, A_MINUS, TAU_PRE, TAU_POST, TAU_E = 0.3, 0.2, 7.0, 11.0, 25.0
PAIRS = {"a_plus": A_PLUS, "a_minus": A_MINUS, "tau_pre": TAU_PRE, "tau_post": TAU_POST}
STEPS = 40


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def series(values: dict[int, float]) -> Tensor:
    """``[time]``, zero but at the steps given."""
    whole = torch.zeros(STEPS, dtype=torch.float64)
    for step, value in values.items():
        whole[step] = value
    return whole


def change(rule: Rule[Any], pre: int, post: int, reward: dict[int, float]) -> float:
    """What one presynaptic and one postsynaptic spike and the reward of some steps do to one weight."""
    connection = Dense(1, 1).double()
    told = rule(
        connection,
        series({pre: 1.0}).view(-1, 1, 1),
        series({post: 1.0}).view(-1, 1, 1),
        rule.init_state(connection, (1,), (1,), 1),
        ThirdFactor(series(reward).view(-1, 1)),
    )
    return told[0].item()


def pair(pre: int, post: int) -> float:
    """What STDP makes of the pair."""
    lag = post - pre
    return A_PLUS * math.exp(-lag / TAU_PRE) if lag >= 0 else -A_MINUS * math.exp(lag / TAU_POST)


every_pair = pytest.mark.parametrize(("pre", "post"), [(10, 10), (10, 14), (14, 10)])


@every_pair
def test_mstdp_takes_reward_at_the_step_that_closes_the_pair_and_at_no_other(pre: int, post: int) -> None:
    closed = max(pre, post)
    assert change(MSTDP(**PAIRS), pre, post, {closed: 2.5}) == pytest.approx(2.5 * pair(pre, post), rel=1e-9)
    others = {step: 1.0 for step in range(STEPS) if step != closed}
    assert change(MSTDP(**PAIRS), pre, post, others) == 0.0


def test_mstdp_under_constant_reward_is_stdp_and_under_punishment_its_opposite() -> None:
    connection = Dense(4, 3).double()
    pre, post = ((torch.rand(STEPS, 2, n, generator=seeded(n)) < 0.3).double() for n in (4, 3))
    plain, rewarded = STDP(**PAIRS), MSTDP(**PAIRS)
    expected, _ = plain(connection, pre, post, plain.init_state(connection, (4,), (3,), 2))
    for reward in (1.0, -1.0, 0.5):
        told = torch.full((STEPS, 2), reward, dtype=torch.float64)
        got, _ = rewarded(connection, pre, post, rewarded.init_state(connection, (4,), (3,), 2), ThirdFactor(told))
        torch.testing.assert_close(got, reward * expected, rtol=1e-9, atol=1e-12)


@every_pair
@pytest.mark.parametrize("delay", [0, 1, 20])
def test_mstdpet_pays_a_pair_by_the_reward_that_comes_later(pre: int, post: int, delay: int) -> None:
    closed = max(pre, post)
    got = change(MSTDPET(tau_eligibility=TAU_E, **PAIRS), pre, post, {closed + delay: 2.5})
    assert got == pytest.approx(2.5 * pair(pre, post) * math.exp(-delay / TAU_E), rel=1e-9)


@every_pair
def test_mstdpet_gives_nothing_for_reward_that_came_before(pre: int, post: int) -> None:
    before = dict.fromkeys(range(max(pre, post)), 1.0)
    assert change(MSTDPET(**PAIRS), pre, post, before) == 0.0


def test_rewards_of_several_steps_add_up() -> None:
    got = change(MSTDPET(tau_eligibility=TAU_E, **PAIRS), 10, 14, {14: 1.0, 20: -3.0, 39: 0.5})
    earned = 1.0 - 3.0 * math.exp(-6 / TAU_E) + 0.5 * math.exp(-25 / TAU_E)
    assert got == pytest.approx(pair(10, 14) * earned, rel=1e-9)


def test_eligibility_decays_between_windows_as_within() -> None:
    rule, connection = MSTDPET(tau_eligibility=TAU_E, **PAIRS), Dense(1, 1).double()
    state = rule.init_state(connection, (1,), (1,), 1)
    one, none = torch.ones(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, 1, dtype=torch.float64)
    _, state = rule(connection, one, one, state, ThirdFactor(none[0]))
    for step in range(1, 4):
        assert state.eligibility.item() == pytest.approx(A_PLUS * math.exp(-step / TAU_E), rel=1e-9)
        _, state = rule(connection, none, none, state, ThirdFactor(none[0]))


@pytest.mark.parametrize("dt", [0.5, 1.0])
def test_time_constants_are_in_ms_whatever_the_step(dt: float) -> None:
    rule = MSTDPET(tau_eligibility=TAU_E, **PAIRS, dt=dt)
    got = change(rule, 5, 5 + round(3 / dt), {5 + round(8 / dt): 1.0})
    assert got == pytest.approx(A_PLUS * math.exp(-3 / TAU_PRE) * math.exp(-5 / TAU_E), rel=1e-9)


def test_td_stdp_knows_pre_before_post_alone() -> None:
    rule = TDSTDP(tau_eligibility=TAU_E, a_plus=A_PLUS, tau_pre=TAU_PRE)
    assert change(rule, 10, 14, {20: -2.0}) == pytest.approx(-2.0 * pair(10, 14) * math.exp(-6 / TAU_E), rel=1e-9)
    assert change(rule, 10, 10, {10: 1.0}) == pytest.approx(A_PLUS, rel=1e-9)
    assert change(rule, 14, 10, dict.fromkeys(range(STEPS), 1.0)) == 0.0


def test_every_row_is_paid_for_its_own_pairs() -> None:
    connection = Dense(1, 1).double()
    rule = MSTDPET(**PAIRS)
    spikes = torch.zeros(3, 2, 1, dtype=torch.float64)
    spikes[0, 0] = 1.0
    for reward, expected in (([1.0, 0.0], A_PLUS), ([0.0, 1.0], 0.0)):
        told = torch.zeros(3, 2, dtype=torch.float64)
        told[0] = torch.tensor(reward)
        got, _ = rule(connection, spikes, spikes, rule.init_state(connection, (1,), (1,), 2), ThirdFactor(told))
        assert got.item() == pytest.approx(expected, rel=1e-12)


def test_rmax_by_hand() -> None:
    """``dw = rate r score x_pre``, of one presynaptic spike, a score 3 steps later and a reward 5 steps after that."""
    rule, connection = Rmax(learning_rate=0.1, tau_mem=8.0, tau_eligibility=30.0), Dense(1, 1).double()
    pre, score, told = (series(values) for values in ({4: 1.0}, {7: -0.6}, {12: 2.0}))
    start = rule.init_state(connection, (1,), (1,), 1)
    got, _ = rule(connection, pre.view(-1, 1, 1), score.view(-1, 1, 1), start, ThirdFactor(told.view(-1, 1)))
    assert got.item() == pytest.approx(0.1 * 2.0 * -0.6 * math.exp(-3 / 8.0) * math.exp(-5 / 30.0), rel=1e-9)


# R-max. One neuron, 2 inputs, 3 steps: 8 spike trains, whose probabilities are computed here in plain Python.

INPUT = [[1, 0], [1, 1], [0, 1]]
TRAINS = list(itertools.product([0, 1], repeat=3))
FOREVER = 1e12


def reward(train: tuple[int, ...]) -> float:
    """Something without symmetry: late spikes are good, three are not."""
    return (0.3, 1.0, -0.7, 2.0, 0.1, 0.4, 1.1, -1.5)[TRAINS.index(train)]


def srm0_probability(weight: list[float], train: tuple[int, ...]) -> float:
    """The probability of a spike train: ``v = h + eta``, rate ``0.1 exp((v - 1) / 0.5)`` per ms."""
    h = eta = 0.0
    product = 1.0
    for spikes, fired in zip(INPUT, train, strict=True):
        h = h * math.exp(-1 / 10.0) + sum(w * s for w, s in zip(weight, spikes, strict=True))
        eta *= math.exp(-1 / 4.0)
        silent = math.exp(-0.1 * math.exp((h + eta - 1.0) / 0.5))
        product *= 1 - silent if fired else silent
        eta = -2.0 if fired else eta
    return product


def escape_probability(weight: list[float], train: tuple[int, ...]) -> float:
    """The probability of a spike train: ``0.5 sigmoid((u - 2) / 0.5)`` at each step, no reset."""
    u, product = 0.0, 1.0
    for spikes, fired in zip(INPUT, train, strict=True):
        u = u * math.exp(-1 / 10.0) + sum(w * s for w, s in zip(weight, spikes, strict=True))
        chance = 0.5 / (1 + math.exp(-(u - 2.0) / 0.5))
        product *= chance if fired else 1 - chance
    return product


NEURONS: dict[str, tuple[Callable[..., Any], Callable[[list[float], tuple[int, ...]], float]]] = {
    "SRM0": (lambda **more: SRM0(1, tau_mem=10.0, tau_refractory=4.0, eta_reset=2.0, **more), srm0_probability),
    "EscapeNoise": (lambda **more: EscapeNoise(1, tau_mem=10.0, **more), escape_probability),
}
every_neuron = pytest.mark.parametrize("neuron", NEURONS)
WEIGHT = [0.9, 1.3]


def rmax_network(neuron: str, weight: list[float], **more: Any) -> Network:
    network = Network()
    network.add("input", 2)
    network.add("output", NEURONS[neuron][0](**more))
    connection = Dense(2, 1, weight=torch.tensor([weight]))
    network.connect("input", "output", connection, rule=Rmax(learning_rate=1.0, tau_eligibility=FOREVER))
    return network.double()


def expected_reward(neuron: str, weight: list[float]) -> float:
    return sum(NEURONS[neuron][1](weight, train) * reward(train) for train in TRAINS)


def gradient_by_differences(neuron: str) -> list[float]:
    """Central differences of the exact expected reward."""
    gradient, step = [], 1e-5
    for which in range(2):
        up, down = list(WEIGHT), list(WEIGHT)
        up[which], down[which] = up[which] + step, down[which] - step
        gradient.append((expected_reward(neuron, up) - expected_reward(neuron, down)) / (2 * step))
    return gradient


@every_neuron
def test_probabilities_of_all_spike_trains_sum_to_one(neuron: str) -> None:
    assert sum(NEURONS[neuron][1](WEIGHT, train) for train in TRAINS) == pytest.approx(1.0, rel=1e-12)


def scores(network: Network, spikes: Tensor, trains: Tensor) -> Tensor:
    """The scores ``[time, batch, 1]`` of a neuron on which spike trains ``[time, batch, 1]`` are forced."""
    neuron, connection = network.neuron("output"), network.connection(network.edges[0])
    state, scored = neuron.init_state(trains.shape[1]), []
    for now, fired in zip(spikes, trains, strict=True):
        if isinstance(neuron, SRM0):
            state = neuron.charge(connection(now), state)
            scored.append(neuron.score(state.v, fired))
            state = neuron.reset(state, fired)
        else:
            _, state = neuron(connection(now), state)
            scored.append(neuron.score(state.u, fired))
    return torch.stack(scored)


@every_neuron
def test_rmax_over_all_spike_trains_is_the_gradient_of_expected_reward(neuron: str) -> None:
    """A row of the batch for each spike train, weighed by its probability: the mean without sampling."""
    network = rmax_network(neuron, WEIGHT)
    edge = network.edges[0]
    rule, connection = network.rule(edge), network.connection(edge)
    trains = torch.tensor(TRAINS, dtype=torch.float64).t().unsqueeze(2)
    spikes = torch.tensor(INPUT, dtype=torch.float64).unsqueeze(1).expand(3, 8, 2)
    modulator = torch.zeros(3, 8, dtype=torch.float64)
    modulator[-1] = torch.tensor([NEURONS[neuron][1](WEIGHT, train) * reward(train) for train in TRAINS])
    start = rule.init_state(connection, (2,), (1,), 8)
    change, _ = rule(connection, spikes, scores(network, spikes, trains), start, ThirdFactor(modulator))
    assert change[0].tolist() == pytest.approx(gradient_by_differences(neuron), rel=1e-6)


def eligibility_of_draws(network: Network, batch: int) -> tuple[Tensor, Tensor]:
    """Spike trains that a network draws ``[time, batch]``, and the eligibility that each leaves ``[batch, pre]``."""
    spikes = torch.tensor(INPUT, dtype=torch.float64).unsqueeze(1).expand(3, batch, 2)
    recording, state = network.train().run({"input": spikes}, modulator=torch.zeros(batch).double(), window=3)
    return recording["output"]["spikes"][:, :, 0], state.rules[0].eligibility[:, 0]


@every_neuron
def test_the_mean_of_reward_times_eligibility_estimates_the_gradient(neuron: str) -> None:
    """Over 20,000 draws, within 5 standard errors."""
    trains, eligibility = eligibility_of_draws(rmax_network(neuron, WEIGHT, generator=seeded(3)), 20_000)
    rewards = torch.tensor([reward(tuple(int(spike) for spike in train)) for train in trains.t().tolist()])
    product = rewards[:, None] * eligibility
    error = product.std(0) / math.sqrt(len(product))
    assert (error < 0.02).all()
    assert ((product.mean(0) - torch.tensor(gradient_by_differences(neuron))).abs() < 5 * error).all()


@every_neuron
def test_eligibility_has_zero_mean_so_that_a_constant_reward_teaches_nothing(neuron: str) -> None:
    _, eligibility = eligibility_of_draws(rmax_network(neuron, WEIGHT, generator=seeded(4)), 20_000)
    assert (eligibility.mean(0).abs() < 5 * eligibility.std(0) / math.sqrt(20_000)).all()


def test_eligibility_has_zero_mean_with_a_refractory_period_too() -> None:
    network = rmax_network("SRM0", WEIGHT, generator=seeded(4), t_refractory=2.0)
    _, eligibility = eligibility_of_draws(network, 20_000)
    assert (eligibility.mean(0).abs() < 5 * eligibility.std(0) / math.sqrt(20_000)).all()


def share_of_right_trials(modulator: str, trials: int = 40) -> float:
    """Right responses after training: fire for pattern A, be silent for pattern B, 20 ms each, 16 trials at a time."""
    draw = seeded(5)
    network = Network()
    network.add("input", 20)
    network.add("output", SRM0(1, generator=draw))
    connection = Dense(20, 1, weight_mean=0.2, bounds=(-2.0, 2.0))
    network.connect("input", "output", connection, rule=Rmax(learning_rate=0.02, tau_eligibility=500.0))
    average, shuffler = MovingAverage(200), Shuffler(64, generator=draw)
    pattern_a = torch.arange(16) < 8
    chance = torch.where(pattern_a[:, None] == (torch.arange(20) < 10), 0.1, 0.0)

    def trial() -> tuple[Tensor, Any]:
        spikes = (torch.rand(20, 16, 20, generator=draw) < chance).float()
        recording, state = network.run({"input": spikes}, modulator=torch.zeros(16), window=20)
        return ((recording["output"]["spikes"].sum((0, 2)) > 0) == pattern_a).float(), state

    for _ in range(trials):
        right, state = trial()
        third = {"true": average, "zero": torch.zeros_like, "shuffled": lambda r: shuffler(average(r))}[modulator]
        network.run({"input": torch.zeros(1, 16, 20)}, state, modulator=third(right))
    network.eval()
    return torch.stack([trial()[0] for _ in range(20)]).mean().item()


def test_rmax_learns_a_task_with_reward_against_its_running_mean() -> None:
    assert share_of_right_trials("true") > 0.9


@pytest.mark.parametrize("modulator", ["zero", "shuffled"])
def test_rmax_learns_nothing_from_a_modulator_without_meaning(modulator: str) -> None:
    assert share_of_right_trials(modulator) < 0.7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MSTDP(tau_pre=0.1), r"^tau_pre=0.1: must be a number of ms that is at least dt \(1.0\)$"),
        (lambda: MSTDPET(tau_eligibility=0.1), r"^tau_eligibility=0.1: must be a number of ms"),
        (lambda: MSTDPET(tau_post=math.inf), r"^tau_post=inf: must be a number of ms"),
        (lambda: TDSTDP(tau_eligibility=math.nan), r"^tau_eligibility=nan: must be a number of ms"),
        (lambda: TDSTDP(tau_pre=0.1), r"^tau_pre=0.1: must be a number of ms"),
        (lambda: Rmax(tau_mem=0.1), r"^tau_mem=0.1: must be a number of ms"),
        (lambda: Rmax(tau_eligibility=0.1), r"^tau_eligibility=0.1: must be a number of ms"),
        (lambda: Rmax(dt=0.0), r"^dt=0.0: must be a positive number of ms$"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
