"""Agents on pictures keep the eligibility of neurons that spiked lately alone, and learn what others learn."""

from __future__ import annotations

import pytest
import torch

from snnrl.agents.rstdp import RSTDP
from snnrl.plasticity import three_factor
from tests.agents.rstdp_toy import OBSERVATIONS, begins, make, seen, step, told
from tests.agents.test_rstdp_fused import trained

FRAMES = OBSERVATIONS["frames"]


def agent(*, sparse: bool, composed: bool) -> RSTDP:
    rule = {"name": "three_factor", "sparse": sparse}
    network = {name: {"rule": rule} for name in ("actor", "critic")}
    made = make(FRAMES, seed=3, network=network, update_every=3, actor_lr=0.05, critic_lr=0.05).double()
    if composed:
        made.network.fused = None
    return made


@pytest.mark.parametrize("composed", [False, True])
def test_an_agent_learns_as_with_an_eligibility_at_every_synapse(
    composed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(three_factor, "MOST_DENSE", 0)
    found = []
    for sparse in (False, True):
        made = agent(sparse=sparse, composed=composed)
        assert [bool(rule.recent) for rule in made.begin(2).rules] == [sparse, sparse]
        before = made.state_dict()["network.connections.input to actor.weight"].clone()
        after = {name: each for name, each in trained(made, FRAMES, 3).items() if not name.startswith("eligibility")}
        assert not torch.equal(before, after["network.connections.input to actor.weight"])
        found.append(after)
    for name, expected in found[0].items():
        torch.testing.assert_close(found[1][name], expected, rtol=1e-9, atol=1e-10)


def test_small_networks_and_place_cells_keep_an_eligibility_at_every_synapse(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(rule.recent for rule in agent(sparse=True, composed=False).begin(2).rules)
    monkeypatch.setattr(three_factor, "MOST_DENSE", 0)
    assert not any(rule.recent for rule in make(OBSERVATIONS["vector"]).begin(2).rules)


def test_what_is_kept_is_logged_at_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(three_factor, "MOST_DENSE", 0)
    made = agent(sparse=True, composed=False)
    state, feedback = made.begin(2), begins(2)
    for number in range(6):
        _, state, _ = step(made, seen(FRAMES, 2, number), feedback, state)
        feedback = told([1.0, 0.0])
    assert state.rules[0].recent
    assert len(made.look(state).values["eligibility/input to actor"])
