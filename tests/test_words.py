"""Whatever is typed on a command line is text, and a wrong word ends the command with one line."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from snnrl import train
from snnrl.config import RunConfig
from snnrl.errors import ConfigError
from snnrl.errors import __file__ as errors_file
from snnrl.recipes import compose_run
from snnrl.words import TEXT, merge, read_words

PACKAGE = Path(errors_file).parent
COMMANDS = ("train", "evaluate", "controls", "compare", "convert", "energy", "export", "integrations.nir")
ODD_TEXTS = [
    *("a\\b", "a\\\\b\\", "x${env.id}", "${", "$x", "a,b", "[a]", "{a: b}", "it's", 'say "so"', "'", "1e5", "007"),
    *("yes", "a=b", "a b", " a", "ünïcödé", "日本", "🙂", "#x", "a:b", "a: b", "@file", "*x", "%s", "!x", "~", "-x"),
]
NO_WORDS = [
    "",
    "=",
    "=5",
    "x",
    "--help-me",
    "seed",
    "~seed",
    "++=1",
    "seed=\x00",
    "seed=\udcff",
    "\udcff=1",
    "x=" + "a" * 5000,
]
"""Wrong for every command."""
WRONG = [
    *("seed=1,2", "seed=range(1,3)", "seed=[", "seed=" + "[" * 500, "seed=" + "9" * 5000, "seed=${nothing}", "seed={"),
    *("seed=1)", "seed=${oc.env:NO_SUCH_VARIABLE}", "env=", "env=null", "env=CartPole,Acrobot", "env=[CartPole]"),
    *("env={a:1}", "env=1", "env@x=CartPole", "env/x=y", "experiment=", "experiment=[a]", "experiment=a,b"),
    *("agent=null", "agent.name=null", "agent.name=", "env.id=null", "hydra.run.dir=x", "hydra/launcher=basic"),
    *("+resume=x", "resume=", "run_dir=", "trust=true", "seed.x=1", "eval=1", "eval.every.x=1", "env.reward=1"),
    *("env.kwargs=1", "env.kwargs.x.y=[", "device=cuda:99999", "device=cpu:7", "run_dir=" + "a" * 300, "logger="),
    *("run_dir=" + "a/" * 3000, "run_dir=a\x00b", "progress="),
]
"""Wrong for training."""


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_text_reaches_its_setting_as_it_was_typed(text: str) -> None:
    composed = compose_run(["env=CartPole", f"run_dir={text}", f"agent.name={text}"])
    assert composed["run_dir"] == text
    assert composed["agent"]["name"] == text
    assert read_words([f"run={text}"], as_written=("run",)) == {"run": text}


def test_quotes_around_text_are_not_part_of_it_and_null_is_nothing() -> None:
    for word, value in (("run_dir='a run'", "a run"), ('run_dir="it\'s"', "it's"), ("run_dir=null", None)):
        assert compose_run(["env=CartPole", word])["run_dir"] == value
    assert compose_run(["env=CartPole", "run_dir='null'"])["run_dir"] == "null"


@pytest.mark.parametrize("text", ["a\\b", "x${env.id}", "1e5", "ünïcödé 日本"])
def test_a_run_is_written_and_found_again_where_it_was_said_to_be(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["env_steps=2", "num_envs=1", "eval.every=0", "eval.episodes=1", "logger=none", "progress=none"]
    assert train.main(["env=CartPole", "agent=random", *words, f"run_dir={text}"]) == 0
    assert [path.name for path in Path().iterdir()] == [text]
    assert train.main([f"resume={text}", "env_steps=4", "progress=none"]) == 0
    assert capsys.readouterr().out.count(f"written to {text}\n") == 2


def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = RunConfig.from_mapping(compose_run(["env=CartPole", "run_dir=~/runs/a"]))
    assert config.run_dir == tmp_path / "runs" / "a"
    with pytest.raises(ConfigError, match="there is no folder"):
        importlib.import_module("snnrl.loading").load("~/runs/a")


def test_none_for_an_experiment_leaves_it_out_and_the_last_choice_counts() -> None:
    plain = compose_run(["env=CartPole"])
    assert compose_run(["experiment=null", "env=CartPole"]) == plain
    assert compose_run(["env=Acrobot", "experiment=shuffled", "experiment=null", "env=CartPole"]) == plain


@pytest.mark.parametrize("word", NO_WORDS, ids=lambda word: ascii(word)[:30])
def test_what_is_no_option_is_one_line_whichever_command_gets_it(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        assert importlib.import_module(f"snnrl.{name}").main([word]) == 2, name
        assert_one_line(capsys)


@pytest.mark.parametrize("word", WRONG, ids=lambda word: ascii(word)[:30])
def test_a_wrong_word_is_one_line(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    base = [] if word.startswith("env") else ["env=CartPole"]
    assert train.main([*base, word]) == 2
    assert_one_line(capsys)


def assert_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """One line is said, and nothing was made."""
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith("error: ")
    assert len(line) < 3000
    assert shown.out == ""
    assert list(Path().iterdir()) == []


def test_several_values_are_refused_by_what_would_be_right() -> None:
    for word, right in {
        "env=CartPole,Acrobot": "must be the name of one recipe",
        "env=[CartPole]": "must be the name of one recipe",
        "seed=1,2": "must be one, or a list such as [1, 2]",
        "seed=" + "9" * 5000: "with fewer digits",
    }.items():
        with pytest.raises(ConfigError, match=re.escape(right)):
            compose_run([word])


@pytest.mark.parametrize("key", ["squash.x", "squash.9", "squash.0.x"])
def test_what_is_no_section_holds_no_settings(key: str) -> None:
    Path("envs").mkdir()
    Path("envs/Mine.yaml").write_text(
        "id: CartPole-v1\ntuned:\n  rstdp:\n    encoder:\n      squash: [true, false]\n", encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"agent\.encoder\.squash(\.0)? is .*; must be set as a whole"):
        compose_run(["env=Mine", "agent=rstdp", f"agent.encoder.{key}=1"])
    assert compose_run(["env=Mine", "agent.encoder.squash=[1]"])["agent"]["encoder"]["squash"] == [1]


def test_settings_are_changed_and_sections_are_kept() -> None:
    changed = read_words(["eval.every=3", "device=1e5"], as_written=TEXT)
    assert changed == {"eval": {"every": 3}, "device": "1e5"}
    assert merge({"eval": {"every": 1, "during": 2}, "seed": 0}, changed) == {
        "eval": {"every": 3, "during": 2},
        "seed": 0,
        "device": "1e5",
    }


@pytest.mark.parametrize("text", ["1e5", "007", "yes", "it's", "a b", "ünïcödé", "日本", "a:b", "null2", "-x", "#x"])
def test_a_recipe_may_have_any_name(text: str) -> None:
    Path("agents").mkdir()
    Path(f"agents/{text}.yaml").write_text("name: random\n", encoding="utf-8")
    assert compose_run(["env=CartPole", f"agent={text}"])["agent"] == {"name": "random"}


def test_every_text_file_is_read_and_written_in_an_encoding_that_is_named() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _opens_text(node) and not _names_encoding(node):
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert found == []


def _opens_text(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in ("read_text", "write_text"):
        return isinstance(call.func, ast.Attribute)
    modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    of_files = isinstance(call.func, ast.Name) and name == "open"
    return of_files and not any("b" in mode for mode in modes)


def _names_encoding(call: ast.Call) -> bool:
    return any(keyword.arg == "encoding" for keyword in call.keywords)


def command(script: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[bytes]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONPATH": str(PACKAGE.parent), **settings}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, cwd=cwd, timeout=60)


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}, {}], ids=str)
def test_files_are_utf_8_in_any_locale(locale: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    recipe = "# ünï\nid: CartPole-v1\nkwargs: {name: ünï}\n"
    (tmp_path / "envs" / "Mine.yaml").write_text(recipe, encoding="utf-8")
    script = "from snnrl.recipes import compose_run\nprint(ascii(compose_run(['env=Mine'])['env']['kwargs']))"
    done = command(script, tmp_path, **locale)
    assert done.stdout.decode().strip() == r"{'name': '\xfcn\xef'}", done.stderr


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    script = "import sys\nfrom snnrl.train import main\nsys.exit(main())"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent), "LC_ALL": "C.UTF-8"}
    words: list[bytes | str] = [sys.executable, "-c", script, "env=CartPole", b"run_dir=\xff"]
    done = subprocess.run(words, env=environment, capture_output=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert done.stderr == b"error: run_dir=\\udcff: holds bytes that are no text; must be UTF-8\n"


@pytest.mark.parametrize("safe", [False, True])
def test_a_script_finds_modules_in_the_working_folder_unless_python_is_told_not_to(safe: bool, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print('found')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('stands in for a package')\n")
    script = tmp_path / "bin" / "snnrl-any"
    script.parent.mkdir()
    script.write_text(
        "import sys\nfrom importlib import import_module\nfrom snnrl.cli import run_command\n"
        "sys.exit(run_command(lambda words: import_module('json') is import_module('mine'), '', None))\n"
    )
    words = [sys.executable, *(["-P"] if safe else []), str(script)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.stdout == "found\n") is not safe, done.stderr
    assert (done.returncode == 0) is not safe
