"""The controls of a run, as a command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from snnrl.controls import CONTROLS, main
from snnrl.train import main as train

EPISODES = 4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of CartPole, and its controls over two seeds."""
    folder = tmp_path_factory.mktemp("controls") / "run"
    words = ["env=CartPole", "env_steps=4000", "eval.episodes=4", "eval.every=0", "seed=7", "logger=none"]
    assert train([*words, "progress=none", f"run_dir={folder}"]) == 0
    assert main([f"run={folder}", "seeds=2", f"episodes={EPISODES}", "progress=none"]) == 0
    return folder


def test_every_control_is_evaluated_for_every_seed(run: Path) -> None:
    written = json.loads((run / "controls-4000" / "controls.json").read_text())
    assert written["seeds"] == [7, 8]
    assert list(written["results"]) == [
        *(control.name for control in CONTROLS),
        "best constant action",
        "random actions",
    ]
    assert all(len(found) == 2 for found in written["results"].values())


def test_a_control_differs_from_the_run_in_what_it_takes_away_alone(run: Path) -> None:
    import yaml

    own = yaml.safe_load((run / "config.yaml").read_text())
    shuffled = yaml.safe_load((run / "controls-4000" / "shuffled-7" / "config.yaml").read_text())
    assert shuffled["agent"] == {**own["agent"], "modulator": "shuffled"}
    assert {key: shuffled[key] for key in ("seed", "env_steps", "num_envs")} == {
        key: own[key] for key in ("seed", "env_steps", "num_envs")
    }
    assert shuffled["env"] == own["env"]


def test_the_run_itself_counts_as_the_first_seed_and_is_not_trained_again(run: Path) -> None:
    assert not (run / "controls-4000" / "learned-7").exists()
    assert (run / "controls-4000" / "learned-8" / "summary.json").is_file()


def test_the_table_names_the_constant_action_and_the_figure_is_drawn(run: Path) -> None:
    table = (run / "controls-4000" / "controls.md").read_text()
    assert "| best constant action (" in table
    assert (run / "controls-4000" / "controls.png").stat().st_size > 10_000


def test_what_is_there_is_not_done_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = [*run.rglob("checkpoints/*"), *run.rglob("controls-[0-9].json")]
    before = {path: path.stat().st_mtime_ns for path in kept}
    assert main([f"run={run}", "seeds=2", f"episodes={EPISODES}", "progress=none"]) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert "learned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "run is missing: must be the folder of a run"),
        (["run=nowhere"], "run=nowhere: there is no such folder; must be the folder of a run"),
        (["{run}"], "{run}: must be run={run}, the folder of a run"),
        (["run={run}", "seeds=0"], "seeds=0: must be an integer of at least 1"),
        (["run={run}", "seeds"], "seeds: must be key=value, such as seeds=3"),
        (["run={run}", "sedes=2"], "sedes=2: there is no such option; did you mean seeds or episodes?"),
        (["run={run}", "progress=loud"], "progress=loud: must be one of auto, bar, plain, none"),
    ],
)
def test_a_wrong_option_is_named(words: list[str], message: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word.format(run=run) for word in words]) == 2
    assert capsys.readouterr().err.strip() == f"error: {message.format(run=run)}"


def test_a_gpu_that_is_not_here_is_said_before_anything_starts(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("controls-*"))
    settings = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(settings.replace("device: auto", "device: cuda:99"))
    assert main([f"run={copied}", "seeds=2", "progress=none"]) == 2
    assert capsys.readouterr().err.startswith("error: device=cuda:99: torch sees")
    assert not list(copied.glob("controls-*"))


def test_an_agent_without_plasticity_has_no_controls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "random"
    words = ["env=CartPole", "agent=random", "env_steps=16", "eval.episodes=1", "logger=none", "progress=none"]
    assert train([*words, f"run_dir={folder}"]) == 0
    assert main([f"run={folder}"]) == 2
    assert "must be of an agent that has agent.critic_lr, such as rstdp" in capsys.readouterr().err
