"""One name for all commands, the completion of their words, and what they refuse before torch is imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from snnrl.__main__ import commands, main, usage
from snnrl.completion import SCRIPTS, completions
from snnrl.errors import __file__ as errors_file

ROOT = Path(errors_file).parents[1]


def test_the_programs_of_an_installed_wheel_are_the_commands() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts.pop("snnrl") == "snnrl.__main__:main"
    assert scripts == {f"snnrl-{name}": f"snnrl.{name}:main" for name in commands()}


def test_every_command_is_listed_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told and what for name, what in commands().items())
    assert {"train", "evaluate"} < set(commands())


def test_a_command_gets_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "run=nowhere", "out=copy"]) == 2
    assert capsys.readouterr().err.startswith("error: run=nowhere: there is no such folder")


def test_the_version_comes_with_those_that_results_depend_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} >= {"python", "snnrl", "torch"}


def test_a_misspelt_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "trian: there is no such command; did you mean train?" in capsys.readouterr().err


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "snnrl" / "py.typed").is_file()


KNOWN = list(commands())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("snnrl ev", ["evaluate"]),
        ("snnrl-train env=CartPoleP", ["env=CartPolePartial"]),
        ("snnrl train agent=sarsa_", ["agent=sarsa_frames"]),
        ("snnrl-train env=CartPole agent.gam", ["agent.gamma="]),
        ("snnrl-train env=CartPole progress=b", ["progress=bar"]),
        ("snnrl-train experiment=mnist_unsupervised n_neu", ["n_neurons="]),
        ("snnrl-train env=CartPole agent.plasticity=", ["agent.plasticity=false", "agent.plasticity=true"]),
        ("/venv/bin/snnrl-evaluate run=trained/Pong che", ["checkpoint="]),
        ("snnrl-train env.id=CartPole-v", ["env.id=CartPole-v0", "env.id=CartPole-v1"]),
        ("snnrl-compare agai", ["against="]),
        ("snnrl sweep env=CartPole,Acrobot seeds=2 agent.trace_l", ["agent.trace_lambda="]),
        ("snnrl-sweep env=CartPole executor=lo", ["executor=local"]),
        ("snnrl-controls job", ["jobs="]),
        ("snnrl-tune env=CartPole agent=pp", ["agent=ppo", "agent=ppo_ann"]),
        ("snnrl-tune env=CartPole pruner=m", ["pruner=median"]),
        ("snnrl-train env=Nowhere x", []),
        ("snnrl nothing x", []),
    ],
)
def test_words_are_completed(line: str, expected: list[str]) -> None:
    assert completions(line, KNOWN) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_what_stands_behind_an_equals_sign() -> None:
    script = (
        f'snnrl() {{ "{sys.executable}" -m snnrl "$@"; }}\n{SCRIPTS["bash"]}\n'
        'COMP_LINE="snnrl train env=CartPoleP"; COMP_POINT=${#COMP_LINE}; _snnrl; echo "${COMPREPLY[@]}"'
    )
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert found.stdout == "CartPolePartial\n"


def test_an_unknown_shell_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "completion=tcsh: must be one of bash, zsh, fish" in capsys.readouterr().err
    assert main(["completion", "zsh"]) == 0
    assert "snnrl-train" in capsys.readouterr().out


WITHOUT_TORCH: dict[str, Callable[[], list[str]]] = {
    "train": lambda: ["env_steps=-3", "env.id=CartPoel-v1", "env.id=ALE/Pongg-v5", "eval.episodes=none", "env=Pon"],
    "evaluate": lambda: ["run=nowhere", "episodes=0"],
    **dict.fromkeys(("replay", "watch", "plot", "energy", "convert"), lambda: ["run=nowhere"]),
}


def test_what_is_wrong_is_said_before_torch_is_imported() -> None:
    lines = [(name, [word]) for name, words in WITHOUT_TORCH.items() for word in words()]
    lines += [("train", []), ("train", ["experiment=mnist_reward", "num_envs=0"])]
    lines += [("train", ["env=CartPole", word]) for word in ("agent.gamma=2", "agent.update_every=0.5")]
    lines += [("train", ["env=CartPole", "agent=ppo", "agent.n_steps=0"])]
    lines += [("train", ["experiment=mnist_unsupervised", word]) for word in ("n_neurons=abc", "learning_rate=-1")]
    lines += [("sweep", ["env=CartPole", word]) for word in ("seeds=2000", "agent.gamma=0.5,2", "executor=rai")]
    script = (
        "import sys\nfrom importlib import import_module\n"
        f"for name, words in {lines!r}:\n"
        "    assert import_module(f'snnrl.{name}').main(words) == 2, words\n"
        "    assert 'torch' not in sys.modules, words\n"
        f"for name in {[*commands(), 'integrations.nir']!r}:\n"
        "    assert import_module(f'snnrl.{name}').main(['--help']) == 0\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (found.returncode, found.stderr.count("error: ")) == (0, len(lines)), found.stderr


def test_a_bare_command_says_what_it_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert import_module("snnrl.train").main(["seed=3"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "error: env is missing: env=SpaceInvaders would be ALE/SpaceInvaders-v5, agent rstdp, seed 3"
    )
    assert "1,000,000 env steps" in told
    assert not list(tmp_path.iterdir())


def test_the_usage_is_short_enough_for_a_terminal() -> None:
    assert all(len(line) <= 120 for line in usage().splitlines())
