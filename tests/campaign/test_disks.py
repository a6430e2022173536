"""Disks that are full or read-only, for real: a small file system of its own, where mounting one is possible."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snnrl import train
from snnrl.training.checkpoints import CheckpointStore

ROUNDS = (1, 60)
WORDS = (
    *("env=CartPole", "num_envs=4", "env_steps=800", "checkpoint.every=100", "progress=none"),
    *("eval.every=400", "eval.during=1", "eval.episodes=1"),
)
Fork = Callable[[Callable[[], int]], int]


def mount(*words: str | Path) -> bool:
    return subprocess.run(["mount", *map(str, words)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file system of 64 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", folder)
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("a file system can be mounted by root alone")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def kilobytes(folder: Path) -> int:
    return sum(path.stat().st_blocks for path in folder.rglob("*")) // 2


def ends(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check_said(said: str, run_dir: Path) -> None:
    """One line that names the folder, and no traceback."""
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert f"run_dir={run_dir}: cannot be " in line
    assert "No space left on device" in line


@pytest.mark.timeout(3600)
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_run_that_fills_its_disk_goes_on_when_there_is_room(
    rounds: int, chance: random.Random, disk: Path, fork: Fork, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*WORDS, "logger=tensorboard", f"run_dir={disk / 'whole'}"]) == 0
    needed = kilobytes(disk)
    full = 0
    while full < rounds:
        run_dir = disk / f"run-{full}"
        used = kilobytes(disk)
        words = [*WORDS, f"logger={chance.choice(['none', 'tensorboard'])}", f"run_dir={run_dir}"]
        assert mount("-o", f"remount,size={used + chance.randrange(4, 2 * needed)}k", disk)
        capfd.readouterr()
        code = ends(fork(lambda words=words: train.main(words)))
        if code:
            assert code in (1, 2)
            check_said(capfd.readouterr().err, run_dir)
            full += 1
        store = CheckpointStore(run_dir / "checkpoints")
        reached = store.load()["steps"] if store.latest() else 0
        assert mount("-o", "remount,size=64m", disk)
        again = [f"resume={run_dir}", "env_steps=900"] if run_dir.exists() else words
        assert ends(fork(lambda again=again: train.main(again))) == 0
        assert store.load()["steps"] >= max(reached, 800)
        subprocess.run(["rm", "-rf", str(run_dir)], check=True)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_disk_that_is_read_only_is_one_line_before_anything_is_trained(
    disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = disk / "run"
    assert train.main([*WORDS, "logger=none", f"run_dir={run_dir}"]) == 0
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    assert mount("-o", "remount,ro", disk)
    capsys.readouterr()
    for words in ([*WORDS, "logger=none", f"run_dir={disk / 'new'}"], [f"resume={run_dir}", "env_steps=900"]):
        assert train.main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert "Read-only file system" in line
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before
    assert [path.name for path in disk.iterdir()] == ["run"]
