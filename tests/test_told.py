"""What is said of settings, and of things by their representation; what commands write where."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch

import snnrl
from snnrl import plot
from snnrl.connections import Conv2d, Dense, Sparse
from snnrl.encoders import PoissonEncoder
from snnrl.errors import ConfigError
from snnrl.evaluate import main as evaluate
from snnrl.neurons import LIF, Izhikevich, LeakyIntegrator
from snnrl.plasticity import STDP, ThreeFactor, TruncatedThreeFactor
from snnrl.train import main as train

ROOT = Path(__file__).parents[1]
QUIET = ["logger=none", "progress=none"]
HIDDEN = "agent.network.hidden=[{size: 8, neuron: lif, rule: {name: e_prop, feedback: adaptive}}]"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: LIF(4, tau_mem=10.0), "LIF(shape=(4,), tau_mem=10.0, v_rest=0.0, v_threshold=1.0, v_reset=0.0"),
        (lambda: LIF(2, tau_mem=torch.tensor([5.0, 6.0])), "LIF(shape=(2,), tau_mem=<(2,)>"),
        (lambda: LIF(2, tau_mem=5.0, learnable=("tau_mem",)), "LIF(shape=(2,), tau_mem=5"),
        (lambda: Izhikevich((2, 3)), "Izhikevich(shape=(2, 3), a=0.02, b=0.2"),
        (lambda: LeakyIntegrator(3, tau_mem=7.0), "LeakyIntegrator(shape=(3,), tau_mem=7.0"),
        (lambda: Dense(3, 2, bounds=(0.0, 1.0), mask=torch.ones(2, 3)), "Dense(pre=3, post=2, by_pre=True, bounds="),
        (lambda: Conv2d(1, 2, 3), "Conv2d(pre_channels=1, post_channels=2, kernel_size=3"),
        (lambda: Sparse.random(9, 9, 1.0), "Sparse(pre=9, post=9, index=<(2, 81)>"),
        (lambda: STDP(a_plus=0.02), "STDP(a_plus=0.02, a_minus=0.01, tau_pre=20.0, tau_post=20.0, dt=1.0)"),
        (lambda: PoissonEncoder(4, sim_steps=10), "PoissonEncoder(\n  size=4, sim_steps=10"),
    ],
)
def test_the_representation_has_the_settings(made: object, expected: str) -> None:
    assert callable(made)
    assert repr(made()).startswith(expected)


def test_a_setting_that_was_assigned_is_shown_as_it_is() -> None:
    rule, neurons = STDP(), LIF(2)
    rule.a_plus, neurons.tau_mem = 0.5, 5.0
    assert "a_plus=0.5" in repr(rule)
    assert "tau_mem=5.0" in repr(neurons)


def test_coincidences_that_would_be_kept_for_ever_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"decay=1\.0: must be below 1, or nothing is ever forgotten"):
        TruncatedThreeFactor(1.0)
    ThreeFactor(1.0)


@pytest.mark.parametrize("readout", ["actor", "critic"])
def test_feedback_that_would_stand_still_in_silence_is_refused(
    readout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(["env=CartPole", HIDDEN, f"agent.network.{readout}.rule=null", *QUIET]) == 2
    expected = f"feedback=adaptive: must be random or symmetric where agent.network.{readout}.rule is null"
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("encoder", ["frames", "objects", "blobs"])
def test_an_interval_of_rows_is_two_numbers(encoder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["env.id=ALE/Pong-v5", f"agent.encoder.name={encoder}", "agent.encoder.rows=[1]"]
    assert train([*words, *QUIET, f"run_dir={tmp_path / 'run'}"]) == 2
    expected = "agent.encoder.rows=[1]: must be [first, past] with 0 <= first < past <= 210"
    assert expected in capsys.readouterr().err


def test_a_learner_is_checked_before_its_data_are_sought(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(["experiment=mnist_unsupervised", "n_neurons=abc", f"data_dir={tmp_path / 'none'}", *QUIET]) == 2
    assert "learner.n_neurons=abc: must be an integer of at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("env_id", "expected"),
    [
        ("CartPoel-v1", "did you mean CartPole-v1 or CartPole-v0 or "),
        ("Zzzz", "under this id; one of your own is named with the module that registers it, env.id=my_module:Zzzz"),
        ("json:Zzzz", "under this id; json was imported and did not register it"),
        ("ALE/Pung-v5", "an id reads ALE/<Game>-v5, did you mean Pong"),
        ("ALE/Qqqq-v5", "an id reads ALE/<Game>-v5\n"),
    ],
)
def test_an_unknown_id_is_told_the_nearest(env_id: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert train([f"env.id={env_id}"]) == 2
    told = capsys.readouterr().err
    assert expected in told
    assert told.count(" or ") <= 4
    assert len(told) < 400


def test_a_run_that_is_only_read_is_evaluated_elsewhere(tmp_path: Path) -> None:
    run = shutil.copytree(ROOT / "trained" / "MountainCar", tmp_path / "run")
    before = sorted(run.iterdir())
    assert evaluate([f"run={run}", f"out={tmp_path / 'found' / 'here'}", "episodes=1", "progress=none"]) == 0
    assert json.loads((tmp_path / "found" / "here" / "evaluation.json").read_text())["episodes"] == 1
    assert sorted(run.iterdir()) == before


def test_a_place_that_cannot_be_written_to_is_said_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert evaluate([f"run={ROOT / 'trained' / 'MountainCar'}", f"out={tmp_path / 'file'}", "episodes=1"]) == 2
    assert f"out={tmp_path / 'file'}: cannot be written to" in capsys.readouterr().err


def test_an_agent_of_a_run_knows_how_long_it_has_learned(tmp_path: Path) -> None:
    run = snnrl.train(
        "CartPole", env_steps=64, eval={"every": 0, "episodes": 1}, run_dir=tmp_path / "run", logger="none"
    )
    agent = snnrl.load(tmp_path / "run")
    assert (agent.num_timesteps, agent.epoch) == (64, run.agent.epoch)
    seen: list[int] = []
    agent.learn(64, callback=lambda names, _: bool(seen.append(names["self"].num_timesteps)) or True)
    assert seen[0] < 64
    agent = snnrl.load(tmp_path / "run")
    agent.learn(64, reset_num_timesteps=False)
    assert agent.num_timesteps == 128


def test_a_signal_before_the_first_step_says_that_nothing_was_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from snnrl import loading

    monkeypatch.setattr(loading, "task_of", lambda settings, ranks: signal.raise_signal(signal.SIGTERM))
    assert train(["env=CartPole", f"run_dir={tmp_path / 'run'}"]) == 143
    assert capsys.readouterr().err == "stopped by SIGTERM before the first step; nothing was written\n"
    assert not (tmp_path / "run").exists()


def test_a_program_names_the_settings_of_an_agent_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_agents.py").write_text(
        "from snnrl.agents.constant import Constant\nclass Mine(Constant):\n    pass\n"
    )
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "Mine.yaml").write_text("name: own_agents:Mine\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["env=CartPole", "env_steps=16", "eval.episodes=1", "agent=Mine", *QUIET, "run_dir=run"]
    assert train([*words, "agent.action=1"]) == 0
    assert snnrl.load("run").predict([0.0] * 4)[0] == 1


def test_a_notebook_shows_pictures_as_they_are() -> None:
    assert plot.stdp_window(STDP())._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
