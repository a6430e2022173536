"""Three-factor learning with truncated traces."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from snnrl.connections import Connection, Conv2d, Dense
from snnrl.errors import ConfigError
from snnrl.plasticity import RULES, ThirdFactor, ThreeFactor, TruncatedThreeFactor
from snnrl.spikes import SparseSpikes

STEPS, LENGTH, BATCH = 3, 4, 2
KINDS: dict[str, Callable[[], tuple[Connection, tuple[int, ...], tuple[int, ...]]]] = {
    "dense": lambda: (Dense(6, 3).double(), (6,), (3,)),
    "convolution": lambda: (Conv2d(2, 3, 2).double(), (2, 3, 4), (3, 2, 3)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def both(
    kind: str, *, cutoff: float, windows: int, sparse: bool = False, ends: float = 0.2
) -> tuple[list[Tensor], list[Tensor], int]:
    """Changes of either rule in each of several windows, and how many windows the truncated one remembers."""
    connection, pre_shape, post_shape = KINDS[kind]()
    draw = torch.Generator().manual_seed(4)
    whole, truncated = (
        ThreeFactor(0.8, postsynaptic_floor=0.1),
        TruncatedThreeFactor(0.8, postsynaptic_floor=0.1, cutoff=cutoff),
    )
    states = [rule.init_state(connection, pre_shape, post_shape, BATCH) for rule in (whole, truncated)]
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    for _ in range(windows):
        time = STEPS if sparse else STEPS * LENGTH
        spikes = (torch.rand((time, BATCH, *pre_shape), generator=draw) < 0.3).double()
        pre = SparseSpikes.from_dense(spikes) if sparse else spikes
        post = (torch.rand((STEPS * LENGTH, BATCH, *post_shape), generator=draw) < 0.3).double()
        modulator, instant = torch.randn((2, STEPS, BATCH), generator=draw, dtype=torch.float64)
        continuing = (torch.rand((STEPS, BATCH), generator=draw) >= ends).double()
        gate = torch.randn((STEPS, BATCH, *post_shape), generator=draw, dtype=torch.float64)
        third = ThirdFactor(modulator, continuing, instant, gate)
        for place, rule in enumerate((whole, truncated)):
            change, states[place] = rule(connection, pre, post, states[place], third)
            found[place].append(change)
    return *found, len(states[1].earlier)


@every_kind
def test_with_nothing_forgotten_changes_are_those_of_the_three_factor_rule(kind: str) -> None:
    whole, truncated, remembered = both(kind, cutoff=1e-9, windows=5)
    assert remembered == 5
    torch.testing.assert_close(truncated, whole)


def test_sparse_spikes_change_weights_as_with_the_three_factor_rule() -> None:
    whole, truncated, _ = both("dense", cutoff=1e-9, windows=5, sparse=True)
    torch.testing.assert_close(truncated, whole)


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("steps", [1, 3])
def test_compiled_loops_over_sparse_events_give_the_definition_bit_for_bit(
    averaged: bool, dtype: torch.dtype, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changes() -> list[Tensor]:
        draw, connection = torch.Generator().manual_seed(4), Dense(9, 6).to(dtype)
        rule, found = TruncatedThreeFactor(0.8, postsynaptic_floor=0.1, cutoff=0.2, averaged=averaged), []
        state = rule.init_state(connection, (9,), (6,), BATCH)
        for _ in range(12):
            spikes = torch.randn((steps, BATCH, 9), generator=draw) * (
                torch.rand((steps, BATCH, 9), generator=draw) < 0.3
            )
            post = (torch.rand((steps * LENGTH, BATCH, 6), generator=draw) < 0.3).to(dtype)
            modulator, instant = torch.randn((2, steps, BATCH), generator=draw).to(dtype)
            continuing = (torch.rand((steps, BATCH), generator=draw) > 0.2).to(dtype)
            gate = (torch.rand((steps, BATCH, 6), generator=draw) < 0.3).to(dtype)
            pre = SparseSpikes.from_dense(spikes.to(dtype))
            change, state = rule(connection, pre, post, state, ThirdFactor(modulator, continuing, instant, gate))
            found.append(change)
        return found

    compiled = changes()
    monkeypatch.setattr("snnrl.plasticity.truncated.in_one_pass", lambda *_: False)
    assert all(torch.equal(one, other) for one, other in zip(compiled, changes(), strict=True))
    assert compiled[-1].any()


def test_what_is_forgotten_is_smaller_than_the_cutoff() -> None:
    """0.8 to the power of 9 steps, three windows, is 0.13, of 12 steps 0.07."""
    whole, truncated, remembered = both("dense", cutoff=0.1, windows=8, sparse=True, ends=0.0)
    assert remembered == 4
    torch.testing.assert_close(truncated[:4], whole[:4])
    assert not torch.allclose(truncated[7], whole[7])
    torch.testing.assert_close(truncated[7], whole[7], atol=0.5, rtol=0.0)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, 1.5, float("nan")])
def test_a_cutoff_that_is_no_share_is_refused(cutoff: float) -> None:
    with pytest.raises(ConfigError, match="cutoff"):
        TruncatedThreeFactor(cutoff=cutoff)


def test_recipes_find_it_by_name() -> None:
    assert RULES.find("truncated_three_factor", "rule") is TruncatedThreeFactor


def averaged(pre: Tensor, modulator: Tensor, gate: Tensor, continuing: Tensor | None = None) -> list[Tensor]:
    """Changes by windows of ``pre`` ``[windows, steps, batch, 6]``; all postsynaptic neurons are active."""
    connection, rule = Dense(6, 3).double(), TruncatedThreeFactor(0.8, postsynaptic_floor=1.0, averaged=True)
    batch = pre.shape[2]
    state, changes = rule.init_state(connection, (6,), (3,), batch), []
    for each, error, gated, on in zip(
        pre, modulator, gate, continuing if continuing is not None else [None] * len(pre), strict=True
    ):
        silent = torch.zeros((len(each), batch, 3), dtype=torch.float64)
        third = ThirdFactor(error, on, gate=gated)
        change, state = rule(connection, SparseSpikes.from_dense(each), silent, state, third)
        changes.append(change)
    return changes


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_averaged_changes_are_what_coincidences_earn_divided_by_their_number(steps: int) -> None:
    draw = torch.Generator().manual_seed(1)
    windows, batch = 6, 3
    shape = (windows, steps, batch)
    pre = (torch.rand((*shape, 6), generator=draw) < 0.4) * torch.rand((*shape, 6), generator=draw, dtype=torch.float64)
    modulator = torch.randn(shape, generator=draw, dtype=torch.float64)
    gate = (torch.rand((*shape, 3), generator=draw) < 0.5).double()
    continuing = (torch.rand(shape, generator=draw) < 0.8).double()
    eligible, count = torch.zeros((2, batch, 3, 6), dtype=torch.float64)
    for window, change in enumerate(averaged(pre, modulator, gate, continuing)):
        earned, number = torch.zeros((2, 3, 6), dtype=torch.float64)
        for step in range(steps):
            at = window, step
            eligible += gate[at][:, :, None] * pre[at][:, None]
            count += gate[at][:, :, None] * (pre[at] != 0)[:, None]
            earned += (modulator[at][:, None, None] * eligible).sum(0)
            number += count.sum(0)
            eligible *= 0.8 * continuing[at][:, None, None]
            count *= 0.8 * continuing[at][:, None, None]
        torch.testing.assert_close(change, earned / number.clamp_min(1))


def test_as_many_rows_as_one_likes_move_a_prediction_no_further_than_its_error() -> None:
    """Eight decisions in 50 rows that all see the same: sums of changes would be thousands of times as large."""
    pre = torch.zeros((8, 1, 50, 6), dtype=torch.float64)
    pre[..., 2:5] = 0.5
    errors, gate = torch.ones((8, 1, 50), dtype=torch.float64), torch.ones((8, 1, 50, 3), dtype=torch.float64)
    for change in averaged(pre, errors, gate):
        moved = change @ pre[0, 0, 0] / pre[0, 0, 0].square().sum()
        torch.testing.assert_close(moved, torch.ones(3, dtype=torch.float64))
