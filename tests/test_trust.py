"""The folder of a run that somebody sent is data: what its settings name runs only by the word of whoever opens it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import snnrl
from snnrl import train
from snnrl.config import read_settings, write_settings
from snnrl.errors import ConfigError, UntrustedCodeError
from snnrl.recipes import compose_run
from snnrl.trust import names_code
from snnrl.words import put

PAYLOAD = """
from pathlib import Path

import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

from snnrl.agents.random import Random

Path("ran").touch()


class Agent(Random):
    pass


gymnasium.register("Sent-v0", CartPoleEnv, max_episode_steps=20)
"""
NAMES = [
    {"agent": {"name": "payload:Agent"}},
    {"env": {"id": "payload:Sent-v0"}},
    {"env": {"id": "GymV26Environment-v0", "kwargs": {"env_id": "payload:Sent-v0"}}},
    {"env": {"kwargs": {"deep": [{"er": "payload:Agent"}]}}},
    {"env": {"eval_kwargs": {"env_id": "payload:Sent-v0"}}},
    {"agent": {"encoder": {"name": "payload:Encoder"}}},
    {"agent": {"network": {"hidden": [{"neuron": "payload:Neuron", "rule": {"name": "payload:Rule"}}]}}},
    {"agent": {"network": {"critic": {"connection": "payload:Connection"}}}},
]
COMMANDS = {
    "train": ["resume=sent"],
    **{name: ["run=sent"] for name in ("evaluate", "controls", "convert", "energy")},
    **{name: ["run=sent", "out=copy"] for name in ("export", "integrations.nir")},
}


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a module in it, which can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "payload", raising=False)
    monkeypatch.setattr(gymnasium, "registry", dict(gymnasium.registry))
    monkeypatch.setattr("gymnasium.envs.registration.registry", gymnasium.registry)
    Path("payload.py").write_text(PAYLOAD)


def send(changes: dict[str, Any]) -> dict[str, Any]:
    """Write the folder of a run with changed settings."""
    settings = compose_run(["env=CartPole", "agent=random", "num_envs=1", "env_steps=2", "eval.episodes=1"])
    settings.update(logger="none", progress="none")
    for section, values in changes.items():
        settings[section] = {**settings.get(section, {}), **values}
    Path("sent").mkdir(exist_ok=True)
    write_settings(Path("sent"), settings)
    return settings


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("changes", NAMES, ids=str)
def test_no_command_runs_code_that_a_folder_names(
    command: str, changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    send(changes)
    assert importlib.import_module(f"snnrl.{command}").main(COMMANDS[command]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "names code that is no part of snnrl (" in line
    assert "payload:" in line
    assert "trust=true" in line
    assert not Path("ran").exists()
    assert "payload" not in sys.modules


@pytest.mark.parametrize("setting", ["name", "neuron", "rule.name"])
def test_a_learner_and_its_parts_are_such_code_too(setting: str) -> None:
    settings = compose_run(["experiment=mnist_unsupervised"])
    put(settings, f"learner.{setting}", "payload:Payload")
    Path("sent").mkdir()
    write_settings(Path("sent"), settings)
    with pytest.raises(UntrustedCodeError, match=rf"learner\.{setting}=payload:Payload"):
        snnrl.load("sent")


def test_a_run_with_code_of_ones_own_goes_on_by_the_line_that_was_printed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["agent=random", "agent.name=payload:Agent", "env.id=payload:Sent-v0", "num_envs=1", "eval.every=0"]
    words += ["eval.episodes=1", "env_steps=2", "logger=none", "progress=none"]
    assert train.main([*words, "run_dir=mine"]) == 0
    assert "go on with: python -m snnrl.train resume=mine trust=true\n" in capsys.readouterr().err
    sys.modules.pop("payload")
    gymnasium.registry.pop("Sent-v0")
    assert train.main(["resume=mine", "env_steps=4"]) == 2
    assert train.main(["resume=mine", "trust=true", "env_steps=4", "progress=none"]) == 0
    assert importlib.import_module("snnrl.evaluate").main(["run=mine", "trust=true", "episodes=1"]) == 0
    assert "trust" not in read_settings("mine", trust=True)


def test_what_the_process_has_imported_needs_no_trust() -> None:
    send({"agent": {"name": "payload:Agent"}, "env": {"id": "payload:Sent-v0"}})
    with pytest.raises(UntrustedCodeError):
        read_settings("sent")
    importlib.import_module("payload")
    assert read_settings("sent")["agent"]["name"] == "payload:Agent"


@pytest.mark.parametrize("name", ["os:system", "pathlib:Path", "payload:gymnasium", "payload:Missing"])
def test_what_is_imported_but_no_agent_still_does(name: str) -> None:
    importlib.import_module("payload")
    send({"agent": {"name": name}})
    with pytest.raises(UntrustedCodeError):
        read_settings("sent")


def test_every_recipe_of_ours_names_no_code() -> None:
    for group, names in {"env": ["CartPole", "SpaceInvaders", "MNIST"], "experiment": ["ppo_cartpole"]}.items():
        for name in names:
            assert names_code(compose_run([f"{group}={name}"])) == {}


def test_trust_is_true_or_false_and_not_for_a_new_run(capsys: pytest.CaptureFixture[str]) -> None:
    send({})
    for words in (["resume=sent", "trust=maybe"], ["env=CartPole", "trust=true"]):
        assert train.main(words) == 2
        assert "trust=" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="trust=yes: must be true or false"):
        snnrl.load("sent", trust="yes")  # type: ignore[arg-type]
