"""The compiled step of the default agent gives what the agent's definition gives, whatever its settings."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents.compiled_step import CompiledStep
from snnrl.agents.compiled_vectors import CompiledVectors
from snnrl.agents.rstdp import RSTDP
from snnrl.agents.rstdp_config import RSTDPConfig
from snnrl.agents.rstdp_state import RSTDPState
from snnrl.errors import ConfigError
from snnrl.spikes import SparseSpikes
from tests.agents.rstdp_toy import ACTIONS, OBSERVATIONS, begins, make, seen, step, to, told
from tests.agents.test_rstdp_fused import ROWS, STEPS, drawn_feedback, drawn_settings

SPACES = {"vector": OBSERVATIONS["vector"], "unbounded": OBSERVATIONS["unbounded"], "wide": spaces.Box(-9.0, 9.0, (5,))}
MIXED = spaces.MultiDiscrete([2, 4])
DRAWN_HERE = {"encoder", "action_bins", "value_range", "value_centre", "temperature", "exploration_steps"}
DRAWN_HERE |= {"exploration_end_factor", "reward_limit"}
FIXED = {
    "update_every": "1 where the step is compiled",
    "modulator": "td there",
    "plasticity": "true there",
    "warmup_steps": "of other encoders",
    "hidden_plasticity": "of hidden layers",
    "lr_end_factor": "an agent's, of which the step is told by a buffer",
    "postsynaptic_floor": "drawn with each rule",
    "weight_bound": "kept by the connection",
    "habituation": "of one_hot, an encoder that is not compiled",
}


def settings(seed: int) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    drawn = {**drawn_settings(draw), "update_every": 1, "modulator": "td"}
    cells = [{}, {"lines": [5, 4], "grids": []}, {"lines": [], "grids": [4, 3]}, {"spikes_per_step": 2.0, "width": 1.1}]
    drawn["encoder"] = {"name": "population", **cells[seed % 4], "adapt_range": float(draw.choice([0.0, 0.4, 0.7]))}
    drawn["action_bins"] = int(draw.integers(2, 6))
    drawn["value_range"] = None if seed % 2 else (-1.5, 2.5)
    drawn["value_centre"], drawn["exploration_end_factor"] = str(draw.choice(["returns", "zero"])), draw.uniform(0, 1)
    drawn["temperature"], drawn["exploration_steps"] = draw.uniform(0.1, 1), int(draw.integers(1, 5))
    drawn["reward_limit"] = float(draw.uniform(0.5, 2)) if seed % 2 else None
    return drawn


def agent(kind: str, seed: int, action: spaces.Space[Any] = ACTIONS["choice"], **others: Any) -> RSTDP:
    return make(SPACES[kind], action, seed, **{**settings(seed), **others})


def watcher(seed: int, action: spaces.Space[Any], **others: Any) -> RSTDP:
    """An agent that sees pictures, whose spikes are synchronous; it learns by the definition, however that is set."""
    drawn = drawn_settings(np.random.default_rng(seed))
    return make(OBSERVATIONS["frames"], action, seed, **{**settings(seed), **drawn, "encoder": None, **others})


def trained(agent: RSTDP, seed: int) -> tuple[list[Any], dict[str, torch.Tensor]]:
    draw, state, feedback = np.random.default_rng(seed), agent.begin(ROWS), begins(ROWS)
    ended, found = np.zeros(ROWS, bool), []
    for number in range(STEPS):
        agent.anneal(number / STEPS)
        action, state, metrics = step(agent, seen(agent.observation_space, ROWS, number), feedback, state)
        found.append((action, metrics))
        feedback, ended = drawn_feedback(draw, ended)
    return found, {**agent.state_dict(), **_tensors(state)}


def _tensors(state: RSTDPState) -> dict[str, torch.Tensor]:
    """What the agent remembers, in words of its own."""
    decision = state.decision
    assert decision is not None
    parts = {f"encoder {n}": part for n, part in enumerate(state.network.encoder)}
    parts |= {"trace": state.network.trace, "returns": state.returns}
    parts |= {f"neurons {n}": part for n, each in enumerate(state.network.network.neurons) for part in each}
    parts |= {f"eligibility {n}": rule.eligibility for n, rule in enumerate(state.rules)}
    parts |= {"value": decision.value, "credit": decision.credit, "surprisal": decision.surprisal}
    parts |= {"preference": decision.activity.preference, "level": decision.activity.level}
    for key, (pre, post) in decision.activity.seen.items():
        parts |= {f"pre {key}": pre.dense() if isinstance(pre, SparseSpikes) else pre, f"post {key}": post}
    return parts


def by_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(self: CompiledStep) -> bool:
        self.serving = False
        return False

    for kind in (CompiledStep, CompiledVectors):
        monkeypatch.setattr(kind, "serves", never)


@pytest.mark.parametrize("kind", [*SPACES, "frames"])
@pytest.mark.parametrize("action", [*ACTIONS.values(), MIXED], ids=[*ACTIONS, "mixed"])
@pytest.mark.parametrize("seed", range(4))
def test_a_compiled_step_is_what_the_agent_is_defined_to_do(
    kind: str, action: spaces.Space[Any], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In double precision, so that rounding does not decide which spikes are drawn; choices are the same."""

    def made() -> RSTDP:
        return (watcher(seed, action) if kind == "frames" else agent(kind, seed, action)).double()

    compiled = made()
    found, after = trained(compiled, seed)
    assert compiled._step is not None
    assert compiled._step.serving
    assert isinstance(compiled._step, CompiledVectors) == (kind != "frames")
    by_definition(monkeypatch)
    expected, defined = trained(made(), seed)
    for (one, said), (other, meant) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        assert said == pytest.approx(meant, rel=1e-5)
    assert after.keys() == defined.keys()
    for name, value in defined.items():
        close = {"rtol": 1e-9, "atol": 1e-10} if value.dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
        torch.testing.assert_close(after[name], value, **close)


def test_every_setting_of_the_agent_is_tried_above_or_of_no_matter_here() -> None:
    """A setting that is new has to be drawn, so that a compiled step cannot pass over what it means."""
    tried = {*drawn_settings(np.random.default_rng(0)), *DRAWN_HERE}
    assert {field.name for field in fields(RSTDPConfig)} <= tried | FIXED.keys()


def test_the_recipe_decides_alike_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    def played() -> list[Any]:
        made = make(SPACES["vector"], seed=3, value_range=None, exploration_bonus=0.5, postsynaptic_floor=0.05)
        return [action for action, _ in trained(made, 3)[0]]

    compiled = played()
    by_definition(monkeypatch)
    np.testing.assert_array_equal(compiled, played())


@pytest.mark.parametrize(
    "others",
    [{"update_every": 2}, {"modulator": "shuffled"}, {"plasticity": False}, {"network": {"hidden": [{"size": 4}]}}],
)
def test_other_agents_go_by_the_definition(others: dict[str, Any]) -> None:
    made = agent("vector", 0, **others)
    trained_ = step(made, seen(SPACES["vector"], ROWS, 0), begins(ROWS), made.begin(ROWS))
    assert trained_[1].decision is not None
    assert made._step is None or not made._step.serving


def test_decisions_with_forbidden_actions_go_by_the_definition_in_between() -> None:
    made, draw = agent("vector", 0), np.random.default_rng(0)
    state, feedback, ended = made.begin(ROWS), begins(ROWS), np.zeros(ROWS, bool)
    for number in range(12):
        mask = np.tile([False, True, False], (ROWS, 1)) if number % 2 else None
        action, state, _ = step(made, seen(SPACES["vector"], ROWS, number), feedback._replace(action_mask=mask), state)
        assert mask is None or (np.asarray(action) == 3).all(), "the second of those that begin at 2"
        feedback, ended = drawn_feedback(draw, ended)
    assert torch.isfinite(to(made, "actor").weight).all()


def test_a_setting_of_a_neuron_counts_from_when_it_is_assigned() -> None:
    made = agent("vector", 1)
    state = step(made, seen(SPACES["vector"], ROWS, 0), begins(ROWS), made.begin(ROWS))[1]
    made.network.neuron("actor").v_threshold = 1e6
    state = step(made, seen(SPACES["vector"], ROWS, 1), told([0.0] * ROWS), state)[1]
    assert state.decision is not None
    assert not state.decision.activity.preference.any()


def test_a_copy_of_an_agent_learns_by_itself() -> None:
    made = agent("unbounded", 1)
    trained(made, 1)
    copy, kept = deepcopy(made), made.state_dict()["network.encoder.normaliser.mean"].clone()
    trained(copy, 2)
    assert torch.equal(made.state_dict()["network.encoder.normaliser.mean"], kept)
    assert not torch.equal(copy.state_dict()["network.encoder.normaliser.mean"], kept)


def test_an_observation_that_is_not_finite_is_named() -> None:
    made = agent("unbounded", 0)
    observation = np.full((ROWS, 2), np.nan, np.float32)
    with pytest.raises(ConfigError, match="must be finite"):
        made.act(observation, begins(ROWS), made.begin(ROWS))
