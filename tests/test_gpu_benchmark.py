"""The command that measures a card, run to its end on the CPU with tiny sizes."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snnrl.config import RunConfig
from snnrl.learners import LEARNERS, make_learner
from snnrl.recipes import compose_run
from snnrl.training.supervised_config import SupervisedConfig

ROOT = Path(__file__).parents[1]
STEPS = ("machine", "kernels", "agents", "learners", "policies", "resume")
PEERS = ("ANNarchy", "bindsnet", "brian2", "nest", "norse", "snntorch", "spikingjelly")
TIMED = ("seed", "lif", "mnist", "mstdp", "acting", "tracing")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the steps, whose modules are forgotten again."""
    known = set(sys.modules)
    for folder in ("benchmarks/peers", "benchmarks", "benchmarks/gpu"):
        monkeypatch.syspath_prepend(str(ROOT / folder))
    yield ROOT / "benchmarks" / "gpu"
    for name in set(sys.modules) - known:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(ROOT / "benchmarks"):
            del sys.modules[name]


def cases(script: Path) -> dict[str, Any]:
    found: dict[str, Any] = runpy.run_path(str(script))["CASES"]
    return found


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


@pytest.mark.parametrize("step", ["agents", "policies", "resume"])
def test_what_is_trained_on_a_card_has_settings_that_there_are(scripts: Path, step: str) -> None:
    found = cases(scripts / f"{step}.py")
    assert len(found) > 5
    for case in found.values():
        settings = compose_run(case[0] if isinstance(case, tuple) else case)
        (SupervisedConfig if "learner" in settings else RunConfig).from_mapping(settings)


def test_every_learner_is_compared_with_settings_that_it_has(scripts: Path) -> None:
    variants = runpy.run_path(str(scripts / "learners.py"))["VARIANTS"]
    assert set(variants) == set(LEARNERS.names())
    for name, each in variants.items():
        for settings in each:
            make_learner({"name": name, **settings}, (1, 28, 28), 10)


@pytest.mark.parametrize("script", sorted((ROOT / "benchmarks").glob("**/*.py")), ids=lambda path: path.stem)
def test_every_script_is_imported(scripts: Path, script: Path) -> None:
    try:
        runpy.run_path(str(script))
    except ModuleNotFoundError as error:
        if error.name not in PEERS:
            raise


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
