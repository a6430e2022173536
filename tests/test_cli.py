"""How commands end: one line at most, and the exit code that tells why."""

from __future__ import annotations

import _thread
import importlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from snnrl.cli import run_command
from snnrl.errors import ConfigError, RunError
from snnrl.errors import __file__ as errors_file
from snnrl.evaluate import main as evaluate

ROOT = Path(errors_file).parents[1]
TRAINED = ROOT / "trained" / "MountainCar"


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("env=Pon: no"), 2, "error: env=Pon: no"),
        (RunError("env.id=X: broke"), 1, "error: env.id=X: broke"),
        (KeyboardInterrupt(), 130, "stopped by SIGINT"),
    ],
)
def test_what_a_user_can_cause_ends_in_one_line(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(words: Sequence[str]) -> int:
        raise error

    assert run_command(command, "", []) == code
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("train", "train"),
        ("evaluate", "evaluate_run"),
        ("controls", "run_controls"),
        ("compare", "run_comparison"),
        ("convert", "convert_run"),
        ("energy", "count_run"),
        ("export", "export_run"),
    ],
)
def test_ctrl_c_leaves_no_traceback_in_any_command(
    name: str, function: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(words: Sequence[str]) -> int:
        raise KeyboardInterrupt

    module = importlib.import_module(f"snnrl.{name}")
    monkeypatch.setattr(module, function, interrupted)
    assert module.main([]) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stopped by SIGINT")


def test_a_bug_keeps_its_traceback() -> None:
    def command(words: Sequence[str]) -> int:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        run_command(command, "", [])


def test_ctrl_c_while_an_agent_is_evaluated_leaves_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module("snnrl.loading")  # torch cannot be imported again once an interrupt has stopped it half-way
    timer = threading.Timer(2.0, _thread.interrupt_main)
    timer.start()
    try:
        assert evaluate([f"run={TRAINED}", "episodes=1000000", "progress=none"]) == 130
    finally:
        timer.cancel()
    assert capsys.readouterr().err == "stopped by SIGINT\n"


def test_a_reader_that_goes_away_changes_nothing() -> None:
    script = (
        "import sys; from snnrl.cli import run_command\n"
        "def talk(words):\n    for _ in range(1000):\n        print('x' * 1000)\n    return 3\n"
        "sys.exit(run_command(talk, '', []))"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 3
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
