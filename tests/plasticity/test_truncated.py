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
