"""The command that measures a card, run to its end on the CPU with tiny sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEPS = ("machine", "kernels", "agents", "learners", "policies", "resume")
TIMED = ("seed", "lif", "mnist", "mstdp", "acting", "tracing")


def measured(out: Path, *steps: str) -> str:
    """What the report says of a dry run of these steps, all of whose rows were found."""
    environment = {**os.environ, "PYTHON": sys.executable}
    command = [str(ROOT / "benchmarks" / "gpu.sh"), "--dry", "--out", str(out), "--only", *steps]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads((out / "gpu.json").read_text())["steps"]
    assert set(found) == set(steps)
    for step in found.values():
        assert step["rows"] != []
        assert [row for row in step["rows"] if "error" in row] == []
    report = [sys.executable, str(ROOT / "benchmarks" / "gpu_report.py"), str(out / "gpu.json")]
    return subprocess.run(report, capture_output=True, text=True, check=True).stdout


def test_a_step_is_measured_and_reported(tmp_path: Path) -> None:
    assert "### Machine\n\nno card" in measured(tmp_path, "machine")


@pytest.mark.slow
@pytest.mark.parametrize("step", [*STEPS, *TIMED])
def test_every_step_runs_to_its_end_without_a_card(tmp_path: Path, step: str) -> None:
    assert measured(tmp_path, step).startswith("### ")


def test_what_was_measured_is_reported_whole() -> None:
    results = sorted((ROOT / "benchmarks" / "results").glob("h100*.json"))
    report = [sys.executable, str(ROOT / "benchmarks" / "gpu_report.py"), *map(str, results)]
    shown = subprocess.run(report, capture_output=True, text=True, check=True).stdout
    assert shown.count("### ") == len(STEPS) + len(TIMED)
    assert "| R-STDP, SpaceInvaders | 2,400 | yes | yes |" in shown
