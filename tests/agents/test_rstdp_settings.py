"""Settings and spaces of the R-STDP agent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from snnrl.agents.rstdp import RSTDP, RSTDPConfig
from snnrl.envs import EnvConfig
from snnrl.errors import ConfigError
from snnrl.settings import read
from tests.agents.rstdp_toy import (
    ACTIONS,
    OBSERVATIONS,
    SILENT,
    begins,
    make,
    plain,
    step,
    told,
)


@pytest.mark.parametrize(
    ("observation", "action", "named"),
    [
        (spaces.Sequence(spaces.Discrete(2)), ACTIONS["choice"], "observation space Sequence"),
        (spaces.Dict({"a": spaces.Text(2)}), ACTIONS["choice"], "observation space Dict"),
        (spaces.Box(0.0, 1.0, (210, 160, 3)), ACTIONS["choice"], "observation space Box"),
        (OBSERVATIONS["vector"], spaces.Text(2), "action space Text"),
        (OBSERVATIONS["vector"], spaces.Box(-np.inf, np.inf, (2,)), "action space Box"),
    ],
)
def test_a_space_that_cannot_be_taken_is_an_error_that_names_it(
    observation: spaces.Space[Any], action: spaces.Space[Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        make(observation, action)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("sim_steps", 0),
        ("update_every", 0),
        ("warmup_steps", 0),
        ("warmup_steps", 100.0),
        ("temperature", 0.0),
        ("weight_bound", 0.0),
        ("gamma", 1.1),
        ("trace_lambda", -0.1),
        ("lr_end_factor", 2.0),
        ("actor_lr", -1.0),
        ("critic_lr", float("nan")),
        ("entropy_coef", -1.0),
        ("postsynaptic_floor", -1.0),
        ("weight_std", -1.0),
        ("value_range", (1.0, 1.0)),
        ("modulator", "reward"),
    ],
)
def test_settings_out_of_range_are_errors(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"agent\.{setting}="):
        RSTDPConfig(**{setting: value})


def test_a_silent_critic_has_the_lowest_value_of_its_range() -> None:
    config = read(RSTDPConfig, plain({**SILENT, "value_range": (-7.0, 7.0)}), "agent")
    agent = RSTDP(OBSERVATIONS["discrete"], ACTIONS["choice"], config, EnvConfig("Toy-v0"))
    _, state, _ = step(agent, [1], begins(1), agent.begin(1))
    _, _, metrics = step(agent, [1], told([0.0]), state)
    assert metrics["train/value_mean"] == -7
