"""Conversion and cost as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import snnrl
from snnrl.convert import main as convert
from snnrl.energy import main as energy
from snnrl.evaluate import main as evaluate
from snnrl.train import main as train

QUIET = ["logger=none", "progress=none", "eval.episodes=2", "eval.every=0"]
SHORT = ["experiment=ppo_cartpole", "env_steps=512", *QUIET]


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("convert") / "ann"
    assert train([*SHORT, "agent=ppo_ann", "agent.activation=relu", f"run_dir={folder}"]) == 0
    assert convert([f"run={folder}", "sim_steps=[8,2]", "episodes=4", "samples=200"]) == 0
    return folder


def test_what_is_kept_is_reported(ann: Path) -> None:
    found = json.loads((ann / "converted" / "convert.json").read_text())
    assert [row["sim_steps"] for row in found["rows"]] == [2, 8]
    for row in found["rows"]:
        lost = (row["return_mean"] - found["random"]) / (found["ann"]["return_mean"] - found["random"])
        assert row["kept"] == pytest.approx(lost)
        assert 0 < row["firing_rate"] < 1
    assert "| 8 | " in (ann / "converted" / "convert.md").read_text()
    assert (ann / "converted" / "convert.png").stat().st_size > 10_000


def test_the_spiking_run_is_a_run(ann: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = snnrl.load(ann / "converted")
    assert agent.model.policy.spiking.sim_steps == 8
    assert evaluate([f"run={ann / 'converted'}", "episodes=4"]) == 0
    found = json.loads((ann / "converted" / "convert.json").read_text())["rows"][1]["return_mean"]
    assert json.loads((ann / "converted" / "evaluation.json").read_text())["return_mean"] == found
    assert energy([f"run={ann / 'converted'}", "decisions=100"]) == 0
    counted = json.loads((ann / "converted" / "energy.json").read_text())
    assert counted["macs_of_ann"] == 4 * 64 + 64 * 64 + 64 * 2
    assert "| readout |" in capsys.readouterr().out


def test_a_run_that_was_trained_with_spikes_is_counted_and_printed_even_where_nothing_can_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train([*SHORT, f"run_dir={tmp_path / 'run'}"]) == 0
    assert energy([f"run={tmp_path / 'run'}", "decisions=50"]) == 0
    assert json.loads((tmp_path / "run" / "energy.json").read_text())["sim_steps"] == 4
    assert energy([f"run={tmp_path / 'run'}", "decisions=1000000000000"]) == 2
    assert "decisions=1000000000000: needs at least " in capsys.readouterr().err
    (tmp_path / "run" / ".energy.json.tmp").mkdir()
    capsys.readouterr()
    assert energy([f"run={tmp_path / 'run'}", "decisions=50"]) == 1
    shown = capsys.readouterr()
    assert "| readout |" in shown.out
    assert "run cannot be written to (Is a directory)" in shown.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sim_steps=0"], "sim_steps=0: must be an integer of at least 1, or a list of them"),
        (["sim_steps=[]"], "sim_steps=[]: must be"),
        (["percentile=0"], "percentile=0: must be above 0"),
        (["episodes=0"], "episodes=0: must be an integer"),
        (["calibrate=maybe"], "calibrate=maybe: must be true or false"),
        (["simsteps=4"], "did you mean sim_steps"),
        ([], "converted: must be a new folder"),
        (["run=nowhere"], "there is no such folder"),
    ],
)
def test_a_wrong_conversion_is_refused(
    ann: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert([f"run={ann}", *words]) == 2
    assert message in capsys.readouterr().err


def test_what_does_not_spike_costs_no_spikes(ann: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert energy([f"run={ann}"]) == 2
    assert f"run={ann}: must be a run of stable-baselines3 with agent.network=spiking" in capsys.readouterr().err
    assert energy([f"run={ann}", "decision=3"]) == 2
    assert "did you mean decisions" in capsys.readouterr().err
