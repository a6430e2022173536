"""Every option of every command takes its values or refuses them in one line."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from snnrl import train
from snnrl.config import write_settings
from snnrl.recipes import compose_run
from snnrl.settings import declarations

COMMANDS = (
    "evaluate",
    "controls",
    "compare",
    "convert",
    "energy",
    "export",
    "integrations.nir",
    "watch",
    "replay",
    "sweep",
)
OPTIONS = [
    (command, option)
    for command in COMMANDS
    for option in declarations(importlib.import_module(f"snnrl.{command}").Options)
    if option != "run"
]
VALUES = [
    *("", "null", "0", "-1", "1.5", "nan", ".inf", "1e400", "9" * 5000, "0x" + "f" * 5000, "true", "maybe", "[]"),
    *("[1, x]", "{a: 1}", "[" * 500, "*a", "!!python/none", "a: b", "ünï", "${x}", "a" * 300, "a\x00b", "\x1b[31m"),
    *("'", "1:2", "~"),
]


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_an_odd_value_of_an_option_is_never_a_traceback(
    command: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    write_settings(Path("run"), compose_run(["env=CartPole"]))
    run = ["env=CartPole", "experiment=nothing"] if command in ("compare", "sweep") else ["run=run"]
    out = ["out=copy"] if command in ("export", "integrations.nir", "watch", "replay") and option != "out" else []
    for value in VALUES:
        assert importlib.import_module(f"snnrl.{command}").main([*run, *out, f"{option}={value}"]) == 2, value
        shown = capsys.readouterr()
        (line,) = shown.err.splitlines()
        assert line.startswith("error: ")
        assert line.isprintable()
        assert len(line) < 3000
    assert [path.name for path in Path().iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("command", "word", "expected"),
    [
        ("sweep", "seeds=9" + "0" * 4000, "an integer that fits in 64 bits"),
        ("sweep", "seeds=5000000000", "fewer, seeds end at 2^32"),
        ("compare", "episodes=0x" + "f" * 5000, "an integer that fits in 64 bits"),
        ("tune", "startup=0x" + "f" * 5000, "an integer that fits in 64 bits"),
        ("train", "eval.episodes=9" + "0" * 30, "an integer that fits in 64 bits"),
        ("sweep", "slurm.minutes=0x" + "f" * 5000, "an integer that fits in 64 bits"),
    ],
)
def test_an_integer_too_large_for_a_command_that_is_otherwise_right_is_said_so(
    command: str,
    word: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    own = ["executor=slurm", "slurm.cluster=local"] if word.startswith("slurm") else []
    assert importlib.import_module(f"snnrl.{command}").main(["env=CartPole", *own, word]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {word.partition('=')[0]}=")
    assert line.endswith(f": must be {expected}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [["agent=rstdp"], ["agent=ppo"], ["agent=sac"], ["experiment=mnist_unsupervised"]])
def test_every_setting_of_a_recipe_is_explained(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([*words, "--help"]) == 0
    lines = capsys.readouterr().out.partition("Settings of ")[2].splitlines()[2:]
    settings = [line for line in lines if re.match(r"  \w", line)]
    assert len(settings) > 10
    assert [line for line in settings if not re.match(r"  [\w.\[\]]+ +\w", line)] == []
    assert "None" not in "".join(lines)
