"""Every agent in every odd environment by the real trainer: trained, saved, evaluated, loaded; or refused in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnrl.errors import ConfigError
from snnrl.loading import checked, load_model, task_of
from snnrl.training.trainer import Trainer
from tests.envs.odd_environments import POSSIBLE, TABLE
from tests.envs.odd_runs import WORDS, settings


@pytest.mark.campaign
@pytest.mark.parametrize("agent", WORDS)
@pytest.mark.parametrize("name", TABLE)
def test_every_agent_trains_in_every_space_or_refuses_it_in_one_line(agent: str, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    given = settings(agent, name, steps=240)
    config = checked(given)
    if refuses(agent, name):
        with pytest.raises(ConfigError) as error:
            Trainer(task_of(given), folder)
        assert "\n" not in str(error.value)
        assert not folder.exists()
        return
    Trainer(task_of(given), folder).train()
    observation_space, action_space = TABLE[name]
    action, _ = load_model(config, folder).predict(observation_space.sample(), deterministic=True)
    assert action_space.contains(action)


def refuses(agent: str, name: str) -> bool:
    """Whether an agent cannot take an environment."""
    if name not in POSSIBLE:
        return True
    continuous = "Box" in name or name.startswith("Pushes")
    return {
        "constant": continuous or name == "DoesMixed",
        "dqn": continuous or name == "DoesMixed",
        "sac": not continuous,
        "td3": not continuous,
    }.get(agent, False)
