"""Runs that are killed or stopped for real, and go on as if nothing had happened."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from snnrl import train
from snnrl.errors import __file__ as errors_file
from snnrl.training.checkpoints import CheckpointStore, load_checkpoint
from snnrl.training.evaluation import Evaluation, evaluate

ROOT = Path(errors_file).parents[1]
QUIET = ("logger=none", "progress=none")
CART_POLE = (
    *("env=CartPole", "env_steps=6000", "num_envs=4", "checkpoint.every=1000", *QUIET),
    *("eval.every=2000", "eval.during=2", "eval.episodes=2"),
)
ATARI = (
    *("env_steps=1200", "num_envs=4", "checkpoint.every=300", *QUIET),
    *("eval.every=0", "eval.episodes=1", "env.max_episode_steps=60", "agent.warmup_steps=200"),
)
SHORT = ("env=CartPole", "num_envs=4", "eval.every=0", "eval.episodes=2", *QUIET)


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m snnrl.train`` beside this process; killed at the end where it still runs."""
    started = subprocess.Popen(
        [sys.executable, "-m", "snnrl.train", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def wait_until(happened: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert running.poll() is None, f"the run ended too soon: {running.communicate()[1]}"
        assert time.monotonic() < deadline, "the run does not get on"
        time.sleep(0.005)


def kill(words: tuple[str, ...], run_dir: Path, when: Callable[[Path], bool]) -> None:
    """Start a run and end it by SIGKILL as soon as ``when(run_dir)`` is true."""
    with process(*words, f"run_dir={run_dir}") as running:
        wait_until(lambda: when(run_dir), running)
        running.kill()
        running.communicate()
    assert running.returncode == -signal.SIGKILL
    assert not (run_dir / "summary.json").exists()


def latest_step(run_dir: Path) -> int:
    """The step of the latest checkpoint, 0 for none."""
    path = CheckpointStore(run_dir / "checkpoints").latest()
    return 0 if path is None else int(path.stem.removeprefix("step_"))


def metrics(run_dir: Path) -> list[dict[str, Any]]:
    """The whole lines of ``metrics.jsonl``, without what a clock decides."""
    path = run_dir / "metrics.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.is_file() else []
    return [{key: value for key, value in json.loads(line).items() if not key.startswith("time/")} for line in lines]


def last_metrics_step(run_dir: Path) -> int:
    read = metrics(run_dir)
    return int(read[-1]["step"]) if read else 0


def check_same_checkpoint(path: Path, other: Path) -> None:
    """All that a checkpoint holds is the same bit for bit, but for what a clock decides."""
    one, two = load_checkpoint(path), load_checkpoint(other)
    assert one["agent"].keys() == two["agent"].keys()
    for name, value in one["agent"].items():
        assert value.dtype == two["agent"][name].dtype
        assert torch.equal(value, two["agent"][name]), name
    assert torch.equal(one["generator"], two["generator"])
    by_clock = ("agent", "generator", "train_seconds", "wall_seconds", "metrics_position")
    assert [value for key, value in one.items() if key not in by_clock] == [
        value for key, value in two.items() if key not in by_clock
    ]


def check_same_run(run_dir: Path, straight: Path) -> None:
    assert latest_step(run_dir) == latest_step(straight) > 0
    for path in (straight / "checkpoints").glob("*.pt"):
        check_same_checkpoint(run_dir / "checkpoints" / path.name, path)
    assert metrics(run_dir) == metrics(straight)
    one, two = (json.loads((folder / "summary.json").read_text()) for folder in (run_dir, straight))
    for key in ("eval/return_mean", "eval/return_std", "eval/episodes", "env_steps", "seed"):
        assert one[key] == two[key]


def finish(run_dir: Path, *words: str) -> None:
    assert train.main([f"resume={run_dir}", *words]) == 0


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 400 steps; not to be written to."""
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    assert train.main([*SHORT, "env_steps=400", "checkpoint.every=150", f"run_dir={run_dir}"]) == 0
    return run_dir


def test_a_run_killed_after_a_checkpoint_goes_on_bit_for_bit(tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert train.main([*CART_POLE, f"run_dir={straight}"]) == 0
    kill(CART_POLE, killed, lambda run_dir: 2000 <= latest_step(run_dir) < last_metrics_step(run_dir))
    at = latest_step(killed)
    assert 2000 <= at < latest_step(straight)
    with process(f"resume={killed}") as resumed:
        _, shown = resumed.communicate(timeout=120)
    assert resumed.returncode == 0
    assert f"going on at {at:,} of 6,000 env steps" in shown
    check_same_run(killed, straight)


@pytest.mark.parametrize(
    "words",
    [("env=SpaceInvaders",), ("env=Pong",), ("env.id=ALE/Pong-v5",)],
    ids=["told what to see", "calibrates itself", "sees blobs"],
)
def test_an_atari_run_killed_after_a_checkpoint_goes_on_bit_for_bit(tmp_path: Path, words: tuple[str, ...]) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert train.main([*words, *ATARI, f"run_dir={straight}"]) == 0
    assert any("train/td_error_rms" in row for row in metrics(straight))
    kill((*words, *ATARI), killed, lambda run_dir: 300 <= latest_step(run_dir) < last_metrics_step(run_dir))
    assert 300 <= latest_step(killed) < latest_step(straight)
    finish(killed)
    check_same_run(killed, straight)


def test_a_run_killed_before_its_first_checkpoint_starts_again_from_the_beginning(tmp_path: Path) -> None:
    words = (*SHORT, "env_steps=2500", "checkpoint.every=2000")
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    kill(words, killed, lambda run_dir: last_metrics_step(run_dir) > 0)
    assert latest_step(killed) == 0
    assert metrics(killed) != []
    finish(killed)
    assert train.main([*words, f"run_dir={straight}"]) == 0
    check_same_run(killed, straight)


def test_a_run_killed_in_its_final_evaluation_only_evaluates(tmp_path: Path, short: Path) -> None:
    endless = ("env_steps=400", "checkpoint.every=150", "eval.episodes=100000")
    killed = tmp_path / "killed"
    kill((*SHORT, *endless), killed, lambda run_dir: latest_step(run_dir) >= 400)
    (last,) = (killed / "checkpoints").glob(f"step_{latest_step(killed):012d}.pt")
    before, trained = last.read_bytes(), metrics(killed)
    finish(killed, "eval.episodes=2")
    assert last.read_bytes() == before
    assert metrics(killed)[:-1] == trained
    assert "eval/return_mean" in metrics(killed)[-1]
    check_same_run(killed, short)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_run_and_names_the_command_that_goes_on(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    run_dir = tmp_path / "a run"
    with process(*SHORT, "env_steps=2500", "checkpoint.every=0", f"run_dir='{run_dir}'") as running:
        wait_until(lambda: last_metrics_step(run_dir) > 0, running)
        running.send_signal(number)
        _, shown = running.communicate(timeout=120)
    assert running.returncode == code
    stopped_at = latest_step(run_dir)
    assert 0 < stopped_at < 2500
    assert not (run_dir / "summary.json").exists()
    line = shown.splitlines()[-1]
    said, _, command = line.partition(" Go on: ")
    assert said == f"stopped by {number.name} at {stopped_at:,} env steps, saved."
    python, flag, module, *words = shlex.split(command)
    assert [python, flag, module] == ["python", "-m", "snnrl.train"]
    assert train.main(words) == 0
    steps = [row["step"] for row in metrics(run_dir) if "eval/return_mean" not in row]
    assert steps == sorted(set(steps))
    assert steps[0] < stopped_at < steps[-1]
    assert json.loads((run_dir / "summary.json").read_text())["env_steps"] >= 2500


def test_a_signal_in_the_final_evaluation_stops_it_and_a_resume_repeats_it(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any, between_steps: Callable[[int], None], **settings: Any) -> Evaluation:
        def signalled_between_steps(done: int) -> None:
            signal.raise_signal(signal.SIGTERM)
            between_steps(done)

        return evaluate(*arguments, between_steps=signalled_between_steps, **settings)

    run_dir = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("snnrl.training.environment_task.evaluate", interrupted)
        assert train.main([*SHORT, "env_steps=400", "checkpoint.every=150", f"run_dir={run_dir}"]) == 143
    assert f"stopped by SIGTERM at {latest_step(run_dir):,} env steps, saved." in capsys.readouterr().err
    assert not (run_dir / "summary.json").exists()
    finish(run_dir)
    check_same_run(run_dir, short)


def test_a_finished_run_goes_on_only_for_more_steps(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = {path: path.read_bytes() for path in short.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert train.main([f"resume={short}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: resume={short}: the run has all its 400 env steps")
    assert "env_steps" in line.partition("; ")[2]
    assert {path: path.read_bytes() for path in short.rglob("*") if path.is_file()} == written


def test_a_finished_run_is_made_longer(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    assert train.main([*SHORT, "env_steps=200", f"run_dir={run_dir}"]) == 0
    first = latest_step(run_dir)
    finish(run_dir, "env_steps=500")
    assert first < 500 <= latest_step(run_dir)
    assert json.loads((run_dir / "summary.json").read_text())["env_steps"] == latest_step(run_dir)
    assert train.main([f"resume={run_dir}"]) == 2


@pytest.mark.parametrize(
    "word", ["agent.gamma=0.5", "seed=1", "num_envs=8", "env=Pong", "env.id=Acrobot-v1", "run_dir=elsewhere", "sed=1"]
)
def test_what_would_make_it_another_run_cannot_change_at_a_resume(
    short: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    config = (short / "config.yaml").read_text()
    capsys.readouterr()
    assert train.main([f"resume={short}", "env_steps=1000", word]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {word}: cannot change when a run is resumed")
    assert (short / "config.yaml").read_text() == config


def test_resume_needs_the_folder_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([f"resume={tmp_path / 'nowhere'}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: resume={tmp_path / 'nowhere'}: ")
    assert line.endswith("must be the folder of a run")
    assert not (tmp_path / "nowhere").exists()


def test_a_checkpoint_waits_until_the_warm_up_is_over(tmp_path: Path) -> None:
    words = ("env=Pong", "env_steps=400", "num_envs=4", "checkpoint.every=80", "agent.warmup_steps=100", *QUIET)
    run_dir, few = tmp_path / "run", ("eval.every=0", "eval.episodes=1", "env.max_episode_steps=20")
    assert train.main([*words, *few, f"run_dir={run_dir}"]) == 0
    path = CheckpointStore(run_dir / "checkpoints").latest()
    assert path is not None
    assert load_checkpoint(path)["agent"]["network.encoder._calibrated"]
