"""The scripts under ``examples/`` run as they stand, in their short form."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNNRL_SHORT", "1")
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out or list(tmp_path.iterdir())


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_can_be_read_at_a_glance(script: Path) -> None:
    assert len(script.read_text(encoding="utf-8").splitlines()) < 40


def test_there_are_ten() -> None:
    assert len(EXAMPLES) == 10
