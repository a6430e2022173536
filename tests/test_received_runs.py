"""Text files of a run's folder that are damaged are named in one line, by every command that reads them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

import snnrl
from snnrl import train
from snnrl.errors import ConfigError
from snnrl.recipes import compose_run
from snnrl.textfiles import LARGEST, parse_yaml, read_json, read_yaml, write_yaml

COMMANDS = {
    "train": ["resume=run"],
    **{name: ["run=run"] for name in ("evaluate", "controls", "convert", "energy")},
    **{name: ["run=run", "out=copy"] for name in ("export", "integrations.nir")},
}
NOT_WHOLE: dict[str, bytes] = {
    "empty": b"",
    "one word": b"x",
    "a list": b"- a\n- b\n",
    "null": b"null\n",
    "not UTF-8": b"seed: \xff\xfe\n",
    "UTF-16": "seed: 0\n".encode("utf-16"),
    "no YAML": b"seed: [1\n",
    "deep": b"seed: " + b"[" * 1500,
    "NUL": b"seed: 0\x00\n",
    "digits": b"seed: " + b"1" * 5000,
    "twice": b"seed: 0\nseed: 1\n",
    "a tag": b"seed: !!python/object/apply:os.system [touch ran]\n",
    "aliases": b"a: &a [x, x]\nb: &b [*a, *a]\nseed: [*b, *b]\n",
    "long": b"#" * (LARGEST + 10),
}


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()


def settings(**changes: Any) -> dict[str, Any]:
    return {**compose_run(["env=CartPole"]), **changes}


def refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says."""
    assert importlib.import_module(f"snnrl.{command}").main(COMMANDS[command]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "=run: " in line
    assert len(line) < 1500
    return line


@pytest.mark.parametrize("damage", NOT_WHOLE)
def test_settings_that_are_no_settings_are_named(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("run/config.yaml").write_bytes(NOT_WHOLE[damage])
    for command in COMMANDS:
        assert "config.yaml is damaged (" in refused(command, capsys)
    assert not Path("ran").exists()


MISTYPED: dict[str, tuple[dict[str, Any], str]] = {
    "key": ({"env_stps": 3}, "env_stps=3: there is no such setting; did you mean env_steps?"),
    "number as key": ({3: 3}, "3=3: there is no such setting"),  # type: ignore[dict-item]
    "section": ({"eval": {"evry": 3}}, "eval.evry=3: there is no such setting; did you mean every?"),
    "section is text": ({"checkpoint": "x"}, "checkpoint=x: must be a mapping of settings"),
    "environment": ({"env": {"id": "CartPole-v1", "rewrd": 1}}, "env.rewrd=1: there is no such setting"),
    "no environment": ({"env": None}, "env=null: must be a mapping"),
    "environment without id": ({"env": {}}, "env.id is missing"),
    "agent": ({"agent": ["rstdp"]}, "agent=['rstdp']: must be a recipe with a name"),
    "seed": ({"seed": "0"}, "seed=0: must be an integer"),
    "device": ({"device": ["cpu"]}, "device=['cpu']: must be"),
    "logger": ({"logger": 3}, "logger=3: must be"),
    "folder": ({"run_dir": {"a": 1}}, "run_dir={'a': 1}: must be a path"),
    "long": ({"run_dir": ["x" * 100_000]}, "run_dir=['xxx"),
}


@pytest.mark.parametrize("case", MISTYPED)
def test_a_setting_that_is_wrong_is_named_with_its_file(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, words = MISTYPED[case]
    write_yaml(Path("run/config.yaml"), {**settings(), **changes})
    for command in COMMANDS:
        assert f"config.yaml is damaged: {words}" in refused(command, capsys)


def test_a_setting_that_is_missing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for key in settings().keys() - {"resume", "wandb", "video"}:  # which runs of before do not have
        write_yaml(Path("run/config.yaml"), {name: value for name, value in settings().items() if name != key})
        assert f"config.yaml is damaged: {key} is missing" in refused("evaluate", capsys)


@pytest.mark.parametrize("key", ["gamm", 3])
def test_a_mistyped_setting_of_an_agent_is_named(key: Any) -> None:
    composed = settings()
    write_yaml(Path("run/config.yaml"), {**composed, "agent": {**composed["agent"], key: 1}})
    with pytest.raises(ConfigError, match=rf"agent\.{key}=1: there is no such setting"):
        snnrl.load("run")


@pytest.mark.parametrize("folder", ["", "nowhere", "run/config.yaml", "a" * 300, "a\0b"])
def test_what_is_no_folder_of_a_run_is_named(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("run/config.yaml").touch()
    for command, words in COMMANDS.items():
        given = [f"{words[0].partition('=')[0]}={folder}", *words[1:]]
        assert importlib.import_module(f"snnrl.{command}").main(given) == 2
        assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(ConfigError, match=r"^path="):
        snnrl.load(folder)


def test_a_folder_in_place_of_the_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("run/config.yaml").mkdir()
    assert "there is no config.yaml in it" in refused("evaluate", capsys)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b"1" * 5000, b"[" * 100_000, b"null"], ids=ascii)
def test_a_summary_that_is_damaged_is_named_or_written_anew(damage: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["env=CartPole", "agent=random", "num_envs=1", "env_steps=2", "eval.episodes=1", "eval.every=0"]
    assert train.main([*words, "logger=none", "progress=none", "run_dir=trained"]) == 0
    path = Path("trained/summary.json")
    path.write_bytes(damage)
    capsys.readouterr()
    assert importlib.import_module("snnrl.export").main(["run=trained", "out=copy"]) == 2
    assert "run=trained: its summary.json is damaged (" in capsys.readouterr().err
    assert train.main(["resume=trained", "progress=none"]) == 0
    assert json.loads(path.read_text())["env_steps"] == 2


def test_settings_are_read_as_they_were_written() -> None:
    path = Path("settings.yaml")
    texts = ["1e5", "yes", "${x", "~", "", "0x1F", "1_0", "1:30", "=", "<<", "2020-01-01", "\x07", "\x85\u2028"]
    texts.append("ünï 日本 🙂")
    values = {"text": texts, "deep": {"numbers": [1, 10**30, 1e-5, -0.0, 1e300, float("inf"), True, None]}}
    write_yaml(path, values)
    read = read_yaml(path, "settings")
    assert repr(read) == repr(values)
    assert "ünï 日本 🙂" in path.read_text(encoding="utf-8")
    assert parse_yaml("[1e-3, 1., -.5, .inf, 1e3]") == [0.001, 1.0, -0.5, float("inf"), 1000.0]


def test_a_file_that_cannot_be_read_is_named() -> None:
    for read in (read_yaml, read_json):
        with pytest.raises(ConfigError, match=r"^here cannot be read \(No such file"):
            read(Path("nothing"), "here")
        with pytest.raises(ConfigError, match=r"^here cannot be read \("):
            read(Path("run"), "here")
