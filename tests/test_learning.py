"""What the recipes claim to learn they learn, on a short budget; what is taken away in the controls is what does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from snnrl.train import main

TASKS = {
    "env.id=CartPole-v1": (40_000, 400.0),
    "env.id=Acrobot-v1": (60_000, -200.0),
    "env=FrozenLake": (150_000, 0.15),
    "env=Pendulum": (100_000, -700.0),
}
"""Environment steps, and the return that must be passed; random play gets 21, -497, 0.00 and -1256."""
LONG = {"env=FrozenLake"}


def tasks(long: set[str]) -> list[object]:
    """Names of all tasks, of which those that take long run on demand."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in long else name for name in TASKS]


def trained(name: str, folder: Path, *words: str) -> float:
    """Mean return of 50 episodes, or as many as ``words`` say, that training did not see."""
    steps, _ = TASKS[name]
    common = ["eval.every=0", "eval.episodes=50", "logger=none", "progress=none", "seed=3", f"run_dir={folder}"]
    assert main([name, f"env_steps={steps}", *common, *words]) == 0
    return float(json.loads((folder / "summary.json").read_text())["eval/return_mean"])


@pytest.mark.parametrize("name", tasks(LONG))
def test_the_recipe_learns(name: str, tmp_path: Path) -> None:
    assert trained(name, tmp_path / "run") >= TASKS[name][1]


def test_rewards_a_thousand_times_as_large_are_learned_from_as_well(tmp_path: Path) -> None:
    name = "env.id=CartPole-v1"
    assert trained(name, tmp_path / "run", "env.reward.scale=1000") >= TASKS[name][1]


@pytest.mark.parametrize("name", TASKS)
def test_the_same_network_without_plasticity_does_not(name: str, tmp_path: Path) -> None:
    assert trained(name, tmp_path / "run", "experiment=plasticity_off", "env_steps=16") < TASKS[name][1]


@pytest.mark.parametrize("name", tasks({*LONG, "env=Pendulum", "env.id=Acrobot-v1"}))
def test_the_same_network_with_its_modulator_shuffled_does_not(name: str, tmp_path: Path) -> None:
    assert trained(name, tmp_path / "run", "experiment=shuffled", "eval.episodes=10") < TASKS[name][1]


@pytest.mark.slow
def test_a_hidden_layer_that_learns_answers_what_its_controls_cannot(tmp_path: Path) -> None:
    """Ten questions of XOR an episode; functions of each number alone answer 7.5 at best, random features some more."""
    common = ["experiment=hidden_xor", "eval.every=0", "logger=none", "progress=none", "seed=3"]
    returns = []
    for number, words in enumerate(([], ["agent.hidden_plasticity=false"], ["agent.network.hidden=[]"])):
        folder = tmp_path / str(number)
        assert main([*common, f"run_dir={folder}", *words]) == 0
        returns.append(float(json.loads((folder / "summary.json").read_text())["eval/return_mean"]))
    learned, kept, without = returns
    assert learned > 9.5
    assert max(kept, without) < 8.5
