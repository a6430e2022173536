"""Many runs by one command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from snnrl.recipes import recipe_names
from snnrl.runs.grid import MOST_RUNS, file_name, title, variants
from snnrl.sweep import Options, described, main
from snnrl.training.folder import alone
from snnrl.tune import main as tune

SHORT = ["num_envs=4", "env_steps=64", "eval.every=0", "eval.episodes=2", "logger=none"]


def test_every_combination_of_hydras_sweeps_is_a_variant() -> None:
    given = ["env=glob(Cart*)", "agent.gamma=range(0.5,0.7,0.1)", "agent.trace_lambda=choice(0.0,0.9)", "seed=3"]
    found = variants(given)
    assert len(found) == 2 * 2 * 2
    assert found[0].words == ("env=CartPole", "agent.gamma=0.5", "agent.trace_lambda=0.0", "seed=3")
    assert found[-1].labels == {"env": "CartPolePartial", "agent.gamma": "0.6", "agent.trace_lambda": "0.9"}


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("env.id=ALE/Pong-v5,ALE/Breakout-v5", ["ALE/Pong-v5", "ALE/Breakout-v5"]),
        ("agent.network.hidden=[{size:20}],[]", ["[{size:20}]", "[]"]),
        ("agent.plasticity=true,false", ["true", "false"]),
        ("device=cuda:0,cuda:1", ["cuda:0", "cuda:1"]),
        ("env.id=mine:Maze-v0,other:Maze-v0", ["mine:Maze-v0", "other:Maze-v0"]),
        ("+agent.x='a,b',c", ["'a,b'", "c"]),
        ("logger=tensorboard,wandb", ["tensorboard,wandb"]),
        ("wandb.tags=[a,b]", ["[a,b]"]),
        ("env_steps=sort(3,1,2)", ["1", "2", "3"]),
    ],
)
def test_a_word_has_the_values_that_it_names(word: str, values: list[str]) -> None:
    key = word.partition("=")[0]
    assert [each.words for each in variants([word])] == [(f"{key}={value}",) for value in values]


def test_the_names_of_folders_are_those_of_files() -> None:
    name = file_name({"env.id": "ALE/Pong-v5", "agent.network.hidden": "[{size:20}]", "seed": "0"})
    assert name == "env.id=ALE-Pong-v5,agent.network.hidden=-size-20-,seed=0"
    long = file_name({"agent.network.hidden": "[" + "9," * 500 + "]"})
    assert len(long) < 140
    words = ["env=CartPole", "seed=1"]
    assert title("sweep", words) == title("sweep", words[::-1]) != title("sweep", ["env=CartPole", "seed=2"])


def test_seeds_run_upwards_within_each_combination(tmp_path: Path) -> None:
    runs = described(["env=CartPole", "agent.gamma=0.5,0.6", "seed=7"], Options(seeds=2), tmp_path)
    assert [run.name for run in runs] == [
        f"agent.gamma={gamma},seed={seed}" for gamma in ("0.5", "0.6") for seed in (7, 8)
    ]
    assert [(run.settings["agent"]["gamma"], run.settings["seed"]) for run in runs] == [
        (0.5, 7),
        (0.5, 8),
        (0.6, 7),
        (0.6, 8),
    ]


def test_runs_for_wandb_are_one_group_there(tmp_path: Path) -> None:
    words = ["env=CartPole", "logger=tensorboard,wandb"]
    (run,) = described(words, Options(), tmp_path / "study")
    assert run.settings["wandb"]["group"] == "study"
    (run,) = described([*words, "wandb.group=mine"], Options(), tmp_path / "study")
    assert run.settings["wandb"]["group"] == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("agent.gamma=0.9,0.8", "env is missing: must be recipes"),
        (f"env=CartPole seeds={MOST_RUNS + 1}", "confirm=false: must be true, as this would start 1,001 runs"),
        ("env=CartPole seeds=0", "seeds=0: must be an integer of at least 1"),
        ("env=CartPole seeds=1.5", "seeds=1.5: must be an integer of at least 1"),
        ("env=CartPole seed=0,1 seeds=2", "seeds=2: must be left out where seed= is several values"),
        ("env=CartPole seed=4294967295 seeds=2", "seeds=2: must be fewer, seeds end at 2^32"),
        ("env=CartPole agent.gama=1,2", "agent.gama=1: there is no such setting; did you mean agent.gamma"),
        ("env=CartPole agent.gamma=0.5,2", "agent.gamma=2: must be in [0, 1], or null (with agent.gamma=2)"),
        ("env=CartPole agent.gamma=0.5,x", "agent.gamma=x: must be a number in [0, 1], or null (with agent.gamma=x)"),
        ("env=CartPole agent=ppo agent.sim_steps=1,0", "agent.sim_steps=0: must be an integer of at least 1"),
        ("env=CartPole agent.gamma=0.9,0.9", "agent.gamma=0.9,0.9: has 0.9 twice; must be different values"),
        ("env=CartPole seed=range(0,1e9)", "seed=range(0,1e9): has more than 100,000 values; must be fewer"),
        ("env=CartPole agent.gamma=interval(0,1)", "must be a list, range(...) or choice(...)"),
        ("env=CartPole env_steps=glob(1*)", "must be a list, as glob(...) chooses among recipes"),
        ("env=CartPole,Foo", "env=Foo: there is no such recipe"),
        ("env=glob(Foo*)", f"env=glob(Foo*): fits no recipe; there are: {recipe_names('env')[0]}"),
        ("env=CartPole run_dir=a", "run_dir=a: must be left out, out= says where runs are"),
        ("env=CartPole resume=a", "resume=a: must be left out, what was stopped in out= goes on by itself"),
        ("env=CartPole executor=rai", "executor=rai: there is no such executor; did you mean ray?"),
        ("env=CartPole ray.address=auto", "ray.address=auto: goes with executor=ray, and executor is local"),
        (
            "env=CartPole executor=ray ray.adress=auto",
            "ray.adress=auto: there is no such setting; did you mean address",
        ),
        ("env=CartPole executor=ray ray.address=127.0.0.1:1", "ray.address=127.0.0.1:1: there is no Ray"),
        ("env=CartPole executor=slurm", "slurm.cluster=slurm: cannot be used"),
        ("env=CartPole executor=slurm slurm.cluster=pbs", "slurm.cluster=pbs: must be slurm or local"),
        ("env=CartPole device=cpu,cuda:99", "device=cuda:99: torch sees"),
        ("env=CartPole jobs=0", "jobs=0: must be an integer in [1, 100000], or null"),
        ("env=CartPole -m", "-m: must be left out; python -m snnrl.sweep makes a run of each value"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_anything_starts(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [main, tune])
def test_a_link_to_nowhere_is_no_folder(
    command: Callable[[list[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert command(["env=CartPole", f"out={tmp_path}/link"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"error: out={tmp_path}/link: cannot be written to (No such file or directory); must be a folder that can"
    )


def test_two_sweeps_do_not_share_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(tmp_path, "out"):
        assert main(["env=CartPole", *SHORT, f"out={tmp_path}"]) == 2
    assert f"out={tmp_path}: another command is carrying out runs in this folder" in capsys.readouterr().err


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that was interrupted and then went on; one of its runs cannot succeed."""
    folder = tmp_path_factory.mktemp("sweep") / "out"
    words = ["env=CartPole", "env.kwargs.sutton_barto_reward=false,7", "seeds=2", "jobs=1", *SHORT, f"out={folder}"]
    command = [sys.executable, "-m", "snnrl.sweep", *words, "progress=plain"]
    stopped = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while stopped.poll() is None and not list(folder.glob("*/summary.json")):
        time.sleep(0.05)
    os.kill(stopped.pid, signal.SIGINT)
    assert stopped.stderr is not None
    said = stopped.communicate()[1]
    assert (stopped.returncode, said.splitlines()[-1]) == (130, "stopped by SIGINT; the same command goes on")
    (first,) = folder.glob("*=false,seed=0/summary.json")
    before = first.stat().st_mtime_ns
    assert main([*words, "progress=none"]) == 0
    assert first.stat().st_mtime_ns == before
    return folder


def test_a_sweep_that_was_stopped_goes_on_to_a_table_and_a_picture(out: Path) -> None:
    written = json.loads((out / "sweep.json").read_text())
    assert len(written["runs"]) == 4
    assert all(isinstance(run["score"], float) for run in written["runs"])
    table = (out / "sweep.md").read_text()
    assert "| env.kwargs.sutton_barto_reward | runs | interquartile mean | mean | each |" in table
    assert "| false | 2 | " in table
    assert (out / "sweep.png").stat().st_size > 10_000


def test_another_sweep_in_the_folder_is_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["env=CartPole", "env.kwargs.sutton_barto_reward=false,7", *SHORT, f"out={out}", "num_envs=8"]
    assert main(words) == 2
    assert "is a run of other settings (num_envs is 4, now 8); must be another one" in capsys.readouterr().err
