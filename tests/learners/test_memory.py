"""Learners of more neurons than memory holds are refused before any is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnrl.train import main


@pytest.mark.parametrize(
    ("experiment", "setting"),
    [
        ("mnist_unsupervised", "n_neurons=1000000000"),
        ("mnist_surrogate", "n_hidden=1000000000"),
        ("mnist_supervised_clamped", "per_class=100000000"),
        ("mnist_supervised", "n_hidden=1000000000"),
    ],
)
def test_more_weights_than_fit_are_refused_with_an_estimate(
    experiment: str, setting: str, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"experiment={experiment}", setting, f"data_dir={drawn}", "logger=none", "progress=none"]
    assert main([*words, f"run_dir={tmp_path / 'run'}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: learner.{setting}: needs at least ")
    assert "GiB of memory for weights" in line
    assert not (tmp_path / "run").exists()
