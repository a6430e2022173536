"""Symbolic links in a run's folder, which may be a stranger's, are never written through."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnrl.errors import ConfigError
from snnrl.recipes import compose_run
from snnrl.textfiles import write_text, write_yaml
from snnrl.train import main
from snnrl.training.checkpoints import save_checkpoint
from snnrl.training.loggers import JsonlLogger


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file outside the folder of the run."""
    path = tmp_path / "victim"
    path.write_text("precious\n")
    return path


def test_metrics_are_not_written_through_a_link(victim: Path, tmp_path: Path) -> None:
    link = tmp_path / "metrics.jsonl"
    link.symlink_to(victim)
    with pytest.raises(ConfigError, match=r"metrics\.jsonl: is a symbolic link"):
        JsonlLogger(link)
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("name", ["metrics.jsonl", ".lock"])
def test_a_run_with_a_link_is_refused_in_one_line(
    name: str, victim: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    write_yaml(run / "config.yaml", compose_run(["env=CartPole", "env_steps=100", "logger=none", "progress=none"]))
    (run / name).symlink_to(victim)
    assert main([f"resume={run}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "link" in line
    assert name in line
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("name", ["energy.md", ".energy.md.tmp"])
def test_results_take_the_place_of_a_link(name: str, victim: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / name).symlink_to(victim)
    write_text(run / "energy.md", "a table\n")
    assert (run / "energy.md").read_text() == "a table\n"
    assert not (run / "energy.md").is_symlink()
    assert [path.name for path in run.iterdir()] == ["energy.md"]
    assert victim.read_text() == "precious\n"


@pytest.mark.parametrize("name", ["best.pt", ".best.pt.tmp"])
def test_checkpoints_take_the_place_of_a_link(name: str, victim: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / name).symlink_to(victim)
    save_checkpoint(run / "best.pt", {"architecture": "any"})
    assert victim.read_text() == "precious\n"
