"""DQN with a spiking policy learns at the level of its ANN baseline, and does not where spikes carry no gradient."""

from __future__ import annotations

import json
from pathlib import Path

from snnrl.train import main as train

LEVEL = 100.0
"""Return after 5,000 steps: the ANN baseline had 118 to 448 with seeds 3 to 6, the spiking policy 121 to 183 with 3 to
5, and 68 and 85 with 3 and 4 where spikes carry no gradient."""


def learned(folder: Path, *words: str) -> float:
    """Mean return of 50 episodes that training did not see."""
    common = ["env_steps=5000", "seed=3", "eval.every=0", "eval.episodes=50", "logger=none", "progress=none"]
    assert train(["experiment=dqn_cartpole", *common, f"run_dir={folder}", *words]) == 0
    return float(json.loads((folder / "summary.json").read_text())["eval/return_mean"])


def test_dqn_learns_cartpole_as_its_baseline_does(tmp_path: Path) -> None:
    assert learned(tmp_path / "run") >= LEVEL


def test_without_a_gradient_through_spikes_it_does_not(tmp_path: Path) -> None:
    assert learned(tmp_path / "run", "agent.neuron_kwargs={surrogate:null}") < LEVEL
