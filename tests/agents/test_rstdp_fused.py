"""Agents whose readouts are fused learn what agents whose network is composed learn, whatever their settings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from snnrl.agents.rstdp import RSTDP
from snnrl.envs import Feedback
from tests.agents.rstdp_toy import OBSERVATIONS, begins, make, seen, step

STEPS, ROWS = 24, 3


def drawn_settings(draw: np.random.Generator) -> dict[str, Any]:
    """Settings of an agent, each over its range."""

    def rule() -> dict[str, Any]:
        floor = float(draw.choice([0.0, 0.05]))
        own = {"postsynaptic_floor": floor, "learning_rate": draw.uniform(0.5, 2), "decay": draw.uniform(0, 1)}
        return {"name": "three_factor", **own}

    actor = {"name": "escape_noise", "v_threshold": draw.uniform(0, 1), "width": draw.uniform(0.2, 1)}
    critic = {"name": "saturating_if", "gain": draw.uniform(0.1, 0.5), "tonic": draw.uniform(0, 0.3)}
    return {
        "sim_steps": int(draw.integers(1, 9)),
        "dt": float(draw.choice([0.5, 1.0])),
        "tau": draw.uniform(2, 20),
        "network": {
            "actor": {"per_action": int(draw.integers(1, 5)), "neuron": actor, "rule": rule()},
            "critic": {"size": int(draw.integers(1, 8)), "neuron": critic, "rule": rule()},
        },
        "gamma": draw.uniform(0.5, 1),
        "trace_lambda": draw.uniform(0, 1),
        "actor_lr": 0.05,
        "critic_lr": 0.05,
        "lr_per_input": bool(draw.integers(2)),
        **(
            {"normalise_td": True, "td_limit": [None, 0.5, math.inf][draw.integers(3)]}
            if draw.integers(2)
            else {"normalise_td": False}
        ),
        "entropy_coef": float(draw.choice([0.0, 0.1])),
        "exploration_bonus": float(draw.choice([0.0, 0.5])),
        "weight_mean": draw.uniform(0.1, 0.5),
        "weight_std": 0.2,
        "update_every": int(draw.integers(1, 5)),
        "modulator": str(draw.choice(["td", "shuffled"])),
    }


def drawn_feedback(draw: np.random.Generator, ended: np.ndarray[Any, Any]) -> tuple[Feedback, np.ndarray[Any, Any]]:
    """Rewards, lost lives, which are ends without a reset, and ends of games; and which games have ended."""
    reset = ended
    over = (draw.random(ROWS) < 0.15) & ~reset
    truncated = over & (draw.random(ROWS) < 0.5)
    lost = (draw.random(ROWS) < 0.2) & ~reset & ~truncated
    reward = np.where(reset, 0, draw.normal(size=ROWS)).astype(np.float32)
    return Feedback(reward, (over & ~truncated) | lost, truncated, reset), over


def trained(agent: RSTDP, space: spaces.Space[Any], seed: int) -> dict[str, torch.Tensor]:
    draw, state, feedback, ended = np.random.default_rng(seed), agent.begin(ROWS), begins(ROWS), np.zeros(ROWS, bool)
    for number in range(STEPS):
        _, state, _ = step(agent, seen(space, ROWS, 100 * seed + number), feedback, state)
        feedback, ended = drawn_feedback(draw, ended)
    eligibility = {f"eligibility {number}": rule.eligibility for number, rule in enumerate(state.rules)}
    return {**agent.state_dict(), **eligibility}


@pytest.mark.parametrize("kind", ["vector", "discrete", "frames"])
@pytest.mark.parametrize("seed", range(8))
def test_fused_readouts_learn_what_the_composed_network_learns(kind: str, seed: int) -> None:
    """In double precision, so that rounding does not decide which spikes are drawn."""
    space, settings = OBSERVATIONS[kind], drawn_settings(np.random.default_rng(seed))
    found = []
    for composed in (False, True):
        agent = make(space, seed=seed, **settings).double()
        if composed:
            agent.network.fused = None
        assert composed == (agent.network.fused is None)
        before = agent.state_dict()["network.connections.input to actor.weight"].clone()
        found.append(trained(agent, space, seed))
        learned = not torch.equal(before, found[-1]["network.connections.input to actor.weight"])
        assert learned or settings["modulator"] == "shuffled", "a shuffler that fills lets nothing through"
    for name, expected in found[0].items():
        torch.testing.assert_close(found[1][name], expected, rtol=1e-9, atol=1e-10)
