"""What is logged of a model besides its score: histograms, shares of neurons, the range of the critic, the commit."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import snnrl
from snnrl.agents.look import MOST, critic_range, firing, sampled
from snnrl.training.loggers import TensorBoardLogger, WandbLogger
from snnrl.training.summary import git_commit

COMMIT = "0123456789abcdef" * 2 + "01234567"


def test_silent_and_saturated_neurons_are_told_apart() -> None:
    spikes = torch.zeros(10, 2, 4)
    spikes[:, :, 1] = 1
    spikes[::2, :, 2] = 1
    shares, rates = firing("actor", spikes, highest=1.0)
    assert (shares["neurons/actor_silent"], shares["neurons/actor_saturated"]) == (0.5, 0.25)
    assert rates.tolist() == [0.0, 1.0, 0.5, 0.0]


@pytest.mark.parametrize(("level", "end"), [(0.0, "lower"), (1.0, "upper")])
def test_a_critic_at_an_end_of_its_range_is_a_warning_in_words(level: float, end: str) -> None:
    shares, (warning,) = critic_range(torch.tensor([level, level, 0.5]))
    assert math.isclose(shares[f"critic/at_{end}_end"], 2 / 3, rel_tol=1e-6)
    assert f"the critic was at the {end} end of its range in 67 % of the last decisions" in warning
    assert critic_range(torch.tensor([level, 0.5, 0.5]))[1] == ()


def test_large_weights_are_sampled_evenly() -> None:
    found = sampled(torch.arange(5 * MOST, dtype=torch.float32))
    assert len(found) == MOST
    assert found[-1] >= 5 * MOST - 10


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("look") / "run"
    quick = {"eval": {"every": 512, "episodes": 2, "during": 2}, "logger": "tensorboard", "progress": "none"}
    quick["checkpoint"] = {"every": 512}
    settings = {"agent.value_range": [0, 0.01], "agent.network.hidden": [{"size": 9, "neuron": "lif", "rule": "stdp"}]}
    snnrl.train("CartPole", env_steps=1024, num_envs=4, run_dir=folder, **quick, **settings)
    return folder


def test_histograms_and_hyperparameters_stand_in_tensorboard(run: Path) -> None:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"histograms": 0}).Reload()
    names = set(events.Tags()["histograms"])
    assert {"td_error", "rates/actor", "rates/hidden_1", "rates/critic"} <= names
    assert any(name.startswith("weights/") for name in names)
    assert any(name.startswith("eligibility/") for name in names)
    assert len(events.Histograms("rates/actor")) == 2
    plugin = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"agent.gamma" in plugin


def test_evaluations_have_shares_and_percentiles(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (during, after) = (row for row in rows if "neurons/hidden_1_silent" in row)
    for row in (during, after):
        assert 0 <= row["neurons/hidden_1_silent"] <= 1
        assert row["critic/at_upper_end"] + row["critic/at_lower_end"] <= 1
    for row in (row for row in rows if "eval/return_mean" in row):
        assert row["eval/return_p10"] <= row["eval/return_p50"] <= row["eval/return_p90"]
    assert any(row.get("rollout/length_p90", 0) > 0 for row in rows)


def test_a_look_changes_nothing_that_is_learned(run: Path) -> None:
    settings = {"agent.value_range": [0, 0.01], "agent.network.hidden": [{"size": 9, "neuron": "lif", "rule": "stdp"}]}
    quick = {"eval": {"every": 0, "episodes": 1}, "checkpoint": {"every": 512}, "progress": "none"}
    blind = snnrl.train("CartPole", env_steps=1024, num_envs=4, **quick, **settings).agent.state_dict()
    seen = snnrl.load(run).state_dict()
    assert all(torch.equal(blind[name], value) for name, value in seen.items())


def test_the_commit_of_ones_repository_is_found_without_running_git(tmp_path: Path) -> None:
    git, below = tmp_path / ".git", tmp_path / "a" / "b"
    (git / "refs" / "heads").mkdir(parents=True)
    below.mkdir(parents=True)
    assert git_commit(below) is None
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    assert git_commit(below) == COMMIT
    (git / "refs" / "heads" / "main").write_text(f"{COMMIT[::-1]}\n")
    assert git_commit(below) == COMMIT[::-1]
    (git / "HEAD").write_text(f"{COMMIT}\n")
    assert git_commit(tmp_path) == COMMIT
    (git / "HEAD").write_text("garbage")
    assert git_commit(tmp_path) is None


def test_what_is_not_finite_has_no_histogram(tmp_path: Path) -> None:
    logger = TensorBoardLogger(tmp_path, config={"agent": {"gamma": 0.9, "network": None}, "seed": 0})
    logger.histograms({"a": np.array([np.nan, 1], np.float32), "b": np.ones(3, np.float32)}, step=1)
    logger.close({"eval/return_mean": 1.0})
    assert EventAccumulator(str(tmp_path)).Reload().Tags()["histograms"] == ["b"]


def test_the_settings_of_a_run_name_its_place_at_wandb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wandb.teardown()  # which keeps what its variables were when the process first used it
    for name, value in {"MODE": "offline", "PROJECT": "theirs", "NAME": "theirs"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    chosen = {"project": "mine", "name": None, "group": "seeds", "tags": ("a", "b")}
    logger = WandbLogger(tmp_path, {"seed": 0}, chosen=chosen)
    found = (logger._run.project, logger._run.name, logger._run.group, logger._run.tags)
    logger.histograms({"weights": np.arange(9, dtype=np.float32)}, step=1)
    logger.close()
    assert found == ("mine", "theirs", "seeds", ("a", "b"))
    assert "stopped" not in capsys.readouterr().err
