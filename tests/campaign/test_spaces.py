"""Every agent in every odd environment by the real runner: trained, saved, evaluated, loaded; or refused in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

import snnrl
from snnrl.train import main as train
from tests.envs.odd_environments import POSSIBLE, TABLE
from tests.envs.odd_runs import QUIET, WORDS


@pytest.mark.campaign
@pytest.mark.parametrize("agent", WORDS)
@pytest.mark.parametrize("name", TABLE)
def test_every_agent_trains_in_every_space_or_refuses_it_in_one_line(
    agent: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    words = [f"env.id=odd/{name}-v0", f"agent={agent}", *WORDS[agent], "env_steps=240", f"run_dir={folder}"]
    code = train([*words, *QUIET])
    if refuses(agent, name):
        assert code == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert not folder.exists()
        return
    assert code == 0
    observation_space, action_space = TABLE[name]
    action, _ = snnrl.load(folder).predict(observation_space.sample(), deterministic=True)
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
