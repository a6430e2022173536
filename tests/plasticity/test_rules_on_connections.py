"""The table: every rule on every connection that can learn."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterable
from functools import cache
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import (
    Connection,
    Conv1d,
    Conv2d,
    Conv3d,
    Dense,
    Lateral,
    Local1d,
    Local2d,
    Local3d,
    MeanField,
    OneToOne,
    Sparse,
)
from snnrl.errors import ConfigError
from snnrl.plasticity import (
    MSTDP,
    MSTDPET,
    STDP,
    TDSTDP,
    DeltaRule,
    EProp,
    FirstSpikeSTDP,
    Hebbian,
    Homeostasis,
    Oja,
    Rmax,
    Rule,
    ThirdFactor,
    TripletSTDP,
    WeightDependentSTDP,
    WinnerTakeAllSTDP,
)

STEPS = 6
LOW, HIGH = -1.5, 1.0

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
    "FirstSpikeSTDP": lambda: FirstSpikeSTDP(a_plus=0.3, a_minus=0.2),
    "WinnerTakeAllSTDP": lambda: WinnerTakeAllSTDP(learning_rate=0.1, depression=0.3, w_max=0.8, tau_pre=5.0),
    "DeltaRule": lambda: DeltaRule(learning_rate=0.1, momentum=0.5),
    "EProp": lambda: EProp(0.8, tau_mem=5.0, tau_readout=4.0, tau_adaptation=9.0, threshold_rise=0.3),
}
MODULATED = [name for name, make in RULES.items() if make().uses_modulator]
READ_WEIGHTS = ("WeightDependentSTDP", "Oja", "Homeostasis", "FirstSpikeSTDP", "WinnerTakeAllSTDP")
"""Rules whose change depends on the weight."""
ADDITIVE = [name for name in RULES if name not in ("WinnerTakeAllSTDP", "DeltaRule")]
"""Rules by which the change of a window is the sum of its steps' and rows' changes."""

SYNAPSES = torch.tensor([[0, 0, 1, 3, 3, 3], [0, 5, 1, 0, 2, 5]])

KINDS: dict[str, tuple[Callable[..., Connection], tuple[int, ...]]] = {
    "dense": (lambda **settings: Dense(4, 3, **settings), (4,)),
    "lateral": (lambda **settings: Lateral(4, **settings), (4,)),
    "sparse": (lambda **settings: Sparse(6, 4, SYNAPSES, **settings), (6,)),
    "convolution on a line": (lambda **settings: Conv1d(2, 3, 2, stride=2, padding=1, **settings), (2, 4)),
    "convolution": (lambda **settings: Conv2d(2, 2, 2, padding=(0, 1), **settings), (2, 3, 4)),
    "convolution in a volume": (lambda **settings: Conv3d(1, 2, 2, **settings), (1, 2, 3, 3)),
    "local on a line": (lambda **settings: Local1d(4, 2, 3, 2, **settings), (2, 4)),
    "local": (lambda **settings: Local2d((3, 4), 2, 2, 2, padding=(0, 1), **settings), (2, 3, 4)),
    "local in a volume": (lambda **settings: Local3d((2, 3, 3), 1, 2, 2, **settings), (1, 2, 3, 3)),
    "one to one": (lambda **settings: OneToOne((2, 3), **settings), (2, 3)),
    "mean field": (lambda **settings: MeanField(5, 3, **settings), (5,)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_rule = pytest.mark.parametrize("name", RULES)


def on_kinds(names: Iterable[str]) -> pytest.MarkDecorator:
    """Rules on all kinds of connections, but e-prop where several synapses share a weight, which it refuses."""
    pairs = product(names, KINDS)
    return pytest.mark.parametrize(
        ("name", "kind"), [pair for pair in pairs if not (pair[0] == "EProp" and pair[1].startswith("convolution"))]
    )


def assert_equal(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-11)


def leaves(state: Any) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else [leaf for part in state for leaf in leaves(part)]


@cache
def post_shape(kind: str) -> tuple[int, ...]:
    make, shape = KINDS[kind]
    return tuple(make()(torch.zeros(1, *shape)).shape[1:])


class Case:
    """A rule, a connection of random weights, and random spikes or scores and modulators in float64."""

    def __init__(self, name: str, kind: str, batch: int, *, density: float = 0.4) -> None:
        draw = torch.Generator().manual_seed(1)
        make, self.pre_shape = KINDS[kind]
        self.rule = RULES[name]()
        self.connection = make(weight_std=0.5, bounds=(LOW, HIGH), generator=draw).double()
        self.pre = (torch.rand(STEPS, batch, *self.pre_shape, generator=draw) < density).double()
        self.post_shape = post_shape(kind)
        shape = (STEPS, batch, *self.post_shape)
        self.post = (torch.rand(shape, generator=draw) < density).double()
        if self.rule.uses_score:
            self.post = torch.randn(shape, generator=draw, dtype=torch.float64)
        modulator = torch.randn(STEPS, batch, generator=draw, dtype=torch.float64)
        self.modulator = modulator if self.rule.uses_modulator else None

    def start(self, batch: int | None = None) -> Any:
        batch = self.pre.shape[1] if batch is None else batch
        return self.rule.init_state(self.connection, self.pre_shape, self.post_shape, batch)

    def change(self, state: Any = None, *, steps: slice = slice(None), rows: slice = slice(None)) -> tuple[Tensor, Any]:
        """The change of some steps and rows of the batch, and the state after them."""
        pre, post = self.pre[steps, rows], self.post[steps, rows]
        third = ThirdFactor(None if self.modulator is None else self.modulator[steps, rows])
        return self.rule(self.connection, pre, post, self.start(pre.shape[1]) if state is None else state, third)


@on_kinds(RULES)
def test_a_change_is_finite_in_the_shape_of_the_weights_and_not_nothing(name: str, kind: str) -> None:
    for batch in (1, 4):
        case = Case(name, kind, batch)
        change, _ = case.change()
        assert change.shape == case.connection.weight.shape
        assert change.dtype == torch.float64
        assert torch.isfinite(change).all()
        assert change.any()
        assert not change.requires_grad


@on_kinds(ADDITIVE)
def test_the_change_of_a_batch_is_the_sum_of_its_rows_changes(name: str, kind: str) -> None:
    case = Case(name, kind, 4)
    together, after = case.change()
    alone = [case.change(rows=slice(row, row + 1)) for row in range(4)]
    assert_equal(torch.stack([change for change, _ in alone]).sum(0), together)
    for row, (_, state) in enumerate(alone):
        for mine, of_all in zip(leaves(state), leaves(after), strict=True):
            assert_equal(mine, of_all[row : row + 1])


@on_kinds(ADDITIVE)
def test_a_window_equals_its_steps_one_by_one_while_weights_stand_still(name: str, kind: str) -> None:
    for batch in (1, 4):
        case = Case(name, kind, batch)
        whole, end = case.change()
        total, state = torch.zeros_like(whole), case.start()
        for step in range(STEPS):
            change, state = case.change(state, steps=slice(step, step + 1))
            total += change
        assert_equal(total, whole)
        for stepped, at_once in zip(leaves(state), leaves(end), strict=True):
            assert_equal(stepped, at_once)


@cache
def unfolding(kind: str) -> Tensor:
    """What each presynaptic neuron evokes in each postsynaptic one by each weight alone ``[weights, post, pre]``."""
    make, shape = KINDS[kind]
    connection = make().double()
    spikes = torch.eye(math.prod(shape), dtype=torch.float64).unflatten(1, shape)
    current = []
    for one in torch.eye(connection.weight.numel(), dtype=torch.float64):
        connection.weight.copy_(one.view_as(connection.weight))
        current.append(connection(spikes).flatten(1).t())
    return torch.stack(current)


@on_kinds(ADDITIVE)
def test_a_change_is_that_of_the_dense_connection_that_transmits_the_same(name: str, kind: str) -> None:
    """Dense weights ``W(w)`` are what each neuron alone evokes; ``dw`` is ``dW`` pulled back through that map.

    For a convolution this unfolds the population, for a sparse connection it puts zeros where there is no synapse. A
    mean field under a rule that reads its weights is a single presynaptic neuron that fires the mean.
    """
    if (kind, name) == ("mean field", "FirstSpikeSTDP"):
        return  # neurons of which the mean alone is seen cannot be told to have fired or not
    for batch in (1, 4):
        case = Case(name, kind, batch)
        change, _ = case.change()
        weight = case.connection.weight
        if kind == "mean field" and name in READ_WEIGHTS:
            case.pre, case.pre_shape = case.pre.mean(-1, keepdim=True), (1,)
            case.connection = Dense(1, 3, weight=weight[:, None], bounds=(LOW, HIGH)).double()
            assert_equal(change, case.change()[0][:, 0])
            continue
        unfolded = unfolding(kind)
        _, post, pre = unfolded.shape
        evoked = torch.einsum("w,wji->ji", weight.flatten(), unfolded)
        case.connection = Dense(pre, post, weight=evoked, bounds=(LOW, HIGH)).double()
        case.pre, case.post = case.pre.flatten(2), case.post.flatten(2)
        case.pre_shape, case.post_shape = (pre,), (post,)
        dense_change, _ = case.change()
        assert_equal(change.flatten(), torch.einsum("wji,ji->w", unfolded, dense_change))


@on_kinds(MODULATED)
def test_a_zero_modulator_changes_nothing_and_yet_the_state_goes_on(name: str, kind: str) -> None:
    case = Case(name, kind, 4)
    _, told = case.change()
    assert case.modulator is not None
    case.modulator.zero_()
    change, untold = case.change()
    assert not change.any()
    for here, there in zip(leaves(told), leaves(untold), strict=True):
        assert torch.equal(here, there)


@pytest.mark.parametrize("name", MODULATED)
def test_the_change_is_linear_in_the_modulator(name: str) -> None:
    case = Case(name, "dense", 4)
    once, _ = case.change()
    assert case.modulator is not None
    case.modulator *= -2.5
    assert_equal(case.change()[0], -2.5 * once)


@pytest.mark.parametrize("name", MODULATED)
def test_a_missing_modulator_is_named(name: str) -> None:
    case = Case(name, "dense", 1)
    case.modulator = None
    with pytest.raises(ConfigError, match=r"^modulator=None: must be a tensor \[time, batch\]"):
        case.change()


@on_kinds(name for name in RULES if name != "Homeostasis")
def test_without_spikes_nothing_changes(name: str, kind: str) -> None:
    case = Case(name, kind, 4)
    case.pre.zero_()
    case.post.zero_()
    assert not case.change()[0].any()


@every_kind
def test_without_spikes_homeostasis_makes_every_weight_larger(kind: str) -> None:
    """Of a running rate that starts at its target, 50 Hz, and decays by ``exp(-1/20)`` in each step."""
    case = Case("Homeostasis", kind, 1)
    case.post.zero_()
    change, _ = case.change()
    lack = sum(50.0 * (1 - math.exp(-step / 20.0)) for step in range(1, STEPS + 1))
    ones = torch.ones(1, 1, *case.pre_shape, dtype=torch.float64)
    times = case.connection.hebbian(torch.ones(1, 1, *case.post_shape, dtype=torch.float64), ones)[0]
    assert_equal(change, 0.01 * lack * times * case.connection.weight)


@on_kinds(RULES)
def test_changes_that_are_applied_leave_weights_in_bounds(name: str, kind: str) -> None:
    case = Case(name, kind, 4)
    change, _ = case.change()
    before = case.connection.weight.clone()
    case.connection.apply_(1000.0 * change)
    after = case.connection.weight
    assert after.min() >= LOW
    assert after.max() <= HIGH
    assert not torch.equal(after, before)


@every_rule
def test_a_rule_touches_neither_weights_nor_spikes(name: str) -> None:
    case = Case(name, "dense", 4)
    kept = [copy.deepcopy(tensor) for tensor in (case.connection.weight, case.pre, case.post)]
    case.change()
    for now, before in zip((case.connection.weight, case.pre, case.post), kept, strict=True):
        assert torch.equal(now, before)


@every_rule
def test_a_rule_has_nothing_to_save(name: str) -> None:
    assert RULES[name]().state_dict() == {}


@on_kinds(RULES)
def test_bfloat16_weights_are_changed_as_float32_ones_of_the_same_value(name: str, kind: str) -> None:
    case = Case(name, kind, 4)
    make, _ = KINDS[kind]
    case.pre, case.post = case.pre.float(), case.post.float()
    case.modulator = None if case.modulator is None else case.modulator.float()
    changes = []
    for dtype in (torch.bfloat16, torch.float32):
        weight = case.connection.weight.bfloat16().to(dtype)
        case.connection = make(weight=weight, bounds=(LOW, HIGH))
        changes.append(case.change()[0])
    narrow, wide = changes
    assert narrow.dtype == torch.float32
    near = {"rtol": 0.02, "atol": 0.05} if name in READ_WEIGHTS else {"rtol": 1e-5, "atol": 1e-6}
    torch.testing.assert_close(narrow, wide, **near)
    case.connection.apply_(narrow)


DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.bool, torch.uint8, torch.int64)
"""In which spikes may come."""


@on_kinds(RULES)
def test_spikes_of_every_dtype_are_learned_from_by_weights_of_every_dtype(name: str, kind: str) -> None:
    """The scores of stochastic neurons are no whole numbers: those are given in floating-point types alone."""
    case = Case(name, kind, 2)
    case.post, case.modulator = case.post.round(), None if case.modulator is None else case.modulator.round()
    make, _ = KINDS[kind]
    for weights in (torch.float32, torch.float64, torch.bfloat16):
        weight = case.connection.weight.detach().bfloat16().to(weights)
        case.connection = make(weight=weight, bounds=(LOW, HIGH))
        expected, wide = None, torch.promote_types(weights, torch.float32)
        for dtype in (wide, *DTYPES):
            if case.rule.uses_score and not dtype.is_floating_point:
                continue
            other = copy.copy(case)
            other.pre, other.post = case.pre.to(dtype), case.post.to(dtype)
            change, state = other.change()
            assert change.dtype == wide
            assert all(leaf.dtype == wide for leaf in leaves(state))
            expected = change if expected is None else expected
            assert torch.equal(change, expected), (weights, dtype)
            current = case.connection(other.pre)
            assert current.dtype == (weights if dtype == weights else wide)
        case.connection.apply_(0.01 * change.double())
        assert case.connection.weight.dtype == weights


@pytest.mark.parametrize("dtype", DTYPES)
def test_modulators_of_every_dtype_are_taken(dtype: torch.dtype) -> None:
    for name in MODULATED:
        case = Case(name, "dense", 2)
        case.modulator = torch.ones(STEPS, 2, dtype=torch.float64)
        expected, _ = case.change()
        case.modulator = case.modulator.to(dtype)
        assert torch.equal(case.change()[0], expected)


@every_rule
def test_spikes_that_are_no_real_numbers_are_refused_by_name(name: str) -> None:
    case = Case(name, "dense", 2)
    case.post = case.post.to(torch.complex64)
    with pytest.raises(ConfigError, match=r"^post=torch.complex64: must be real numbers$"):
        case.change()


@every_rule
def test_a_misspelt_setting_of_a_rule_is_refused_with_what_was_meant(name: str) -> None:
    rule = type(RULES[name]())
    with pytest.raises(ConfigError, match=rf"^td=0.5: {name} has no such setting; there are: .*\bdt\b"):
        rule(td=0.5)
    if any(key.startswith("tau_") for key in inspect.signature(rule).parameters):
        with pytest.raises(ConfigError, match=rf"^tau_per=5.0: {name} has no such setting; did you mean tau_"):
            rule(tau_per=5.0)


@every_rule
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_rate_that_is_no_finite_number_is_refused(name: str, value: float) -> None:
    rule = type(RULES[name]())
    named = ("a_", "a2_", "a3_", "learning", "mu", "rate_target")
    for key in [key for key in inspect.signature(rule).parameters if key.startswith(named)]:
        with pytest.raises(ConfigError, match=rf"^{key}={value}: must be "):
            rule(**{key: value})


def test_a_rate_in_words_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^a_plus=much: must be a finite number$"):
        STDP(a_plus="much")  # type: ignore[arg-type]
