"""The compiled step of the agent of action values gives what its definition gives, whatever its settings."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents.compiled_values import CompiledValues
from snnrl.agents.sarsa import SarsaConfig
from tests.agents.rstdp_toy import ACTIONS, OBSERVATIONS, begins, seen, step
from tests.agents.test_compiled import FIXED, MIXED, ROWS, by_definition, trained
from tests.agents.test_sarsa import NETWORK, make

FIXED_HERE = {
    *FIXED.keys() - {"update_every", "modulator"},
    "encoder",  # of pictures
    "action_bins",
    "exploration_bonus",  # must be 0
    "normalise_td",  # must be false
    "td_limit",  # must be null therefore
}


def settings(seed: int) -> dict[str, Any]:
    draw = np.random.default_rng(seed)

    def end() -> dict[str, Any]:
        numbers = {"gain": draw.uniform(0.1, 0.5), "tonic": draw.uniform(0, 0.6), "rate_max": draw.uniform(0.5, 1)}
        rule = {"postsynaptic_floor": draw.uniform(0, 1), "learning_rate": draw.uniform(0.5, 2)}
        names = ["three_factor", "truncated_three_factor"]
        return {"neuron": {"name": "saturating_if", **numbers}, "rule": {"name": names[draw.integers(2)], **rule}}

    return {
        "sim_steps": int(draw.integers(2, 9)),
        "dt": float(draw.choice([0.5, 1.0])),
        "tau": draw.uniform(2, 20),
        "network": {
            "actor": {"per_action": int(draw.integers(1, 5)), **end()},
            "critic": {"size": int(draw.integers(1, 8)), **end()},
        },
        "gamma": draw.uniform(0.5, 1),
        "trace_lambda": draw.uniform(0.1, 0.9),
        "actor_lr": 0.05,
        "critic_lr": 0.05,
        "lr_per_input": bool(draw.integers(2)),
        "entropy_coef": float(draw.choice([0.0, 0.1])),
        "weight_mean": draw.uniform(0.1, 0.5),
        "weight_std": 0.2,
        "update_every": int(draw.integers(1, 5)),
        "modulator": str(draw.choice(["td", "shuffled"])),
        "reward_limit": None if seed % 3 == 0 else draw.uniform(0.5, 2),
        "value_range": None if seed % 2 else (-1.5, 2.5),
        "value_centre": str(draw.choice(["returns", "zero"])),
        "temperature": draw.uniform(0.003, 1),
        "epsilon": draw.uniform(0, 0.6),
        "exploration_steps": int(draw.integers(1, 5)),
        "longest_exploration": None if seed % 2 else 20,
        "exploration_end_factor": draw.uniform(0, 1),
    }


@pytest.mark.parametrize("action", [*ACTIONS.values(), MIXED], ids=[*ACTIONS, "mixed"])
@pytest.mark.parametrize("seed", range(4))
def test_a_compiled_decision_by_action_values_is_what_the_agent_is_defined_to_do(
    action: spaces.Space[Any], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In double precision, so that rounding does not decide which spikes are fired; choices are the same."""
    compiled = make(OBSERVATIONS["frames"], action, seed, **settings(seed)).double()
    found, after = trained(compiled, seed)
    assert isinstance(compiled._step, CompiledValues)
    assert compiled._step.serving
    by_definition(monkeypatch)
    expected, defined = trained(make(OBSERVATIONS["frames"], action, seed, **settings(seed)).double(), seed)
    for (one, said), (other, meant) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        assert said == pytest.approx(meant, rel=1e-5)
    assert after.keys() == defined.keys()
    for name, value in defined.items():
        close = {"rtol": 1e-9, "atol": 1e-10} if value.dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(after[name], value, **close)


def test_every_setting_of_action_values_is_tried_above_or_of_no_matter_here() -> None:
    """A setting that is new has to be drawn, so that a compiled step cannot pass over what it means."""
    assert {field.name for field in fields(SarsaConfig)} <= settings(0).keys() | FIXED_HERE


HIDDEN = {"weight_std": 0.1, "network": {**NETWORK, "hidden": [{"size": 4}]}}
PAIRS = {"network": {**NETWORK, "critic": {**NETWORK["critic"], "rule": "stdp"}}}


@pytest.mark.parametrize("others", [{"sim_steps": 1}, HIDDEN, PAIRS], ids=["one step", "hidden", "another rule"])
def test_other_agents_of_action_values_go_by_the_definition(others: dict[str, Any]) -> None:
    made = make(OBSERVATIONS["frames"], **others)
    state = step(made, seen(OBSERVATIONS["frames"], ROWS, 0), begins(ROWS), made.begin(ROWS))[1]
    assert state.decision is not None
    assert made._step is None
