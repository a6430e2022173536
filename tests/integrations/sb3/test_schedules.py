"""Runs that pass their own end by the rest of a round: learning rates stay at theirs, and it is said beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import snnrl
from snnrl.integrations.sb3.config import falling
from snnrl.train import main as train

ROUNDS = {
    "ppo": ["env=CartPole", "agent.n_steps=32", "agent.batch_size=32"],
    "a2c": ["env=CartPole", "agent.n_steps=32"],
    "dqn": ["env=CartPole", "agent.train_freq=32", "agent.learning_starts=0", "agent.gradient_steps=1"],
    "sac": ["env=Pendulum", "agent.train_freq=32", "agent.learning_starts=0", "agent.gradient_steps=1"],
    "td3": ["env=Pendulum", "agent.train_freq=32", "agent.learning_starts=0", "agent.gradient_steps=1"],
}
"""Words by which every algorithm gathers 64 steps of two environments at a time."""


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0, 2.0])
def test_a_schedule_stays_at_its_end(share: float) -> None:
    schedule = falling(0.5, share)
    assert schedule(1.0) == 0.5
    assert schedule(0.5) == pytest.approx(0.5 * (1 + share) / 2)
    assert schedule(0.0) == schedule(-0.28) == schedule(-7.0) == pytest.approx(0.5 * share)


@pytest.mark.parametrize("algorithm", list(ROUNDS))
def test_no_algorithm_ascends_where_its_rounds_pass_the_end(algorithm: str, tmp_path: Path) -> None:
    words = ["num_envs=2", "env_steps=100", "agent.lr_end_factor=0", "agent.net_arch=[4]", "logger=none"]
    words += ["progress=none", "eval.episodes=1", f"run_dir={tmp_path / 'run'}"]
    assert train([f"agent={algorithm}", *ROUNDS[algorithm], *words]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    rates = [row["train/learning_rate"] for row in rows if "train/learning_rate" in row]
    assert len(rates) == 2
    assert rates[0] > 0
    assert rates[1] == 0


@pytest.mark.parametrize(("env_steps", "said"), [(100, True), (128, False)])
def test_a_run_that_is_longer_than_asked_for_says_so(
    env_steps: int, said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["num_envs=2", f"env_steps={env_steps}", "agent.net_arch=[4]", "logger=none", "progress=none"]
    assert train(["agent=ppo", *ROUNDS["ppo"], *words, "eval.episodes=1", f"run_dir={tmp_path / 'run'}"]) == 0
    line = "env_steps=100: whole rollouts are trained on, agent.n_steps=32 in 2 environments, 128 env steps in all"
    assert (line in capsys.readouterr().err.splitlines()) == said


def test_learning_from_python_says_how_many_steps_it_trains_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    agent = snnrl.make_agent("CartPole", "ppo_ann", n_steps=16, batch_size=16, net_arch=[4])
    for reset in (True, False):
        agent.learn(100, reset_num_timesteps=reset)
        assert "env_steps=100: whole rollouts are trained on" in capsys.readouterr().err
        agent.learn(128, reset_num_timesteps=reset)
        assert capsys.readouterr().err == ""
