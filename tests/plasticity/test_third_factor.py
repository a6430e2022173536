"""What every rule does with the steps of a third factor: their length, ends of episodes, gates, synchronous spikes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Conv2d, Dense, Sparse
from snnrl.connections.base import Connection
from snnrl.plasticity import (
    MSTDP,
    MSTDPET,
    STDP,
    TDSTDP,
    Hebbian,
    Homeostasis,
    Oja,
    Rmax,
    Rule,
    ThirdFactor,
    ThreeFactor,
    TripletSTDP,
    WeightDependentSTDP,
)
from snnrl.spikes import SparseSpikes
from snnrl.state import leaves

STEPS, LENGTH, BATCH, PRE, POST = 4, 3, 3, 5, 3

RULES: dict[str, Callable[[], Rule[Any]]] = {
    "STDP": lambda: STDP(a_plus=0.3, a_minus=0.2, tau_pre=5.0, tau_post=7.0),
    "WeightDependentSTDP": lambda: WeightDependentSTDP(mu=0.7, a_plus=0.3, a_minus=0.2, tau_pre=5.0, tau_post=7.0),
    "TripletSTDP": lambda: TripletSTDP(a2_plus=0.2, a3_plus=0.1, a2_minus=0.15, a3_minus=0.05),
    "Hebbian": lambda: Hebbian(learning_rate=0.1, tau_pre=5.0, tau_post=7.0),
    "Oja": lambda: Oja(learning_rate=0.1, tau_pre=5.0, tau_post=7.0),
    "Homeostasis": lambda: Homeostasis(rate_target=50.0, learning_rate=0.01, tau_rate=20.0),
    "MSTDP": lambda: MSTDP(a_plus=0.3, a_minus=0.2, tau_pre=5.0, tau_post=7.0),
    "MSTDPET": lambda: MSTDPET(tau_eligibility=10.0, a_plus=0.3, a_minus=0.2, tau_pre=5.0, tau_post=7.0),
    "TDSTDP": lambda: TDSTDP(tau_eligibility=10.0, a_plus=0.3, tau_pre=5.0),
    "Rmax": lambda: Rmax(learning_rate=0.1, tau_mem=5.0, tau_eligibility=10.0),
    "ThreeFactor": lambda: ThreeFactor(0.8, tau_pre=5.0, postsynaptic_floor=0.05),
}
every_rule = pytest.mark.parametrize("name", RULES)
WITH_ELIGIBILITY = [name for name, make in RULES.items() if isinstance(make(), ThreeFactor)]
SYNAPSES = torch.tensor([[0, 0, 1, 2, 2, 2], [0, 4, 1, 0, 3, 4]])
KINDS: dict[str, Callable[[], Connection]] = {
    "dense": lambda: Dense(PRE, POST, weight_std=0.5, bounds=(-1.0, 1.0), generator=seeded()),
    "sparse": lambda: Sparse(PRE, POST, SYNAPSES, weight_std=0.5, bounds=(-1.0, 1.0), generator=seeded()),
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Case:
    """A rule and a connection, random activity of ``STEPS`` steps of ``LENGTH`` simulation steps, and all factors."""

    def __init__(self, name: str, kind: str = "dense", *, synchronous: bool = False) -> None:
        draw = seeded(1)
        self.rule, self.connection = RULES[name](), KINDS[kind]().double()
        time = STEPS if synchronous else STEPS * LENGTH
        self.pre = (torch.rand(time, BATCH, PRE, generator=draw) < 0.4).double()
        self.post = (torch.rand(STEPS * LENGTH, BATCH, POST, generator=draw) < 0.4).double()
        self.synchronous = synchronous
        self.third = ThirdFactor(
            torch.randn(STEPS, BATCH, generator=draw).double(),
            (torch.rand(STEPS, BATCH, generator=draw) < 0.7).double(),
            torch.randn(STEPS, BATCH, generator=draw).double(),
            torch.randn(STEPS, BATCH, POST, generator=draw).double(),
        )

    def start(self) -> Any:
        return self.rule.init_state(self.connection, (PRE,), (POST,), BATCH)

    def change(self, steps: slice = slice(None), state: Any = None) -> tuple[Tensor, Any]:
        """The change of some steps of the third factor, and the state after them."""
        first, last, _ = steps.indices(STEPS)
        span = slice(first * LENGTH, last * LENGTH)
        pre = SparseSpikes.from_dense(self.pre[steps]) if self.synchronous else self.pre[span]
        third = ThirdFactor(*(None if part is None else part[steps] for part in self.third))
        return self.rule(self.connection, pre, self.post[span], self.start() if state is None else state, third)


def assert_same(one: Any, other: Any) -> None:
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@every_rule
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("synchronous", [False, True])
def test_a_window_equals_its_steps_one_by_one_with_ends_of_episodes_between(
    name: str, kind: str, synchronous: bool
) -> None:
    case = Case(name, kind, synchronous=synchronous)
    assert 0 < case.third.continuing.sum() < STEPS * BATCH  # type: ignore[union-attr]
    whole, end = case.change()
    total, state = torch.zeros_like(whole), case.start()
    for step in range(STEPS):
        change, state = case.change(slice(step, step + 1), state)
        total = total + change
    assert whole.any()
    assert_same(total, whole)
    assert_same(tuple(leaves(state)), tuple(leaves(end)))


@every_rule
@pytest.mark.parametrize("kind", KINDS)
def test_synchronous_spikes_are_a_train_that_spikes_first_and_whose_traces_end_with_the_step(
    name: str, kind: str
) -> None:
    case, train = Case(name, kind, synchronous=True), Case(name, kind)
    train.pre = torch.zeros_like(train.pre).double()
    train.pre[::LENGTH] = case.pre
    train.post, train.third = case.post, case.third
    whole, end = case.change()
    total, state = torch.zeros_like(whole), train.start()
    for step in range(STEPS):
        change, state = train.change(slice(step, step + 1), state)
        total = total + change
        for trace in leaves(state):
            if trace.shape[1:] == (PRE,):
                trace.zero_()
    assert_same(whole, total)
    assert_same(tuple(leaves(end)), tuple(leaves(state)))


@every_rule
@pytest.mark.parametrize("synchronous", [False, True])
def test_the_end_of_an_episode_leaves_nothing_of_its_row_and_the_other_rows_alone(name: str, synchronous: bool) -> None:
    case = Case(name, synchronous=synchronous)
    case.third = case.third._replace(continuing=torch.ones(STEPS, BATCH).double())
    _, through = case.change()
    case.third.continuing[-1, 1] = 0  # type: ignore[index]
    _, cut = case.change()
    for before, after, rest in zip(leaves(through), leaves(cut), leaves(case.start()), strict=True):
        assert torch.equal(after[1], rest[1]), "exactly at rest"
        assert torch.equal(after[[0, 2]], before[[0, 2]])


@every_rule
@pytest.mark.parametrize("synchronous", [False, True])
def test_neurons_that_begin_anew_clear_the_traces_of_their_spikes_and_nothing_else(
    name: str, synchronous: bool
) -> None:
    case = Case(name, synchronous=synchronous)
    going_on = torch.ones(STEPS, BATCH).double()
    case.third = case.third._replace(continuing=None)
    _, kept = case.change()
    case.third = case.third._replace(activity_continuing=going_on)
    _, through = case.change()
    going_on[-1, 1] = 0
    _, anew = case.change()
    assert_same(tuple(leaves(through)), tuple(leaves(kept)))
    of_spikes = [] if name == "Homeostasis" else [leaf for leaf in leaves(anew) if leaf.shape[1:] in ((PRE,), (POST,))]
    for now, before in zip(leaves(anew), leaves(through), strict=True):
        cleared = any(now is leaf for leaf in of_spikes)
        assert not now[1].any() if cleared else torch.equal(now[1], before[1])
        assert torch.equal(now[[0, 2]], before[[0, 2]])


@pytest.mark.parametrize("name", WITH_ELIGIBILITY)
def test_a_modulator_comes_at_the_end_of_its_step(name: str) -> None:
    """Which is a step of one simulation step; with a decay by simulation steps it is also where the trace counts."""
    case = Case(name)
    case.third = case.third._replace(instant=None)
    whole, end = case.change()
    fine = ThirdFactor(*(torch.zeros(STEPS * LENGTH, *part.shape[1:]).double() for part in case.third[:2]))  # type: ignore[union-attr]
    fine.modulator[LENGTH - 1 :: LENGTH] = case.third.modulator  # type: ignore[index]
    fine.continuing.fill_(1)  # type: ignore[union-attr]
    fine.continuing[LENGTH - 1 :: LENGTH] = case.third.continuing  # type: ignore[index]
    fine = fine._replace(gate=case.third.gate.repeat_interleave(LENGTH, 0))  # type: ignore[union-attr]
    if isinstance(case.rule, ThreeFactor) and not case.rule.DECAYS_EACH_SIM_STEP:
        case.rule = ThreeFactor(1.0, tau_pre=5.0, postsynaptic_floor=0.05)
        whole, end = case.change()
    change, state = case.rule(case.connection, case.pre, case.post, case.start(), fine)
    assert_same(change, whole)
    assert_same(tuple(leaves(state)), tuple(leaves(end)))


@pytest.mark.parametrize("name", [*WITH_ELIGIBILITY, "MSTDP"])
def test_a_gate_multiplies_what_each_postsynaptic_neuron_learns(name: str) -> None:
    case = Case(name)
    gate = torch.tensor([0.0, 1.0, -2.0]).double()
    case.third = case.third._replace(gate=None)
    plain, _ = case.change()
    case.third = case.third._replace(gate=gate.expand(STEPS, BATCH, POST))
    gated, _ = case.change()
    assert_same(gated, gate[:, None] * plain)


@pytest.mark.parametrize("name", [name for name in RULES if not RULES[name]().uses_modulator])
def test_rules_without_a_third_factor_ignore_all_but_ends_of_episodes(name: str) -> None:
    case = Case(name)
    told, after = case.change()
    case.third = ThirdFactor(continuing=case.third.continuing)
    untold, same = case.change()
    assert torch.equal(told, untold)
    assert all(torch.equal(one, other) for one, other in zip(leaves(after), leaves(same), strict=True))


def test_a_gate_has_the_shape_of_any_postsynaptic_population() -> None:
    rule, connection = ThreeFactor(0.9), Conv2d(1, 2, 2, weight_std=0.1).double()
    pre, post = torch.ones(2, 1, 1, 3, 3), torch.ones(2, 1, 2, 2, 2)
    start = rule.init_state(connection, (1, 3, 3), (2, 2, 2), 1)
    third = ThirdFactor(torch.ones(1, 1), gate=torch.zeros(1, 1, 2, 2, 2))
    change, _ = rule(connection, pre, post, start, third)
    assert not change.any()
