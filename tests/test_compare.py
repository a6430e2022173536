"""A spiking policy against its ANN baseline, as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from snnrl.compare import main
from snnrl.training.folder import alone

WORDS = ["experiment=ppo_cartpole", "env_steps=512", "seed=3", "seeds=2", "episodes=4", "progress=none"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short comparison over two seeds."""
    folder = tmp_path_factory.mktemp("compare") / "out"
    assert main([*WORDS, f"out={folder}"]) == 0
    return folder


def test_both_are_trained_on_the_same_seeds_and_differ_in_the_network_alone(out: Path) -> None:
    import yaml

    for seed in (3, 4):
        spiking, baseline = (yaml.safe_load((out / f"{name}-{seed}" / "config.yaml").read_text()) for name in NAMES)
        assert (spiking["agent"].pop("network"), baseline["agent"].pop("network")) == ("spiking", "ann")
        assert spiking == baseline
        assert spiking["seed"] == seed


NAMES = ("spiking", "baseline")


def test_the_table_and_the_figure_are_written(out: Path) -> None:
    results = json.loads((out / "compare.json").read_text())["results"]
    assert [len(results[name]) for name in NAMES] == [2, 2]
    table = (out / "compare.md").read_text()
    for name in NAMES:
        scores = [result["score"] for result in results[name]]
        assert f"| {name} | {sum(scores) / 2:.1f} (" in table
        assert ", ".join(f"{score:.1f}" for score in scores) in table
    assert all(0 < result["firing_rate"] < 1 for result in results["spiking"])
    assert "4,480 multiplications" in table
    assert (out / "compare.png").stat().st_size > 10_000


def test_what_is_there_is_not_done_again(out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("step_*.pt")}
    assert main([*WORDS, f"out={out}"]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("step_*.pt")}


def test_runs_of_other_settings_are_neither_reused_nor_overwritten(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert main([*(word for word in WORDS if "env_steps" not in word), "env_steps=1024", f"out={out}"]) == 2
    assert (
        f"out={out}: spiking-3 is a run of other settings (env_steps is 512, now 1024); must be another one"
        in capsys.readouterr().err
    )
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*")}


def test_a_folder_that_cannot_be_written_to_is_found_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main([*WORDS, f"out={tmp_path / 'file' / 'out'}"]) == 2
    assert capsys.readouterr().err == (
        f"error: out={tmp_path}/file/out: cannot be written to (Not a directory); must be a folder that can\n"
    )


def test_the_default_folder_names_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/compare-ppo_cartpole-512")
    with alone(folder, "out"):
        assert main(WORDS) == 2
    assert f"out={folder}: another command is carrying out runs in this folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("seeds=0", "seeds=0: must be an integer of at least 1"),
        ("against=agent.network=spiking", "a setting that differs"),
        ("against=agent.netwrok=ann", "did you mean agent.network"),
        ("experiment=mnist_surrogate", "learns from a data set"),
        ("device=cuda:99", "device=cuda:99: torch sees"),
        ("agent.sim_steps=0", "agent.sim_steps=0: must be an integer of at least 1"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    word: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [other for other in WORDS if other.partition("=")[0] != word.partition("=")[0]]
    kept = given if not word.startswith("experiment") else [w for w in given if not w.startswith("env_steps")]
    assert main([*kept, word, f"out={tmp_path / 'out'}"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
