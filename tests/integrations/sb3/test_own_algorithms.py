"""An algorithm of somebody's own: one Python file and one recipe, in a package outside this repository."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from stable_baselines3.common.base_class import BaseAlgorithm

import snnrl
from snnrl.compare import main as compare
from snnrl.convert import main as convert
from snnrl.energy import main as energy
from snnrl.evaluate import main as evaluate
from snnrl.train import main as train
from snnrl.training.checkpoints import load_checkpoint

MODULE = '''
"""PPO that stops an epoch early, and DDPG, which is TD3 with one critic and without its delay."""

from dataclasses import dataclass

from stable_baselines3 import DDPG, PPO

from snnrl.integrations.sb3 import OffPolicyAgent, PPOAgent, PPOConfig, TD3Agent, TD3Config
from snnrl.settings import setting


class EarlyPPO(PPO):
    def __init__(self, *args, patience=1, **kwargs):
        self.patience = patience
        super().__init__(*args, **kwargs)


@dataclass(frozen=True)
class EarlyConfig(PPOConfig):
    patience: int = setting(3, "epochs", at_least=1)


class Early(PPOAgent):
    Config = EarlyConfig
    ALGORITHM = EarlyPPO


class DDPGAgent(OffPolicyAgent[DDPG, TD3Config]):
    Config = TD3Config
    ALGORITHM = DDPG
    POLICIES = TD3Agent.POLICIES
    ACTIONS = "continuous"
'''
RECIPES = {
    "early": "defaults: [ppo]\nname: early_stopping.agents:Early\npatience: 2\n",
    "ddpg": "defaults: [td3]\nname: early_stopping.agents:DDPGAgent\n",
}
QUICK = ["num_envs=2", "eval.episodes=1", "eval.every=0", "logger=none", "progress=none", "agent.net_arch=[8]"]
SMALL = ["agent=early", "env=CartPole", "env_steps=128", "agent.n_steps=32", "agent.batch_size=32", *QUICK]


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"early_stopping/agents.py": MODULE, "early_stopping/__init__.py": ""}.items():
        path = tmp_path / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "agents").mkdir()
    for name, text in RECIPES.items():
        (tmp_path / "agents" / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    for name in [name for name in sys.modules if name.startswith("early_stopping")]:
        monkeypatch.delitem(sys.modules, name)


def test_it_is_trained_resumed_played_and_counted_like_those_of_snnrl() -> None:
    assert train([*SMALL, "run_dir=run", "checkpoint.every=64"]) == 0
    last = load_checkpoint(max(Path("run/checkpoints").glob("step_*")))
    assert train(["resume=run", "env_steps=192", "progress=none"]) == 0
    assert load_checkpoint(max(Path("run/checkpoints").glob("step_*")))["steps"] > last["steps"]
    assert evaluate(["run=run", "episodes=1"]) == 0
    assert energy(["run=run", "decisions=20"]) == 0
    agent = snnrl.load("run")
    assert type(agent).__name__ == "Early"
    assert agent.model.patience == 2
    assert agent.model.n_steps == 32


def test_its_ann_is_converted_and_compared() -> None:
    ann = ["agent.network=ann", "agent.activation=relu"]
    assert train([*SMALL, *ann, "run_dir=ann"]) == 0
    assert convert(["run=ann", "samples=64", "episodes=1", "sim_steps=4"]) == 0
    assert json.loads(Path("ann/converted/convert.json").read_text())["rows"][0]["sim_steps"] == 4
    assert compare([*SMALL, "seeds=1", "episodes=1", "out=compared"]) == 0
    costs = json.loads(Path("compared/compare.json").read_text())["results"]
    assert costs["spiking"][0]["synaptic_operations"] > 0
    assert "synaptic_operations" not in costs["baseline"][0]


def test_another_algorithm_of_stable_baselines3_needs_no_more() -> None:
    agent = snnrl.make_agent("Pendulum", agent="ddpg", net_arch=[8], learning_starts=8, batch_size=4)
    assert type(agent.model).__name__ == "DDPG"
    assert isinstance(agent.model, BaseAlgorithm)
    agent.learn(40)
    assert agent.num_timesteps >= 40


def test_its_settings_are_checked_by_their_declaration(capsys: pytest.CaptureFixture[str]) -> None:
    assert train([*SMALL, "agent.patience=0", "run_dir=run"]) == 2
    assert "agent.patience=0: must be an integer of at least 1" in capsys.readouterr().err
    assert train([*SMALL, "+agent.patiense=2", "run_dir=run"]) == 2
    assert "agent.patiense=2: there is no such setting; did you mean patience" in capsys.readouterr().err


def test_an_agent_that_stable_baselines3_does_not_train_has_no_conversion(capsys: pytest.CaptureFixture[str]) -> None:
    assert train(["env=CartPole", "agent=random", "env_steps=8", *QUICK[:-1], "run_dir=run"]) == 0
    assert convert(["run=run"]) == 2
    expected = "run=run: must be a run of stable-baselines3 with agent.network=ann, such as agent=ppo_ann"
    assert expected in capsys.readouterr().err
