"""The pass over a large eligibility gives what its definition gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from snnrl.connections import Dense
from snnrl.plasticity import MSTDPET, TDSTDP, EligibilityState, Rmax, ThirdFactor, three_factor

BATCH, PRE, POST = 5, 40, 33
RULES: list[Any] = [MSTDPET(a_plus=0.3, a_minus=0.2), TDSTDP(), Rmax(), MSTDPET(tau_eligibility=1.0)]


def learn(rule: MSTDPET, dtype: torch.dtype, length: int) -> list[Tensor]:
    """Changes of eight windows, and the eligibility at the end."""
    draw = torch.Generator().manual_seed(1)
    connection = Dense(PRE, POST, weight=torch.zeros(POST, PRE, dtype=dtype))
    state: EligibilityState = rule.init_state(connection, (PRE,), (POST,), BATCH)
    found = []
    for _ in range(8):
        pre = (torch.rand(length, BATCH, PRE, generator=draw) < 0.1).to(dtype)
        post = (torch.rand(length, BATCH, POST, generator=draw) < 0.3).to(dtype)
        factors = torch.randn(3, 1, BATCH, generator=draw, dtype=torch.float64).to(dtype)
        gate = torch.randn(1, BATCH, POST, generator=draw, dtype=torch.float64).to(dtype)
        third = ThirdFactor(factors[0], (factors[1] > -1).to(dtype), factors[2], gate)
        change, state = rule(connection, pre, post, state, third)
        found.append(change)
    return [*found, state.eligibility]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_the_pass_is_the_definition(
    rule: Any, length: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined, passes = learn(rule, dtype, length), []
    loop = three_factor.advance_all
    monkeypatch.setattr(three_factor, "LARGE", 0)
    monkeypatch.setattr(three_factor, "advance_all", lambda *parts: passes.append(1) or loop(*parts))
    found = learn(rule, dtype, length)
    few = length * (2 if isinstance(rule, MSTDPET) else 1) <= 2
    assert len(passes) == (8 if few else 0)
    for here, there in zip(found, defined, strict=True):
        torch.testing.assert_close(here, there, rtol=1e-5, atol=1e-6)
